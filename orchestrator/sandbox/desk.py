"""The way of every request: who asks, may they now, does a fault play, what is the answer."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.sandbox.log import Request
from orchestrator.sandbox.misbehaviour import play
from orchestrator.sandbox.replies import Refused, code_for, refusal
from orchestrator.sandbox.world import WORLD

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp.typedefs import Handler

    from orchestrator.sandbox.faults import Subject

#: The one key that no service accepts.
INVALID_KEY = "invalid"

#: How each service refuses a request without a key, and with a wrong one.
NO_KEY = {"rivya": "api_key_missing", "acedatacloud": "no_token"}
WRONG_KEY = {"rivya": "api_key_invalid", "acedatacloud": "invalid_token"}

SERVICE: web.RequestKey[str] = web.RequestKey("service", str)
ON: web.RequestKey[str] = web.RequestKey("on", str)
TASKS: web.RequestKey[tuple[str, ...]] = web.RequestKey("tasks", tuple)
FAULT: web.RequestKey[str] = web.RequestKey("fault", str)


def authorise(request: web.Request, service: str) -> None:
    """Accept any bearer key but `invalid`. Raises Refused (401)."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refused(401, NO_KEY[service], "An Authorization header with a bearer key is required")
    if key.strip() == INVALID_KEY:
        raise Refused(401, WRONG_KEY[service], "The key is not valid")


async def answer(
    request: web.Request,
    service: str,
    on: str,
    subjects: Callable[[], Sequence[Subject]],
    respond: Callable[[], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Answer a request of an API: the key, the limits, a fault, then `respond`.

    `subjects` tells what rules may look at; it is asked only where a rule watches this place.
    """
    world = request.app[WORLD]
    request[SERVICE], request[ON] = service, on
    try:
        authorise(request, service)
        world.limits.admit(service, on, lambda: world.tasks.open(service, time.time()))
        fault = world.script.draw(on, subjects()) if world.script.watches(on) else None
        if fault is None:
            return await respond()
        request[FAULT] = fault.action
        return await play(request, service, fault, respond)
    except Refused as refused:
        return refusal(service, refused)


@web.middleware
async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note every request in the log, also one that ended in a cut connection."""
    world = request.app[WORLD]
    task = asyncio.current_task()
    assert task is not None, "a request is answered in a task"
    world.answering.add(task)
    at = time.monotonic()
    status: int | None = None
    try:
        reply = await handler(request)
        broken = request.transport is None or request.transport.is_closing()
        status = None if broken and not reply.prepared else reply.status
    except web.HTTPException as error:
        status = error.status
        raise
    except sqlite3.Error as error:
        # Nothing was made, and whoever asks is told why; the server would print a traceback.
        service, status = request.get(SERVICE, "none"), 500
        message = f"The sandbox cannot keep its tasks: {error}"
        return refusal(service, Refused(status, code_for(service, status), message))
    else:
        return reply
    finally:
        world.answering.discard(task)
        world.log.requests.append(
            Request(
                at=at,
                method=request.method,
                path=request.path,
                service=request.get(SERVICE, "none"),
                on=request.get(ON, "other"),
                tasks=request.get(TASKS, ()),
                status=status,
                fault=request.get(FAULT),
            )
        )
