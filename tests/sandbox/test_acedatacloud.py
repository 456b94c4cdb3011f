import asyncio
import json
import time

import pytest
from aiohttp import web

from orchestrator.sandbox.acedatacloud import MOST_IDS

SLOW = "[{on: task, do: {latency: 60}}]"
IMAGE = "https://cdn.example.com/first.jpg"


async def finished(client, **fields):
    """The task of a create that has ended."""
    created = await client.videos(**{"async": True, **fields})
    return (await client.hailuo("tasks", id=created.json["task_id"])).json


async def test_a_create_without_async_waits_and_replies_with_the_video(serving):
    async with serving(faults="[{on: task, do: {latency: 0.2}}]") as client:
        before = time.monotonic()
        reply = await client.videos()
        assert time.monotonic() - before >= 0.2
        assert reply.json["success"] is True
        assert {"task_id", "trace_id"} < reply.json.keys()
        (video,) = reply.json["data"]
        assert (video["state"], video["model"]) == ("succeeded", "minimax-t2v")
        assert (await client.ask("GET", video["video_url"])).body[4:8] == b"ftyp"


async def test_an_async_create_replies_at_once_with_the_task_id(serving):
    async with serving(faults=SLOW) as client:
        reply = await client.videos(**{"async": True})
        assert reply.json.keys() == {"success", "task_id", "trace_id"}


async def test_the_guides_own_example_without_a_model_is_text_to_video(client):
    reply = await client.hailuo("videos", action="generate", prompt="Internal heat")
    assert reply.json["data"][0]["model"] == "minimax-t2v"


async def test_a_pending_task_has_no_response(serving):
    async with serving(faults=SLOW) as client:
        assert "response" not in await finished(client)


async def test_a_pending_task_with_a_url_in_its_request_has_a_null_response(serving):
    async with serving(faults=SLOW) as client:
        task = await finished(client, model="minimax-i2v", first_image_url=IMAGE)
        assert task["response"] is None


async def test_a_running_task_shows_a_snapshot_without_a_url(serving):
    rule = "[{on: task, do: {flap: [processing]}}]"
    async with serving(faults=rule) as client:
        response = (await finished(client))["response"]
        assert (response["success"], response["data"][0]["state"]) == (True, "processing")
        assert "video_url" not in response["data"][0]


async def test_a_succeeded_task_shows_its_request_and_its_video(client):
    task = await finished(client, model="minimax-i2v", first_image_url=IMAGE)
    assert {"id", "type", "created_at", "started_at", "finished_at", "elapsed", "trace_id"} < set(
        task
    )
    assert task["request"]["prompt"] == "a lamp"
    assert "status" not in task
    (video,) = task["response"]["data"]
    assert (video["first_image_url"], video["state"]) == (IMAGE, "succeeded")
    assert video["video_url"].startswith("http://127.0.0.1:")


async def test_a_failed_task_is_told_with_status_200_and_a_code(serving):
    async with serving(faults="[{on: task, do: channel_down}]") as client:
        created = await client.videos(**{"async": True})
        reply = await client.hailuo("tasks", id=created.json["task_id"])
        assert reply.status == 200
        assert reply.json["response"]["success"] is False
        assert reply.json["response"]["error"]["code"] == "api_error"
        assert "no channel available" in reply.json["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("do", "check"),
    [
        ("{fail: api_error, bare: true, message: sorry}", lambda r: r["error"] == "sorry"),
        ("refused", lambda r: r["error"]["code"] == "forbidden"),
        ("no_url", lambda r: r["data"][0].keys() == {"id", "model", "prompt", "state"}),
        ("{urls: 2}", lambda r: len({v["video_url"] for v in r["data"]}) == 2),
        ("{spell: COMPLETED}", lambda r: r["data"][0]["state"] == "COMPLETED"),
    ],
)
async def test_a_task_ends_as_its_rule_says(serving, do, check):
    async with serving(faults=f"[{{on: task, do: {do}}}]") as client:
        assert check((await finished(client))["response"])


async def test_a_hiccup_tells_nothing_until_the_task_ends(serving):
    rule = "[{on: task, do: hiccup}, {on: task, do: {latency: 0.3}}]"
    async with serving(faults=rule) as client:
        created = (await client.videos(**{"async": True})).json["task_id"]
        response = (await client.hailuo("tasks", id=created)).json["response"]
        assert (response["success"], type(response["error"])) == (False, str)
        await asyncio.sleep(0.3)
        response = (await client.hailuo("tasks", id=created)).json["response"]
        assert response["success"] is True


@pytest.mark.parametrize(
    ("do", "status", "code"), [("refused", 403, "forbidden"), ("channel_down", 500, "api_error")]
)
async def test_a_synchronous_create_of_a_task_that_fails_is_an_error(serving, do, status, code):
    async with serving(faults=f"[{{on: task, do: {do}}}]") as client:
        reply = await client.videos()
        assert (reply.status, reply.json["error"]["code"]) == (status, code)
        assert len(client.sandbox.tasks.all()) == 1


async def test_an_unknown_id_is_an_empty_object(client):
    reply = await client.hailuo("tasks", id="nix")
    assert (reply.status, reply.json) == (200, {})


