"""Plays a fault on a reply: what a client then sees on its socket."""

from __future__ import annotations

import gzip
import socket
import struct
from typing import TYPE_CHECKING, cast

import anyio
from aiohttp import web

from orchestrator.sandbox.replies import Refused, code_for, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from orchestrator.sandbox.actions import Fault

PAGE = "<!doctype html><html><head><title>Bad gateway</title></head><body>Try later.</body></html>"

#: An endless body comes in pieces of this size, and ends after so many of them after all.
ENDLESS_PIECE, ENDLESS_PIECES = 64 * 1024, 16 * 1024

GARBAGE: Mapping[str, bytes] = {
    "text": b"upstream connect error or disconnect/reset before headers",
    "list": b"[]",
    "nan": b'{"id": NaN, "status": Infinity, "task_id": NaN, "success": NaN}',
    "duplicate": b'{"id": "task_a", "id": "task_b", "task_id": "a", "task_id": "b"}',
    "surrogate": b'{"id": "\\ud800", "status": "\\udfff", "task_id": "\\ud800"}',
    "deep": b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


async def play(
    request: web.Request,
    service: str,
    fault: Fault,
    respond: Callable[[], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Answer a request the way a fault says. `respond` is called where anything is to be made."""
    tampered = _ON_THE_REAL_REPLY.get(fault.action)
    if tampered is not None or fault.made:
        real = await respond()
        # A create with a callback has sent its reply already.
        if real.prepared:
            return real
        if tampered is not None:
            assert isinstance(real, web.Response), "only a reply with a body can be tampered with"
            return await tampered(request, fault, real)
    if fault.action in _INSTEAD:
        return _INSTEAD[fault.action](service, fault)
    if fault.action == "garbage":
        return await _garbage(request, fault)
    if fault.action == "hang":
        await (anyio.sleep_forever() if fault.argument is None else anyio.sleep(fault.argument))
    return reset(request)


def reset(request: web.Request) -> web.StreamResponse:
    """Reset the connection: the client's next read fails."""
    transport = request.transport
    if transport is not None:
        # Zero seconds of lingering make the close a reset instead of an ordinary end.
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def partial_reply(
    request: web.Request, reply: web.Response, body: bytes, length: int | None
) -> web.StreamResponse:
    """Send a reply's head with a chosen length (None: none), some body, and end the connection."""
    stream = web.StreamResponse(status=reply.status, headers=_headers(reply))
    stream.force_close()
    if length is not None:
        stream.content_length = length
    await stream.prepare(request)
    await stream.write(body)
    if length is None:
        await stream.write_eof()
    elif request.transport is not None:
        request.transport.close()
    return stream


async def endless(request: web.Request, content_type: str) -> web.StreamResponse:
    """A body that goes on for a gigabyte: no client reads it to the end."""
    stream = web.StreamResponse(headers={"Content-Type": content_type})
    stream.force_close()
    await stream.prepare(request)
    for _ in range(ENDLESS_PIECES):
        await stream.write(b" " * ENDLESS_PIECE)
    return stream


def _headers(reply: web.Response) -> dict[str, str]:
    return {k: v for k, v in reply.headers.items() if k not in ("Content-Length", "Connection")}


def _body(reply: web.Response) -> bytes:
    assert isinstance(reply.body, bytes), "the services make their bodies whole"
    return reply.body


async def _cut(request: web.Request, fault: Fault, real: web.Response) -> web.StreamResponse:
    body = _body(real)
    at = len(body) // 2 if fault.argument is None else fault.argument
    return await partial_reply(request, real, body[:at], len(body))


async def _slow(request: web.Request, fault: Fault, real: web.Response) -> web.StreamResponse:
    body = _body(real)
    stream = web.StreamResponse(status=real.status, headers=_headers(real))
    stream.content_length = len(body)
    await stream.prepare(request)
    a_second = fault.argument or 100
    step = max(1, a_second // 10)
    for start in range(0, len(body), step):
        await anyio.sleep(step / a_second)
        await stream.write(body[start : start + step])
    return stream


async def _gzip(request: web.Request, fault: Fault, real: web.Response) -> web.StreamResponse:
    del request
    body = _body(real) if fault.argument is None else bytes(fault.argument)
    headers = _headers(real) | {"Content-Encoding": "gzip"}
    return web.Response(status=real.status, headers=headers, body=gzip.compress(body, 6))


async def _garbage(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.argument == "endless":
        return await endless(request, "application/json")
    return web.Response(body=GARBAGE[fault.argument or "text"], content_type="application/json")


def _status(service: str, fault: Fault) -> web.StreamResponse:
    options = fault.options
    code = options.get("code") or code_for(service, fault.argument)
    message = options.get("message", "The sandbox plays this fault")
    reply = refusal(service, Refused(fault.argument, code, message, options.get("retry_after")))
    if "body" in options:
        reply.text = options["body"]
    return reply


def _redirect(service: str, fault: Fault) -> web.StreamResponse:
    target = fault.options.get("to", f"/{service}/elsewhere")
    return web.Response(status=fault.argument or 307, headers={"Location": target})


def _html(service: str, fault: Fault) -> web.StreamResponse:
    del service, fault
    return web.Response(text=PAGE, content_type="text/html")


def _empty(service: str, fault: Fault) -> web.StreamResponse:
    del fault
    kind = "video/mp4" if service == "cdn" else "application/json"
    return web.Response(body=b"", content_type=kind)


_ON_THE_REAL_REPLY = {"cut": _cut, "slow": _slow, "gzip": _gzip}
_INSTEAD = {"status": _status, "redirect": _redirect, "html": _html, "empty": _empty}
