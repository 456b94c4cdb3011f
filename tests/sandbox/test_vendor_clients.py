"""The vendors' own clients work against the sandbox.

`test_the_requests_of_…` replay, byte for byte, what AceDataCloud's command line (hailuo-cli
2026.10.12.0) and Python SDK (acedatacloud 2026.10.20.0) send. The other tests run those clients
where they are installed.
"""

import asyncio
import importlib.util
import json
import os
import sys

import pytest

CLI_HEADERS = {
    "accept": "application/json",
    "authorization": "Bearer tok",
    "content-type": "application/json",
}
SDK_HEADERS = {**CLI_HEADERS, "user-agent": "acedatacloud-python/0.1.0"}


async def post(client, path, body, headers=CLI_HEADERS):
    url = f"{client.urls['acedatacloud']}{path}"
    return await client.ask("POST", url, data=body.encode(), headers=headers)


async def test_the_requests_of_the_command_line(client):
    """`hailuo generate`, `generate --async`, `image-to-video`, `task`, `tasks`, `wait`."""
    body = '{"action":"generate","model":"minimax-t2v","prompt":"a dolphin","async":false}'
    waited = (await post(client, "/hailuo/videos", body)).json
    assert waited["data"][0]["state"] == "succeeded"
    body = '{"action":"generate","model":"minimax-t2v","prompt":"a dolphin","async":true}'
    task_id = (await post(client, "/hailuo/videos", body)).json["task_id"]
    # `image-to-video` names the text model unless it is told another one.
    body = (
        '{"action":"generate","model":"minimax-t2v","prompt":"Animate this",'
        '"first_image_url":"https://example.com/photo.jpg","async":true}'
    )
    assert (await post(client, "/hailuo/videos", body)).status == 200
    one = await post(client, "/hailuo/tasks", f'{{"id":"{task_id}","action":"retrieve"}}')
    assert one.json["id"] == task_id
    body = f'{{"ids":["{task_id}","nix"],"action":"retrieve_batch"}}'
    several = await post(client, "/hailuo/tasks", body)
    assert [item["id"] for item in several.json["items"]] == [task_id]


async def test_a_task_has_nothing_that_the_command_lines_wait_would_recognise(client):
    """`hailuo wait` reads `task`, `status`, `content` and `error` beside the id: none exists."""
    body = '{"action":"generate","model":"minimax-t2v","prompt":"a dolphin","async":true}'
    task_id = (await post(client, "/hailuo/videos", body)).json["task_id"]
    task = await post(client, "/hailuo/tasks", f'{{"id":"{task_id}","action":"retrieve"}}')
    assert task.json["response"]["success"] is True
    assert not {"task", "status", "content", "error"} & task.json.keys()


async def test_the_requests_of_the_sdk(client):
    """`client.hailuo.generate(…)`, then `handle.get()`."""
    body = '{"action":"generate","model":"minimax-t2v","prompt":"a dolphin","async":true}'
    created = await post(client, "/hailuo/videos", body, SDK_HEADERS)
    assert created.json.keys() == {"success", "task_id", "trace_id"}
    body = f'{{"id":"{created.json["task_id"]}","action":"retrieve"}}'
    done = await post(client, "/hailuo/tasks", body, SDK_HEADERS)
    assert done.json["response"]["data"][0]["video_url"]


@pytest.mark.parametrize("pending", [True, False])
async def test_the_sdk_cannot_mistake_the_image_of_a_pending_task_for_its_result(serving, pending):
    """It takes any URL in a task without `response` for the result, also one in `request`."""
    faults = "[{on: task, do: {latency: 60}}]" if pending else ""
    async with serving(faults=faults) as client:
        created = await client.videos(
            model="minimax-i2v", first_image_url="https://example.com/a.jpg", **{"async": True}
        )
        task = (await client.hailuo("tasks", id=created.json["task_id"])).json
        assert "response" in task
        assert (task["response"] is None) is pending


def needs(module):
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed: pip install {module}")


async def run(client, *arguments, **environment):
    """Run Python with these arguments and return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={
            **os.environ,
            "ACEDATACLOUD_API_TOKEN": "tok",
            "ACEDATACLOUD_API_BASE_URL": client.urls["acedatacloud"],
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@needs("hailuo_cli")
async def test_the_command_line_itself(client):
    async def hailuo(*arguments, **environment):
        # The width keeps the client from breaking its JSON into lines of 80 columns.
        return await run(client, "-m", "hailuo_cli", *arguments, COLUMNS="1000", **environment)

    code, output = await hailuo("generate", "a dolphin", "--json")
    assert (code, json.loads(output)["data"][0]["state"]) == (0, "succeeded")
    code, output = await hailuo("generate", "a dolphin", "--async", "--json")
    task_id = json.loads(output)["task_id"]
    assert json.loads((await hailuo("task", task_id, "--json"))[1])["response"]["success"] is True
    assert task_id in (await hailuo("tasks", task_id))[1]
    arguments = ("image-to-video", "wind", "--image-url", "https://example.com/a.jpg")
    assert (await hailuo(*arguments))[0] == 0
    code, output = await hailuo("generate", "x", ACEDATACLOUD_API_TOKEN="invalid")
    assert (code, "Invalid API token" in output) == (1, True)
    code, output = await hailuo("wait", task_id, "--interval", "1", "--timeout", "1")
    assert (code, "did not complete" in output) == (1, True)


SDK_SCRIPT = """
import os
from acedatacloud import AceDataCloud
client = AceDataCloud(base_url=os.environ["ACEDATACLOUD_API_BASE_URL"])
text = client.hailuo.generate(action="generate", model="minimax-t2v", prompt="a dolphin")
text.wait(poll_interval=0.1, max_wait=20)
image = client.hailuo.generate(
    action="generate", model="minimax-i2v", prompt="wind",
    first_image_url="https://example.com/a.jpg",
)
image.wait(poll_interval=0.1, max_wait=20)
at_once = client.hailuo.generate(action="generate", prompt="a dolphin", async_=False)
print(text.urls()[-1], image.urls()[-1], at_once.urls()[-1], sep="\\n")
"""


@needs("acedatacloud")
async def test_the_sdk_itself(serving):
    async with serving(pace=0.1) as client:
        code, output = await run(client, "-c", SDK_SCRIPT)
        assert code == 0, output
        for url in output.split():
            assert (await client.ask("GET", url)).body[4:8] == b"ftyp"
