"""The object store that results and uploaded files are read from: no key, signed links, ranges."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.sandbox import media
from orchestrator.sandbox.desk import FAULT, ON, SERVICE, TASKS
from orchestrator.sandbox.misbehaviour import endless, partial_reply, play
from orchestrator.sandbox.replies import Refused, refusal
from orchestrator.sandbox.world import FILES, WORLD, subject_of

if TYPE_CHECKING:
    from orchestrator.sandbox.actions import Fault
    from orchestrator.sandbox.tasks import Task
    from orchestrator.sandbox.world import World

NAME = "cdn"


async def video(request: web.Request) -> web.StreamResponse:
    """GET /cdn/{provider}/{task}/{index}.mp4."""
    request[SERVICE], request[ON] = NAME, "download"
    request[TASKS] = (request.match_info["task"],)
    try:
        _without_key(request)
        return await _video(request)
    except Refused as refused:
        return refusal(NAME, refused)


async def file(request: web.Request) -> web.StreamResponse:
    """GET /cdn/files/{id}/{name}: an uploaded file, whole."""
    request[SERVICE], request[ON] = NAME, "other"
    try:
        _without_key(request)
        return _file(request)
    except Refused as refused:
        return refusal(NAME, refused)


def _without_key(request: web.Request) -> None:
    """An object store knows no API keys: one that arrives here has leaked, which is noted."""
    if "Authorization" in request.headers:
        request.app[WORLD].log.leaks.append(request.path)
        raise Refused(400, "InvalidArgument", "Only one auth mechanism is allowed")


def _file(request: web.Request) -> web.Response:
    found = request.app[WORLD].uploads.with_id(request.match_info["id"])
    if found is None:
        raise Refused(404, "NoSuchKey", "There is no such object")
    return web.Response(body=found.content, content_type=found.mime_type)


async def _video(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    task = world.tasks.with_id(request.match_info["provider"], request.match_info["task"])
    index = int(request.match_info["index"])
    if task is None or index >= task.outcome.urls:
        raise Refused(404, "NoSuchKey", "There is no such object")
    fault = world.script.draw("download", [subject_of(task)])
    if fault is not None:
        request[FAULT] = fault.action
        if fault.action == "expired":
            world.shelf.withdraw(task.id)
        if fault.action == "changed":
            world.shelf.replace(task.id)
    _check_link(request, world, task)
    if fault is None:
        return _object(request, world, task, index)
    if fault.action in _OF_THE_STORE:
        return await _odd(request, fault, world, task, index)

    async def respond() -> web.StreamResponse:
        return _object(request, world, task, index)

    return await play(request, NAME, fault, respond)


def _check_link(request: web.Request, world: World, task: Task) -> None:
    expires, signature = request.query.get("Expires", ""), request.query.get("Signature", "")
    if not expires.isdigit() or not signature:
        raise Refused(403, "AccessDenied", "The link is not signed")
    if not world.shelf.honours(request.path, task.id, expires, signature):
        raise Refused(403, "AccessDenied", "The link has expired")


def _object(
    request: web.Request,
    world: World,
    task: Task,
    index: int,
    *,
    shift: int = 0,
    ranges: bool = True,
    tagged: bool = True,
) -> web.Response:
    """A video, or the range of it that was asked for, moved by `shift` bytes."""
    params = task.request.get("params", {})
    edition = world.shelf.edition(task.id)
    content = media.video(params, task.id, task.prompt, index, edition, least=world.video_bytes)
    tag = media.etag(content)
    headers = {"Accept-Ranges": "bytes"} | ({"ETag": tag} if tagged else {})
    part = _range(request, len(content), tag) if ranges else None
    if part is None:
        return web.Response(body=content, headers=headers, content_type="video/mp4")
    start, stop = part
    start = min(start + shift, stop - 1)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    body = content[start:stop]
    return web.Response(status=206, body=body, headers=headers, content_type="video/mp4")


def _range(request: web.Request, length: int, tag: str) -> tuple[int, int] | None:
    """The one range asked for, None for the whole object. Raises Refused (416)."""
    if "Range" not in request.headers or request.headers.get("If-Range", tag) != tag:
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    start, stop, _ = asked.indices(length)
    if start >= stop:
        raise Refused(416, "InvalidRange", f"The object has {length} bytes")
    return start, stop


async def _odd(
    request: web.Request, fault: Fault, world: World, task: Task, index: int
) -> web.StreamResponse:
    """A reply that only an object store gone wrong gives."""
    read = partial(_object, request, world, task, index)
    if fault.action == "endless":
        return await endless(request, "video/mp4")
    if fault.action == "wrong_range":
        return read(shift=fault.argument or 1)
    if fault.action in ("ignore_range", "no_etag"):
        return read(ranges=fault.action == "no_etag", tagged=fault.action != "no_etag")
    reply = read()
    content = reply.body
    assert isinstance(content, bytes), "videos are kept whole"
    if fault.action == "no_length":
        return await partial_reply(request, reply, content, None)
    if fault.action == "lie":
        told = len(content) + (10 if fault.argument is None else fault.argument)
        return await partial_reply(request, reply, content[:told], max(told, 0))
    whole = read(ranges=False)
    whole.body = media.truncated(content)
    return whole


#: Actions that are played here; `expired` and `changed` change the object and let it be read.
_OF_THE_STORE = frozenset(
    {"endless", "wrong_range", "ignore_range", "no_etag", "no_length", "lie", "truncated"}
)


def routes() -> list[web.RouteDef]:
    """The store's routes."""
    return [
        web.get(f"{FILES}/{{id}}/{{name}}", file),
        web.get(r"/cdn/{provider}/{task}/{index:\d+}.mp4", video),
    ]
