import asyncio
import gzip
import json
import time

import aiohttp
import pytest

from orchestrator.sandbox.actions import GARBAGE
from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.misbehaviour import PAGE
from orchestrator.sandbox.server import Sandbox


def on_create(do):
    return f"[{{on: create, nth: 1, do: {do}}}]"


async def paid(client):
    return len(client.sandbox.tasks.all())


@pytest.mark.parametrize(
    ("status", "rivya", "acedatacloud"),
    [
        (403, "api_scope_denied", "forbidden"),
        (429, "rate_limited", "too_many_requests"),
        (503, "public_api_disabled", "internal_error"),
        (500, "internal_error", "api_error"),
    ],
)
async def test_a_status_comes_in_the_services_own_envelope(serving, status, rivya, acedatacloud):
    async with serving(faults=f"[{{on: create, do: {{status: {status}}}}}]") as client:
        reply = await client.generate()
        assert (reply.status, reply.json["error"]["code"]) == (status, rivya)
        assert reply.json["error"]["requestId"]
        reply = await client.videos()
        assert (reply.status, reply.json["error"]["code"]) == (status, acedatacloud)
        assert reply.json["trace_id"]
        assert await paid(client) == 0


async def test_a_status_can_have_a_code_a_message_and_a_retry_after_of_its_own(serving):
    do = "{status: 429, code: slow_down, message: easy, retry_after: NaN}"
    async with serving(faults=on_create(do)) as client:
        reply = await client.generate()
        assert reply.json["error"] | {"requestId": ""} == {
            "code": "slow_down",
            "message": "easy",
            "requestId": "",
        }
        assert reply.headers["Retry-After"] == "NaN"


async def test_a_status_can_have_any_body(serving):
    async with serving(faults=on_create("{status: 200, body: 'null'}")) as client:
        reply = await client.generate()
        assert (reply.status, reply.body) == (200, b"null")


@pytest.mark.parametrize(("made", "tasks"), [("false", 0), ("true", 1)])
@pytest.mark.parametrize("do", ["status: 500", "redirect: 308", "html: true", "empty: true"])
async def test_a_create_goes_wrong_before_or_after_its_task_was_made(serving, do, made, tasks):
    async with serving(faults=on_create(f"{{{do}, made: {made}}}")) as client:
        first = await client.generate("k")
        assert "task_" not in first.body.decode()
        assert await paid(client) == tasks
        again = await client.generate("k")
        assert again.json["id"].startswith("task_")
        assert await paid(client) == 1


@pytest.mark.parametrize(("made", "tasks"), [("false", 0), ("true", 1)])
async def test_a_reset_ends_the_connection_without_a_reply(serving, made, tasks):
    async with serving(faults=on_create(f"{{reset: true, made: {made}}}")) as client:
        with pytest.raises(aiohttp.ClientOSError):
            await client.generate()
        assert await paid(client) == tasks
        assert client.sandbox.requests[-1].status is None


async def test_a_refused_create_is_refused_before_a_fault_is_played(serving):
    async with serving(faults=on_create("{reset: true, made: true}")) as client:
        assert (await client.generate(prompt="")).status == 400


async def test_a_hang_says_nothing_for_a_while(serving):
    async with serving(faults=on_create("{hang: 0.3}")) as client:
        before = time.monotonic()
        with pytest.raises(aiohttp.ClientOSError):
            await client.generate()
        assert time.monotonic() - before >= 0.3


@pytest.mark.parametrize("do", ["hang", "{slow: 10}"])
async def test_a_sandbox_stops_quietly_in_the_middle_of_a_reply(do, caplog):
    async with aiohttp.ClientSession() as session:

        async def ask(url):
            headers = {"Authorization": "Bearer x"}
            async with session.get(f"{url}/api/v1/credits", headers=headers) as reply:
                return await reply.read()

        async with Sandbox(faults=parse(f"[{{on: balance, do: {do}}}]")) as urls:
            waiting = asyncio.create_task(ask(urls["rivya"]))
            await asyncio.sleep(0.25)
            assert not waiting.done()
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 0.4
        with pytest.raises(aiohttp.ClientError):
            await waiting
    assert caplog.records == []


