import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.errors import UsageError
from orchestrator.sandbox.server import Sandbox, serve

SERVER = """
import asyncio, json, sys
from pathlib import Path
from orchestrator.sandbox.server import serve

def announce(urls):
    print(json.dumps(dict(urls)), flush=True)

asyncio.run(serve(announce, state=Path(sys.argv[1])))
"""


async def test_both_providers_are_on_loopback():
    async with Sandbox() as urls:
        assert list(urls) == ["rivya", "acedatacloud"]
        assert all(url.startswith("http://127.0.0.1:") for url in urls.values())


async def test_a_port_that_is_taken_is_named():
    async with Sandbox() as urls:
        port = int(urls["rivya"].split(":")[2].split("/")[0])
        with pytest.raises(UsageError, match=str(port)):
            async with Sandbox(port=port):
                pass


async def test_a_port_that_does_not_exist_is_named():
    with pytest.raises(UsageError, match="70000"):
        async with Sandbox(port=70000):
            pass


async def test_a_port_that_is_asked_for_is_used(unused_tcp_port):
    async with Sandbox(port=unused_tcp_port) as urls:
        assert f":{unused_tcp_port}/" in urls["rivya"]


async def test_serve_announces_once_and_serves_until_it_is_cancelled(tmp_path):
    announced = asyncio.Queue()
    faults = tmp_path / "faults.yaml"
    faults.write_text("pace: 0")
    serving = asyncio.create_task(serve(announced.put_nowait, faults=faults))
    urls = await asyncio.wait_for(announced.get(), 10)
    assert urls.keys() == {"rivya", "acedatacloud"}
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert announced.empty()


async def test_serve_refuses_a_wrong_faults_file(tmp_path):
    faults = tmp_path / "faults.yaml"
    faults.write_text("fault: []")
    with pytest.raises(UsageError, match=r"faults\.yaml"):
        await serve(lambda urls: None, faults=faults)


async def test_the_file_states_the_pace_and_the_caller_goes_before_it(serving):
    for faults, pace, ended in [("pace: 0", None, True), ("pace: 0", 100, False)]:
        async with serving(faults=faults, pace=pace) as client:
            await client.generate()
            (task,) = client.sandbox.tasks.all()
            assert (task.standing(time.time()) == "succeeded") is ended


async def test_every_request_is_in_the_log(client):
    task_id = (await client.generate()).json["id"]
    await client.ask("GET", await client.video_url(task_id))
    await client.hailuo("tasks", id=task_id)
    seen = [(r.service, r.on, r.method, r.status, r.tasks) for r in client.sandbox.requests]
    assert seen == [
        ("rivya", "create", "POST", 201, (task_id,)),
        ("rivya", "poll", "GET", 200, (task_id,)),
        ("cdn", "download", "GET", 200, (task_id,)),
        ("acedatacloud", "poll", "POST", 200, (task_id,)),
    ]
    times = [r.at for r in client.sandbox.requests]
    assert times == sorted(times)


async def test_the_log_names_the_fault_that_was_played(serving):
    async with serving(faults="[{on: poll, do: html}]") as client:
        await client.status("x")
        assert client.sandbox.requests[-1].fault == "html"


async def test_a_path_outside_is_404(client):
    origin = client.urls["rivya"].removesuffix("/rivya")
    assert (await client.ask("GET", f"{origin}/elsewhere")).status == 404
    assert client.sandbox.requests[-1].status == 404


async def test_tasks_and_links_go_on_in_the_next_sandbox(serving, tmp_path):
    async with serving(tmp_path) as client:
        task_id = (await client.generate("k")).json["id"]
    async with serving(tmp_path) as client:
        url = await client.video_url(task_id)
        assert url.startswith(client.urls["rivya"].removesuffix("/rivya"))
        assert (await client.ask("GET", url)).status == 200
        assert (await client.generate("k")).json["id"] == task_id


async def test_without_a_state_nothing_is_kept(serving):
    async with serving() as client:
        task_id = (await client.generate()).json["id"]
    async with serving() as client:
        assert (await client.status(task_id)).status == 404


def started(state):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(state)], stdout=subprocess.PIPE, text=True
    )
    return process, json.loads(process.stdout.readline())


async def test_a_task_survives_kill_9_right_after_its_reply(serving, tmp_path):
    process, urls = started(tmp_path)
    try:
        async with serving() as client:
            client.urls.update(urls)
            task_ids = {(await client.generate()).json["id"] for _ in range(20)}
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    async with serving(tmp_path) as client:
        assert {task.id for task in client.sandbox.tasks.all()} == task_ids


async def test_a_sandbox_whose_disk_is_full_says_so_and_prints_no_traceback(
    serving, tmp_path, caplog
):
    async with serving(tmp_path) as client:
        connection = client.sandbox.tasks._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        replies = [await client.generate(prompt="a lamp " * 200) for _ in range(20)]
        reply = next(reply for reply in replies if reply.status != 201)
        assert reply.status == 500
        assert reply.json["error"]["message"] == (
            "The sandbox cannot keep its tasks: database or disk is full"
        )
    assert caplog.text == ""
