from __future__ import annotations

import json

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.jobs import JobSpec
from orchestrator.plan.fingerprint import make_job
from orchestrator.providers.base import (
    Accepted,
    Fault,
    PollTrouble,
    Reply,
    Upload,
    Uploaded,
    WireReference,
)
from orchestrator.providers.rivya import Rivya, _urls_below
from tests.providers.case_files import assert_is, cases, reply, said

RIVYA = Rivya()
VIDEO = "https://cdn.example.com/a.mp4"


def create(model, params=None, references=(), prompt="A cup", key="key-1"):
    facts = shipped().models[f"rivya/{model}"]
    spec = JobSpec("cup", "cup", "{}", "rivya", model, prompt, params or {})
    return RIVYA.create(make_job(spec, facts, 0, None), facts, references, key)


@pytest.mark.parametrize("case", cases("rivya.yaml", "create"))
def test_a_create_reply_means(case):
    assert_is(RIVYA.read_create(reply(case)), case["is"])


@pytest.mark.parametrize("case", cases("rivya.yaml", "poll"))
def test_a_status_reply_means(case):
    told = RIVYA.read_poll(["task_1"], reply(case))
    assert_is(told if isinstance(told, PollTrouble) else told["task_1"], case["is"])


@pytest.mark.parametrize("case", cases("rivya.yaml", "upload"))
def test_an_upload_reply_means(case):
    assert_is(RIVYA.read_upload(reply(case)), case["is"])


def test_a_create_is_one_post_with_its_key():
    request = create("sora-2-pro")
    assert (request.method, request.path) == ("POST", "/api/v1/generations")
    assert request.headers == {"Content-Type": "application/json", "Idempotency-Key": "key-1"}


def test_selects_go_as_strings_and_numbers_as_numbers():
    request = create("happyhorse-1-0", {"duration": 4, "resolution": "720p", "seed": 7})
    assert json.loads(request.body) == {
        "model": "happyhorse-1-0",
        "prompt": "A cup",
        "params": {
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "duration": 4,
            "audio_setting": "auto",
            "seed": 7,
        },
    }
    assert json.loads(create("hailuo-pro").body)["params"] == {"prompt_optimizer": "false"}


def test_what_has_no_default_and_was_left_out_is_not_sent():
    assert json.loads(create("sora-2-pro", {"n_frames": "15"}).body)["params"] == {
        "n_frames": "15",
        "aspect_ratio": "landscape",
        "remove_watermark": "false",
        "upload_method": "s3",
    }


def test_references_go_into_params_in_order_with_what_is_known_of_them():
    references = [
        WireReference("https://f.example.com/v", "video", "v.mp4", "video/mp4", 4.5, "token"),
        WireReference("https://f.example.com/i", "image"),
    ]
    assert json.loads(create("happyhorse-1-0", {}, references).body)["params"][
        "referenceMediaItems"
    ] == [
        {
            "url": "https://f.example.com/v",
            "kind": "video",
            "name": "v.mp4",
            "mimeType": "video/mp4",
            "durationSeconds": 4.5,
            "durationToken": "token",
        },
        {"url": "https://f.example.com/i", "kind": "image"},
    ]


def test_a_resend_has_the_same_bytes_and_the_same_key():
    first = create("hailuo-pro", prompt="Grüße 🎬")
    assert RIVYA.resend(first.body, "key-1") == first
    assert "Grüße 🎬".encode() in first.body


@pytest.mark.parametrize(
    ("task_id", "path"),
    [
        ("task_1", "/api/v1/generations/task_1"),
        ("a/../b?c#d", "/api/v1/generations/a%2F..%2Fb%3Fc%23d"),
    ],
)
def test_a_look_stays_below_generations(task_id, path):
    request = RIVYA.poll([task_id])
    assert (request.method, request.path, request.body) == ("GET", path, None)


def test_one_look_is_at_one_task():
    assert RIVYA.poll_batch == 1


def test_an_upload_names_its_kind_and_its_model():
    model = shipped().models["rivya/happyhorse-1-0"]
    request = RIVYA.upload(Upload("/a/b.mp4", "video/mp4", "b.mp4", {}), "video", model)
    assert (request.method, request.path) == ("POST", "/api/v1/files")
    assert request.upload.fields == {"kind": "video", "model": "happyhorse-1-0"}
    assert request.upload.name == "b.mp4"


def test_long_signed_addresses_and_tokens_are_not_cut():
    address, token = f"https://f.example.com/a?X-Amz-Signature={'0' * 2000}", "t" * 1500
    assert RIVYA.read_upload(said(200, {"url": address, "duration_token": token})) == Uploaded(
        address, token
    )


def test_a_result_as_deep_as_a_parser_reads_gives_its_url():
    body = '{"id": "task_1", "status": "succeeded", "result": ' + "[" * 700 + json.dumps(VIDEO)
    body += "]" * 700 + "}"
    views = RIVYA.read_poll(["task_1"], Reply(200, {}, body.encode()))
    assert views["task_1"].urls == (VIDEO,)


def test_the_deepest_results_never_raise():
    """Parsers of later Pythons read far deeper than the interpreter's own stack goes."""
    nested = VIDEO
    for _ in range(5_000):
        nested = {"clips": [nested]}
    assert list(_urls_below(nested)) == [VIDEO]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (said(200, {"current_credits": 123}), 123.0),
        (said(200, {"current_credits": 0}), 0.0),
        (
            said(401, {"error": {"code": "api_key_invalid", "message": "no"}}),
            Fault("api_key_invalid", "no"),
        ),
        (said(200, {"current_credits": "many"}), Fault("http_200", "no message")),
    ],
)
def test_the_balance_is_a_number_or_a_fault(answer, left):
    assert RIVYA.balance().path == "/api/v1/credits"
    assert RIVYA.read_balance(answer) == left


def test_of_two_ids_in_one_object_the_last_counts():
    body = b'{"id": "task_1", "id": "task_2", "status": "queued"}'
    assert RIVYA.read_create(Reply(200, {}, body)) == Accepted("task_2")