@pytest.mark.parametrize("at", [0, 1, 100])
async def test_a_cut_reply_ends_after_so_many_bytes(serving, at):
    async with (
        serving(faults=on_create(f"{{cut: {at}}}")) as client,
        client.session.post(
            f"{client.urls['rivya']}/api/v1/generations",
            json={"model": "hailuo-pro", "prompt": "a lamp"},
            headers={"Authorization": "Bearer x"},
        ) as reply,
    ):
        assert int(reply.headers["Content-Length"]) > 100
        assert len(await reply.content.readexactly(at)) == at
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.content.readexactly(1)
        assert await paid(client) == 1


async def test_a_slow_reply_comes_at_its_pace_and_whole(serving):
    async with serving(faults="[{on: balance, do: {slow: 100}}]") as client:
        before = time.monotonic()
        reply = await client.rivya("GET", "/credits")
        assert reply.json == {"current_credits": 1000000}
        assert time.monotonic() - before >= len(reply.body) / 100 * 0.9


async def test_a_redirect_points_where_the_rule_says(serving):
    do = "{redirect: 307, to: 'https://example.com/x'}"
    async with serving(faults=on_create(do)) as client:
        reply = await client.generate()
        assert (reply.status, reply.headers["Location"]) == (307, "https://example.com/x")


async def test_html_and_nothing_come_with_status_200(serving):
    async with serving(faults="[{on: poll, nth: 1, do: html}, {on: poll, do: empty}]") as client:
        html, empty = await client.status("x"), await client.status("x")
        assert (html.status, html.body.decode()) == (200, PAGE)
        assert (empty.status, empty.body) == (200, b"")


async def test_gzip_comes_unasked(serving):
    async with serving(faults="[{on: balance, do: gzip}]") as client:
        reply = await client.rivya("GET", "/credits", headers={"Accept-Encoding": "identity"})
        assert reply.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(reply.body)) == {"current_credits": 1000000}


async def test_a_gzip_bomb_is_small_on_the_wire(serving):
    async with serving(faults="[{on: download, do: {gzip: 10000000}}]") as client:
        task_id = (await client.generate()).json["id"]
        reply = await client.ask("GET", await client.video_url(task_id))
        assert len(reply.body) < 100_000
        assert len(gzip.decompress(reply.body)) == 10_000_000


@pytest.mark.parametrize("kind", [kind for kind in GARBAGE if kind != "endless"])
async def test_garbage_comes_with_status_200_as_json(serving, kind):
    async with serving(faults=f"[{{on: poll, do: {{garbage: {kind}}}}}]") as client:
        reply = await client.status("x")
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("application/json")
        assert reply.body


async def test_garbage_can_be_without_end(serving):
    headers = {"Authorization": "Bearer x"}
    async with (
        serving(faults="[{on: create, do: {garbage: endless}}]") as client,
        client.session.post(f"{client.urls['rivya']}/api/v1/generations", headers=headers) as reply,
    ):
        assert len(await reply.content.readexactly(1_000_000)) == 1_000_000


async def test_uploads_polls_and_downloads_go_wrong_like_creates(serving):
    places = ("upload", "poll", "download", "balance")
    rules = ", ".join(f"{{on: {on}, nth: 1, do: {{status: 502}}}}" for on in places)
    async with serving(faults=f"[{rules}]") as client:
        task_id = (await client.generate()).json["id"]
        assert (await client.status(task_id)).status == 502
        assert (await client.rivya("GET", "/credits")).status == 502
        assert (await client.rivya("POST", "/files")).status == 502
        url = await client.video_url(task_id)
        assert [(await client.ask("GET", url)).status for _ in range(2)] == [502, 200]


async def test_a_fault_is_not_played_on_a_link_that_does_not_hold(serving):
    async with serving(faults="[{on: download, do: {status: 502}}]") as client:
        task_id = (await client.generate()).json["id"]
        url = (await client.video_url(task_id)).split("?")[0]
        assert (await client.ask("GET", url)).status == 403
