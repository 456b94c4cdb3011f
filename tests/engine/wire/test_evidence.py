"""Evidence: a raw reply is kept whole, but for what signs a URL."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.engine.wire.evidence import kept_reply, raw_reply, without_query
from orchestrator.providers.base import Accepted, Reply
from orchestrator.providers.registry import provider

SECRET = "5ec4e7"

path_text = st.text(
    "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-._~/%:@!$&()*+,;=[]{}|", max_size=30
)
query_text = st.text("abcxyzABC0123456789-._~/%:@!$&()*+,;=?#[]", max_size=30)
plain_text = st.text(max_size=30).filter(lambda text: "http" not in text.lower())
schemes = st.sampled_from(["https://", "http://", "HTTPS://", "Http://"])
marks = st.sampled_from(["?", "#", "?#", "??", "#?"])


@settings(max_examples=50, deadline=None)
@given(scheme=schemes, host_and_path=path_text, mark=marks, before=query_text, behind=query_text)
def test_nothing_of_a_query_survives_and_all_before_it_does(
    scheme, host_and_path, mark, before, behind
):
    url = f"{scheme}cdn.example.com/{host_and_path}"
    assert without_query(f"{url}{mark}{before}{SECRET}{behind}") == url


@settings(max_examples=50, deadline=None)
@given(before=plain_text, path=path_text, query=query_text, behind=plain_text)
@example(before="see ", path="a", query="x", behind=" and so on")
def test_the_text_around_a_url_survives(before, path, query, behind):
    url = f"https://cdn.example.com/{path}"
    for edge in (' "', "\n", "<", ">", "\t"):
        text = f"{before} {url}?{query}{SECRET}{edge}{behind}"
        assert without_query(text) == f"{before} {url}{edge}{behind}"


@settings(max_examples=50, deadline=None)
@given(st.text().filter(lambda text: "http" not in text.lower()))
def test_a_text_without_urls_is_left_alone(text):
    assert without_query(text) == text


@settings(max_examples=50, deadline=None)
@given(path_text)
def test_a_url_without_a_query_is_left_alone(path):
    assert without_query(f"https://cdn.example.com/{path}") == f"https://cdn.example.com/{path}"


urls = st.builds(lambda path, query: (path, f"{query}{SECRET}"), path_text, query_text)


def replaced(value, change):
    """The JSON value with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [replaced(item, change) for item in value]
    if isinstance(value, dict):
        return {name: replaced(item, change) for name, item in value.items()}
    return value


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | plain_text
    | st.builds(
        lambda parts, mark: f"https://cdn.example.com/{parts[0]}{mark}{parts[1]}",
        urls,
        st.sampled_from("?#"),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)

#: How JSON may write what is in a URL.
WRITINGS = {
    "as it is": lambda text: text,
    "slashes escaped": lambda text: text.replace("/", r"\/"),
    "question mark escaped": lambda text: text.replace("?", r"\u003f"),
    "question mark escaped in capitals": lambda text: text.replace("?", r"\u003F"),
    "number sign escaped": lambda text: text.replace("#", r"\u0023"),
    "ampersand escaped": lambda text: text.replace("&", r"\u0026").replace("=", r"\u003d"),
}


@pytest.mark.parametrize("writing", WRITINGS.values(), ids=WRITINGS)
@settings(max_examples=50, deadline=None)
@given(document=documents)
def test_json_of_any_writing_stays_the_same_json_without_queries(writing, document):
    text = writing(json.dumps(document))
    kept = without_query(text)
    assert SECRET not in kept
    cut = replaced(document, lambda item: item.split("?")[0] if "https://" in item else item)
    cut = replaced(cut, lambda item: item.split("#")[0] if "https://" in item else item)
    assert json.loads(kept) == cut


replies = st.builds(
    Reply,
    st.integers(200, 599),
    st.dictionaries(
        st.sampled_from(["content-type", "date", "retry-after", "x-request-id", "set-cookie"]),
        plain_text,
    ),
    st.binary(max_size=200).filter(lambda body: b"http" not in body.lower()),
)


@settings(max_examples=50, deadline=None)
@given(replies)
def test_a_kept_reply_is_the_reply(reply):
    kept = kept_reply(raw_reply(reply))
    assert kept.status == reply.status
    assert kept.body == reply.body.decode(errors="replace").encode()
    assert kept.headers == {
        name: value for name, value in reply.headers.items() if name != "set-cookie"
    }


def test_headers_that_may_hold_secrets_are_not_kept():
    text = raw_reply(
        Reply(200, {"set-cookie": SECRET, "location": f"/?{SECRET}", "date": "today"}, b"{}")
    )
    assert SECRET not in text
    assert "today" in text


def test_the_ledgers_text_is_ascii_whatever_came():
    assert raw_reply(Reply(200, {"date": "\udcff"}, b"\xff\xfe\xc3\xa9\x00")).isascii()


def test_a_reply_of_any_length_is_kept_whole():
    body = json.dumps({"prompt": "x" * 1_000_000, "task_id": "task_1"}).encode()
    assert kept_reply(raw_reply(Reply(200, {}, body))).body == body


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("rivya", {"id": "task_1", "status": "queued", "reserved_credits": 57}),
        (
            "acedatacloud",
            {
                "success": True,
                "task_id": "task_1",
                "data": [{"video_url": f"https://cdn.example.com/v.mp4?sig={SECRET}"}],
            },
        ),
    ],
)
def test_a_kept_reply_says_the_same_of_the_task(name, document):
    reply = Reply(200, {}, json.dumps(document).encode())
    outcome = provider(name).read_create(kept_reply(raw_reply(reply)))
    assert isinstance(outcome, Accepted)
    assert outcome.task_id == "task_1"


def test_a_quoted_url_within_a_json_text_leaves_the_json_whole():
    prompt = f'as in "https://example.com/look?sig={SECRET}", but blue'
    document = {"task_id": "task_1", "data": [{"prompt": prompt}]}
    kept = kept_reply(raw_reply(Reply(200, {}, json.dumps(document).encode())))
    assert json.loads(kept.body)["task_id"] == "task_1"


def test_an_apostrophe_in_a_query_does_not_save_the_signature_behind_it():
    name = "filename*%3DUTF-8''video.mp4"
    url = f"https://cdn.example.com/v.mp4?disposition={name}&X-Amz-Signature={SECRET}"
    assert SECRET not in without_query(json.dumps({"video_url": url}))


def test_slashes_may_be_escaped_by_their_number():
    text = rf'{{"url": "https:\u002F\u002fcdn.example.com\u002fv.mp4?sig={SECRET}"}}'
    assert SECRET not in without_query(text)


def test_no_reply_keeps_the_loop_busy():
    text = "http://" * 2000
    began = time.perf_counter()
    without_query(text)
    assert time.perf_counter() - began < 0.1, "what is kept may be 18 times as long"
