"""AceDataCloud's Hailuo service, as its guide and its clients document it: videos and tasks."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import anyio
from aiohttp import web

from orchestrator.sandbox import wire
from orchestrator.sandbox.desk import TASKS, answer
from orchestrator.sandbox.faults import Subject
from orchestrator.sandbox.replies import Refused
from orchestrator.sandbox.world import WORLD, subject_of, subject_of_create

if TYPE_CHECKING:
    from orchestrator.catalog.spec import Model
    from orchestrator.sandbox.tasks import Task
    from orchestrator.sandbox.world import World

NAME = "acedatacloud"

#: Fields of a create, and of a look at tasks.
CREATE_FIELDS = ("action", "prompt", "model", "first_image_url", "callback_url", "async")
TASK_FIELDS = ("id", "ids", "action")

#: The most ids in one look.
MOST_IDS = 1000

#: What a create without `model` means: the guide's own first example has none.
DEFAULT_MODEL = "minimax-t2v"

#: Hosts that a callback is sent to: the sandbox never leaves this machine.
LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: Seconds that a callback may take.
CALLBACK_TIMEOUT = 10

#: HTTP status of a synchronous create whose task failed, by its code.
FAILED_STATUS = {"forbidden": 403, "bad_request": 400}


async def create(request: web.Request) -> web.StreamResponse:
    """POST /hailuo/videos."""
    body = await request.read()
    return await answer(
        request,
        NAME,
        "create",
        lambda: [subject_of_create(NAME, _lenient(body), None, body)],
        partial(_create, request, body),
    )


async def tasks(request: web.Request) -> web.StreamResponse:
    """POST /hailuo/tasks."""
    world = request.app[WORLD]
    asked = _lenient(await request.read())
    ids = _ids(asked)
    request[TASKS] = tuple(ids)
    found = [t for t in world.tasks.with_ids(NAME, ids) if t.standing(time.time()) != "missing"]

    async def respond() -> web.StreamResponse:
        try:
            batch = _check_look(asked)
        except wire.Wrong as wrong:
            raise wire.refused(wrong, "bad_request") from wrong
        shown = [_task(world, task) for task in found]
        if batch:
            return web.json_response({"items": shown, "count": len(shown)})
        return web.json_response(shown[0] if shown else {})

    return await answer(
        request, NAME, "poll", lambda: [subject_of(t) for t in found] or [Subject(NAME)], respond
    )


async def elsewhere(request: web.Request) -> web.StreamResponse:
    """Any other path."""

    async def respond() -> web.StreamResponse:
        raise Refused(404, "no_api", f"There is no {request.method} {request.path}")

    return await answer(request, NAME, "other", list, respond)


async def _create(request: web.Request, body: bytes) -> web.StreamResponse:
    world = request.app[WORLD]
    try:
        fields = _object(body)
        model = _check(world, fields)
    except wire.Wrong as wrong:
        raise wire.refused(wrong, "bad_request") from wrong
    if not world.affordable(NAME, model.price):
        raise Refused(403, "used_up", "The balance of this service is used up")
    task = world.make(NAME, model, body, fields, None)
    request[TASKS] = (task.id,)
    if fields.get("callback_url") and not task.outcome.sync:
        return await _with_callback(request, world, task, fields["callback_url"])
    if fields.get("async") and not task.outcome.sync:
        return web.json_response(_accepted(task))
    await _ended(task)
    status = 200 if task.outcome.failure is None else _failed_status(task)
    return web.json_response({"task_id": task.id, **_response(world, task)}, status=status)


async def _with_callback(
    request: web.Request, world: World, task: Task, url: str
) -> web.StreamResponse:
    """Reply with the id, then keep this request alive until the callback was sent.

    So the callback has an owner: it ends with the server. The client has its whole reply before.
    """
    reply = web.json_response({"task_id": task.id})
    reply.force_close()
    await reply.prepare(request)
    await reply.write_eof()
    if urlsplit(url).hostname in LOOPBACK:
        await _ended(task)
        await _call_back(url, {"task_id": task.id, **_response(world, task)})
    return reply


async def _call_back(url: str, result: dict[str, Any]) -> None:
    timeout = aiohttp.ClientTimeout(total=CALLBACK_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=result, allow_redirects=False) as reply,
        ):
            await reply.read()
    except (aiohttp.ClientError, TimeoutError):
        # Retries are documented nowhere: a callback that is missed stays missed.
        return


async def _ended(task: Task) -> None:
    """Wait until a task ends by the clock."""
    if task.finishes_at is None:
        await anyio.sleep_forever()
    else:
        await anyio.sleep(max(0.0, task.finishes_at - time.time()))


def _check(world: World, fields: dict[str, Any]) -> Model:
    """The model of a create that is right in every field. Raises Wrong."""
    wire.only_fields(fields, CREATE_FIELDS)
    if fields.get("action") != "generate":
        raise wire.Wrong("action: must be generate")
    name = fields.get("model", DEFAULT_MODEL)
    model = world.model(NAME, name)
    if model is None:
        raise wire.Wrong(f"model: there is no model {name!r}")
    wire.text_field(fields, "prompt", model.prompt_limit)
    if not isinstance(fields.get("async", False), bool):
        raise wire.Wrong("async: must be true or false")
    if "callback_url" in fields and not _is_web_address(fields["callback_url"]):
        raise wire.Wrong("callback_url: must be an http or https URL")
    # The vendor's own client sends an image with the text model unless told otherwise: any model
    # takes the field, the image models need it.
    if "first_image_url" in fields or (model.references and model.references.min_files):
        wire.check_url("first_image_url", fields.get("first_image_url"), world.file)
    return model


def _is_web_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _check_look(asked: dict[str, Any]) -> bool:
    """Whether a look asks for a batch. Raises Wrong."""
    wire.only_fields(asked, TASK_FIELDS)
    action = asked.get("action", "retrieve")
    if action == "retrieve":
        wire.text_field(asked, "id")
        return False
    if action != "retrieve_batch":
        raise wire.Wrong("action: must be retrieve or retrieve_batch")
    ids = asked.get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
        raise wire.Wrong("ids: a list of task ids is required")
    if len(ids) > MOST_IDS:
        raise wire.Wrong(f"ids: at most {MOST_IDS}")
    return True


def _ids(asked: dict[str, Any]) -> list[str]:
    """The ids a look names, as far as they are texts."""
    several = asked.get("ids") if asked.get("action") == "retrieve_batch" else [asked.get("id")]
    return (
        [i for i in several[:MOST_IDS] if isinstance(i, str)] if isinstance(several, list) else []
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wire.Wrong("body: must be JSON") from error
    if not isinstance(loaded, dict):
        raise wire.Wrong("body: must be a JSON object")
    return loaded


def _lenient(body: bytes) -> dict[str, Any]:
    """What rules may look at, also of a request that will be refused."""
    try:
        return _object(body)
    except wire.Wrong:
        return {}


def _trace(task: Task) -> str:
    return str(uuid5(NAMESPACE_URL, task.id))


def _accepted(task: Task) -> dict[str, Any]:
    return {"success": True, "task_id": task.id, "trace_id": _trace(task)}


def _task(world: World, task: Task) -> dict[str, Any]:
    """A task as /hailuo/tasks shows it now. There is no status beside `response`."""
    now = time.time()
    ended = task.finishes_at is not None and now >= task.finishes_at
    standing = world.shown(task, now)
    shown: dict[str, Any] = {
        "id": task.id,
        "type": "videos",
        "created_at": task.created_at,
        "started_at": None if standing == "queued" else task.created_at,
        "finished_at": task.finishes_at if ended else None,
        "elapsed": (task.finishes_at or 0) - task.created_at if ended else None,
        "trace_id": _trace(task),
        "request": task.request,
    }
    if standing != "queued" or task.outcome.hiccup:
        shown["response"] = _response(world, task, standing)
    elif "first_image_url" in task.request or "callback_url" in task.request:
        # Pending is told by a null as well as by nothing. The vendor's SDK would take a URL in
        # `request` for the result of a task without the field.
        shown["response"] = None
    return shown


def _response(world: World, task: Task, standing: str | None = None) -> dict[str, Any]:
    """What a synchronous create replies, a callback carries and a task holds as `response`."""
    standing = standing or world.shown(task, time.time())
    trace = {"trace_id": _trace(task)}
    if standing == "failed":
        fault = {"code": task.outcome.failure, "message": task.outcome.message}
        error = task.outcome.message if task.outcome.bare else fault
        return {"success": False, "error": error, **trace}
    if standing != "succeeded" and task.outcome.hiccup:
        return {"success": False, "error": "temporarily unavailable", **trace}
    urls = world.video_urls(task) if standing == "succeeded" else []
    word = world.word(task, standing)
    data = [_video(task, index, word, url) for index, url in enumerate(urls or [None])]
    return {"success": True, "task_id": task.id, **trace, "data": data}


def _video(task: Task, index: int, word: str, url: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": uuid5(NAMESPACE_URL, f"{task.id}/{index}").hex,
        "model": task.model,
        "prompt": task.prompt,
    }
    if "first_image_url" in task.request:
        shown["first_image_url"] = task.request["first_image_url"]
    if url is not None:
        shown["video_url"] = url
    return {**shown, "state": word}


def _failed_status(task: Task) -> int:
    return FAILED_STATUS.get(task.outcome.failure or "", 500)


def routes(prefix: str) -> list[web.RouteDef]:
    """The API's routes below a prefix."""
    return [
        web.post(f"{prefix}/hailuo/videos", create),
        web.post(f"{prefix}/hailuo/tasks", tasks),
        web.route("*", f"{prefix}/{{path:.*}}", elsewhere),
    ]
