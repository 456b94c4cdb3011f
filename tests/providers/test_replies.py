from __future__ import annotations

import itertools
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.providers import replies
from orchestrator.providers.acedatacloud import AceDataCloud
from orchestrator.providers.base import (
    Accepted,
    Halted,
    PollTrouble,
    Rejected,
    Reply,
    Throttled,
    Unclear,
)
from orchestrator.providers.rivya import Rivya
from tests.providers.case_files import cases

PROVIDERS = [Rivya(), AceDataCloud()]

HOSTILE = {
    "nothing": b"",
    "zeros": b"\x00" * 64,
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "a NaN": b'{"id": "t", "task_id": "t", "reserved_credits": NaN, "status": "queued"}',
    "an infinity": b'{"id": "t", "task_id": "t", "reserved_credits": 1e999, "status": "queued"}',
    "a huge integer": b'{"id": %s, "task_id": %s}' % (b"9" * 400, b"9" * 400),
    "an integer past the parser": b'{"id": %s}' % (b"9" * 5000),
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"id":' * 100_000 + b"1" + b"}" * 100_000,
    "half a pair of surrogates": b'{"id": "t\\ud800", "task_id": "t\\ud800", "error": "\\udfff"}',
    "duplicate keys": b'{"id": "a", "id": 1, "error": null, "error": {"code": [], "code": {}}}',
    "an array": b'[{"id": "t", "task_id": "t"}]',
    "a text": b'"task_1"',
    "null": b"null",
    "a page": b"<!doctype html><title>502</title>",
    "errors of every kind": b'{"error": [[{"code": "no_token"}]], "success": "maybe"}',
}


@pytest.mark.parametrize("case", cases("retry_after.yaml", "forms"))
def test_retry_after_means(case):
    assert replies.retry_after(Reply(429, case["headers"], b"")) == case["seconds"]


@given(st.text(), st.text())
def test_no_text_of_retry_after_raises(text, date):
    seconds = replies.retry_after(Reply(429, {"retry-after": text, "date": date}, b""))
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_fails_no_job_and_hides_no_task(provider, status, body):
    reply = Reply(status, {}, body)
    outcome = provider.read_create(reply)
    assert not isinstance(outcome, Rejected)
    if isinstance(outcome, Accepted):
        assert outcome.task_id in {"t", "1", "9" * 400}
        assert outcome.reserved is None
    told = provider.read_poll(["task_1"], reply)
    assert isinstance(told, PollTrouble) or told["task_1"].status != "failed"


WORDS = st.sampled_from(
    [
        "queued", "processing", "succeeded", "failed", "cancelled", "moon", "no_token", "used_up",
        "forbidden", "bad_request", "rate_limited", "not_found", "validation_failed", "api_error",
        "t-1", "https://cdn.example.com/a.mp4", "\x1b[31mred\x1b[0m", "\ud800", "",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "id", "task_id", "status", "state", "success", "error", "code", "message", "response",
        "data", "items", "result", "urls", "url", "file", "primary_url", "video_url",
        "finished_at", "trace_id", "requestId", "final_credits", "reserved_credits",
        "current_credits", "generation",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=8).map(json.dumps)
BODIES = st.binary(max_size=200) | DOCUMENTS.map(str.encode)
STATUSES = st.integers(100, 599) | st.sampled_from([200, 400, 401, 403, 404, 409, 429, 500, 503])
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date", "location"]), st.text())


def texts_of(outcome):
    faults = [getattr(outcome, "fault", None), getattr(getattr(outcome, "view", None), "fault", 0)]
    for fault in faults:
        if fault:
            yield from (fault.code, fault.message, fault.trace or "")


@settings(max_examples=400)
@given(st.sampled_from(PROVIDERS), STATUSES, HEADERS, BODIES)
def test_any_reply_to_a_create_is_one_of_the_outcomes(provider, status, headers, body):
    outcome = provider.read_create(Reply(status, headers, body))
    assert isinstance(outcome, Accepted | Rejected | Throttled | Halted | Unclear)
    if isinstance(outcome, Rejected | Throttled):
        assert 400 <= status < 500, "only a client's error says that nothing was made"
    if isinstance(outcome, Accepted):
        assert outcome.task_id
        assert outcome.view is None or 200 <= status < 300
    for text in texts_of(outcome):
        assert len(text) <= replies.LONGEST_TEXT
        assert text.isprintable()


@settings(max_examples=400)
@given(st.sampled_from(PROVIDERS), STATUSES, HEADERS, BODIES)
def test_any_reply_to_a_poll_tells_of_asked_tasks_or_of_nothing(provider, status, headers, body):
    asked = ["t-1", "t-2", "moon"][: provider.poll_batch]
    told = provider.read_poll(asked, Reply(status, headers, body))
    if isinstance(told, PollTrouble):
        return
    assert set(told) <= set(asked)
    for view in told.values():
        assert view.status in {"open", "succeeded", "failed", "missing"}
        assert all(url.startswith("https://") for url in view.urls)
        if not 200 <= status < 300:
            assert view.status == "missing", "an error of the request fails no task"


@given(STATUSES, HEADERS, BODIES)
def test_any_reply_to_an_upload_or_a_balance_is_read(status, headers, body):
    reply = Reply(status, headers, body)
    assert Rivya().read_upload(reply) is not None
    for provider in PROVIDERS:
        assert provider.read_balance(reply) is not None
        assert provider.read_models(reply) is not None


@given(st.text())
def test_cleaned_text_is_one_printable_line(text):
    cleaned = replies.clean(text)
    assert cleaned.isprintable()
    assert cleaned == cleaned.strip()
    assert len(cleaned) <= replies.LONGEST_TEXT
    cleaned.encode()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb", "a b"),
        ("\x1b]0;title\x07red", "]0;title red"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800x", "x"),
        ("grün 🎬", "grün 🎬"),
        ("x" * 900, "x" * 500),
    ],
)
def test_a_providers_text_is_made_safe(text, cleaned):
    assert replies.clean(text) == cleaned


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (57, 57.0),
        (0, 0.0),
        (0.9, 0.9),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (True, None),
        ("57", None),
        (None, None),
    ],
)
def test_an_amount_is_finite_and_not_negative(value, amount):
    assert replies.amount(value) == amount


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "a\n", "ü", "x" * 501, True, None, 1.5, [], {}, "\ud800", "a\x00"]
)
def test_what_is_no_id_is_none(value):
    assert replies.identifier(value) is None


@pytest.mark.parametrize("value", ["task_1", "x" * 500, "a/b", "0", "{}"])
def test_an_id_is_kept_as_it_is(value):
    assert replies.identifier(value) == value


def test_a_url_is_kept_whole_or_not_at_all():
    longest = "https://cdn.example.com/" + "x" * (replies.LONGEST_URL - 24)
    assert replies.media_url(longest) == longest
    assert replies.media_url(longest + "x") is None
    assert replies.media_url("ftp://cdn.example.com/a") is None
    assert replies.media_url("//cdn.example.com/a") is None


def test_deep_replies_are_read_as_unreadable_or_whole():
    for depth in itertools.takewhile(lambda deep: deep < 10**6, (10**n for n in range(1, 7))):
        body = b'{"id":' * depth + b"1" + b"}" * depth
        document = replies.read_object(Reply(200, {}, body))
        assert document is None or "id" in document
    assert sys.getrecursionlimit() < 10**5
