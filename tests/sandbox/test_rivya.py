import json

import pytest

from orchestrator.sandbox.tasks import Outcome

PAGE_REQUEST = {
    "model": "happyhorse-1-0",
    "prompt": "A cinematic product reveal with smooth camera movement",
    "params": {
        "resolution": "1080p",
        "aspect_ratio": "16:9",
        "duration": 5,
        "audio_setting": "auto",
        "seed": 0,
        "referenceMediaItems": [
            {
                "url": "https://cdn.example.com/reference-image.png",
                "kind": "image",
                "name": "reference-image.png",
                "mimeType": "image/png",
            }
        ],
    },
}


async def test_a_reader_of_the_page_gets_a_video_step_by_step(client):
    models = await client.ask("GET", f"{client.urls['rivya']}/api/v1/models")
    assert {m["id"]: m["base_credits"] for m in models.json["data"]} == {
        "hailuo-pro": 57,
        "happyhorse-1-0": 28,
        "sora-2-pro": 75,
    }
    created = await client.rivya("POST", "/generations", json=PAGE_REQUEST)
    assert created.status == 201
    task_id = created.json["id"]
    assert created.json | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "status": "queued",
        "model": "happyhorse-1-0",
        "reserved_credits": 28,
        "final_credits": 0,
        "created_at": "",
        "updated_at": "",
        "result": None,
        "error": None,
    }
    done = (await client.status(task_id)).json
    assert (done["status"], done["final_credits"], done["error"]) == ("succeeded", 28, None)
    assert done["result"]["urls"] == [done["result"]["primary_url"]]
    video = await client.ask("GET", done["result"]["primary_url"])
    assert video.body[4:8] == b"ftyp"


async def test_a_task_is_queued_then_processing_then_succeeded(serving):
    rule = "[{on: task, do: {latency: 0.4}}]"
    async with serving(faults=rule) as client:
        task_id = (await client.generate()).json["id"]
        seen = []
        while "succeeded" not in seen:
            word = (await client.status(task_id)).json["status"]
            if word not in seen:
                seen.append(word)
    assert seen == ["queued", "processing", "succeeded"]


async def test_the_same_key_and_body_make_one_task(client):
    first = await client.generate("k1")
    again = await client.generate("k1")
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]
    assert len(client.sandbox.tasks.all()) == 1


async def test_the_same_key_with_another_body_is_a_conflict(client):
    await client.generate("k1")
    other = await client.generate("k1", prompt="a cup")
    assert (other.status, other.json["error"]["code"]) == (409, "idempotency_conflict")
    assert len(client.sandbox.tasks.all()) == 1