async def test_an_id_can_be_unknown_for_a_while(serving):
    async with serving(faults="[{on: task, do: {missing: 60}}]") as client:
        assert await finished(client) == {}


async def test_a_batch_leaves_out_unknown_ids_and_tells_each_task_once(client):
    ids = [(await client.videos()).json["task_id"] for _ in range(3)]
    asked = [ids[2], "nix", ids[0], ids[0]]
    batch = (await client.hailuo("tasks", ids=asked, action="retrieve_batch")).json
    assert [item["id"] for item in batch["items"]] == [ids[0], ids[2]]
    assert batch["count"] == 2


async def test_rivyas_tasks_are_unknown_here(client):
    task_id = (await client.generate()).json["id"]
    assert (await client.hailuo("tasks", id=task_id)).json == {}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"id": "a", "action": "delete"}, "action"),
        ({"action": "retrieve_batch"}, "ids"),
        ({"action": "retrieve_batch", "ids": []}, "ids"),
        ({"action": "retrieve_batch", "ids": [1]}, "ids"),
        ({"action": "retrieve_batch", "ids": ["a"] * (MOST_IDS + 1)}, "ids"),
        ({"id": "a", "limit": 3}, "limit"),
        ({}, "id"),
        ({"id": 7}, "id"),
    ],
)
async def test_a_wrong_look_is_refused(client, body, named):
    reply = await client.hailuo("tasks", **body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "bad_request")
    assert named in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"action": "extend"}, "action"),
        ({"prompt": ""}, "prompt"),
        ({"model": "sora"}, "model"),
        ({"model": "minimax-i2v"}, "first_image_url"),
        ({"model": "minimax-i2v-director", "first_image_url": "a.png"}, "first_image_url"),
        ({"first_image_url": "data:image/png;base64,AAAA"}, "first_image_url"),
        ({"callback_url": "ftp://127.0.0.1/x"}, "callback_url"),
        ({"async": "true"}, "async"),
        ({"duration": 6}, "duration"),
    ],
)
async def test_a_wrong_create_is_refused_and_nothing_is_made(client, fields, named):
    reply = await client.videos(**fields)
    assert (reply.status, reply.json["success"]) == (400, False)
    assert reply.json["error"]["code"] == "bad_request"
    assert reply.json["trace_id"]
    assert named in reply.json["error"]["message"]
    assert client.sandbox.tasks.all() == []


@pytest.mark.parametrize(
    ("header", "code"),
    [({}, "no_token"), ({"Authorization": "Bearer invalid"}, "invalid_token")],
)
async def test_a_token_is_needed_and_any_but_invalid_is_taken(client, header, code):
    url = f"{client.urls['acedatacloud']}/hailuo/videos"
    reply = await client.ask("POST", url, json={}, headers=header)
    assert (reply.status, reply.json["error"]["code"]) == (401, code)


async def test_another_path_is_no_api(client):
    reply = await client.hailuo("images")
    assert (reply.status, reply.json["error"]["code"]) == (404, "no_api")


async def test_a_used_up_balance_refuses_creates(serving):
    async with serving(faults="balance: {acedatacloud: 1}") as client:
        assert (await client.videos()).status == 200
        reply = await client.videos()
        assert (reply.status, reply.json["error"]["code"]) == (403, "used_up")


@pytest.fixture
async def inbox():
    """A place that callbacks are sent to: its URL, and what came."""
    received = asyncio.Queue()

    async def receive(request):
        await received.put(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", received
    await runner.cleanup()


@pytest.mark.parametrize(("do", "success"), [("{latency: 0.2}", True), ("channel_down", False)])
async def test_a_callback_url_gets_the_result_after_the_reply(serving, inbox, do, success):
    url, received = inbox
    async with serving(faults=f"[{{on: task, do: {do}}}]") as client:
        reply = await client.videos(callback_url=url)
        assert reply.json.keys() == {"task_id"}
        result = await asyncio.wait_for(received.get(), 5)
    assert (result["task_id"], result["success"]) == (reply.json["task_id"], success)


@pytest.mark.parametrize("do", ["{cut: 1}", "{status: 500, made: true}"])
async def test_a_create_with_a_callback_has_replied_before_a_fault_can_play(serving, do):
    async with serving(faults=f"[{{on: create, do: {do}}}]") as client:
        reply = await client.videos(callback_url="http://127.0.0.1:9/hook")
        assert reply.json.keys() == {"task_id"}
        # The request lives on until its callback was tried.
        for _ in range(500):
            if client.sandbox.requests:
                break
            await asyncio.sleep(0.01)
        assert client.sandbox.requests[-1].status == 200


async def test_a_callback_never_leaves_this_machine(client):
    reply = await client.videos(callback_url="https://example.com/hook")
    assert reply.json.keys() == {"task_id"}


async def test_a_callback_that_nobody_takes_is_lost(client):
    reply = await client.videos(callback_url="http://127.0.0.1:9/hook")
    task = (await client.hailuo("tasks", id=reply.json["task_id"])).json
    assert task["response"]["success"] is True


async def test_the_table_of_tasks_holds_what_was_paid_for(client):
    await client.videos()
    (task,) = client.sandbox.tasks.all()
    assert (task.provider, task.idempotency_key, task.credits) == ("acedatacloud", None, None)
    assert json.loads(task.body)["prompt"] == "a lamp"