async def test_without_a_key_every_create_is_paid(client):
    await client.generate()
    await client.generate()
    assert len(client.sandbox.tasks.all()) == 2


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "api_key_missing"),
        ({"Authorization": "Basic x"}, "api_key_missing"),
        ({"Authorization": "Bearer "}, "api_key_missing"),
        ({"Authorization": "Bearer invalid"}, "api_key_invalid"),
    ],
)
async def test_a_key_is_needed_and_any_but_invalid_is_taken(client, header, code):
    reply = await client.ask("GET", f"{client.urls['rivya']}/api/v1/credits", headers=header)
    assert (reply.status, reply.json["error"]["code"]) == (401, code)
    assert reply.json["error"]["requestId"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model": "hailuo-max"}, "model"),
        ({"model": None}, "model"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 1501}, "prompt"),
        ({"files": []}, "files"),
        ({"params": []}, "params"),
        ({"params": {"prompt_optimizer": False}}, "params.prompt_optimizer"),
        ({"params": {"prompt_optimizer": "no"}}, "params.prompt_optimizer"),
        ({"params": {"seed": 1}}, "params.seed"),
        ({"client_request_id": "x" * 129}, "client_request_id"),
        ({"params": {"referenceMediaItems": [{"kind": "image"}]}}, "referenceMediaItems[0].url"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(client, fields, named):
    reply = await client.generate(**fields)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_failed")
    assert named in reply.json["error"]["message"]
    assert client.sandbox.tasks.all() == []


async def test_a_body_that_is_no_json_object_is_refused(client):
    for body in (b"{", b"[]", b"[" * 100_000, b"\xff"):
        reply = await client.rivya("POST", "/generations", data=body)
        assert (reply.status, reply.json["error"]["code"]) == (400, "validation_failed")


async def test_an_unknown_id_or_path_is_not_found(client):
    for path in ("/generations/task_none", "/files/file_none", "/nothing"):
        reply = await client.rivya("GET", path)
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")


async def test_the_wallet_pays_and_refuses_when_it_is_empty(serving):
    async with serving(faults="balance: {rivya: 100}") as client:
        await client.generate()
        assert (await client.rivya("GET", "/credits")).json == {"current_credits": 43}
        refused = await client.generate()
        assert (refused.status, refused.json["error"]["code"]) == (402, "insufficient_credits")
        assert len(client.sandbox.tasks.all()) == 1


async def test_a_failed_task_gives_its_credits_back(serving):
    faults = "{balance: {rivya: 100}, faults: [{on: task, do: fail}]}"
    async with serving(faults=faults) as client:
        task_id = (await client.generate()).json["id"]
        failed = (await client.status(task_id)).json
        assert failed["status"] == "failed"
        assert (failed["result"], failed["final_credits"]) == (None, 0)
        assert failed["error"]["code"] == "generation_failed"
        assert (await client.rivya("GET", "/credits")).json == {"current_credits": 100}


async def test_the_table_of_tasks_holds_what_was_paid_for(client):
    created = await client.generate("k1")
    (task,) = client.sandbox.tasks.all()
    assert (task.provider, task.id, task.idempotency_key) == ("rivya", created.json["id"], "k1")
    assert json.loads(task.body) == {"model": "hailuo-pro", "prompt": "a lamp"}
    assert (task.outcome, task.credits) == (Outcome(), 57)


@pytest.mark.parametrize(
    ("do", "check"),
    [
        ("no_url", lambda g: g["result"] == {"primary_url": None, "urls": []}),
        ("{urls: 3}", lambda g: len(set(g["result"]["urls"])) == 3),
        ("{credits: 90}", lambda g: (g["reserved_credits"], g["final_credits"]) == (57, 90)),
        ("{reserve: 60}", lambda g: (g["reserved_credits"], g["final_credits"]) == (60, 60)),
        ("{spell: COMPLETED}", lambda g: g["status"] == "COMPLETED" and g["result"]),
        ("refused", lambda g: g["error"]["code"] == "content_refused"),
        ("channel_down", lambda g: "not available" in g["error"]["message"]),
        ("{fail: timeout, message: too slow}", lambda g: g["error"]["message"] == "too slow"),
        ("{missing: 60}", lambda g: g["error"]["code"] == "not_found"),
        ("never", lambda g: g["status"] in ("queued", "processing")),
        ("{flap: [reviewing]}", lambda g: g["status"] == "reviewing" and g["result"] is None),
    ],
)
async def test_a_task_ends_as_its_rule_says(serving, do, check):
    async with serving(faults=f"[{{on: task, do: {do}}}]") as client:
        task_id = (await client.generate()).json["id"]
        assert check((await client.status(task_id)).json)


async def test_statuses_flap_and_then_tell_the_truth(serving):
    rule = "[{on: task, do: {flap: [processing, succeeded, queued]}}]"
    async with serving(faults=rule) as client:
        task_id = (await client.generate()).json["id"]
        words = [(await client.status(task_id)).json["status"] for _ in range(4)]
    assert words == ["processing", "succeeded", "queued", "succeeded"]


async def test_two_creates_can_be_given_one_id(serving):
    async with serving(faults="[{on: task, nth: 2, do: duplicate}]") as client:
        ids = [(await client.generate()).json["id"] for _ in range(3)]
        assert ids[0] == ids[1] != ids[2]
        assert len(client.sandbox.tasks.all()) == 3


async def test_several_rules_add_up_on_one_task(serving):
    words = "{on: task, do: {word: reviewing}}, {on: task, do: {urls: 2}}"
    async with serving(faults=f"[{words}, {{on: task, do: {{latency: 60}}}}]") as client:
        await client.generate()
        (task,) = client.sandbox.tasks.all()
        assert (task.outcome.word, task.outcome.urls) == ("reviewing", 2)
        assert task.finishes_at == task.created_at + 60


async def test_a_running_task_shows_the_word_of_its_rule(serving):
    rules = "[{on: task, do: {word: reviewing}}, {on: task, do: {flap: [processing]}}]"
    async with serving(faults=rules) as client:
        task_id = (await client.generate()).json["id"]
        assert (await client.status(task_id)).json["status"] == "reviewing"
