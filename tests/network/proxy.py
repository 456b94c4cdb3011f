"""A proxy between the product and the sandbox that breaks what passes, where a test says.

It reads requests one at a time, forwards each on a connection of its own and plays one fault on
it. Addresses of the sandbox in JSON replies become the proxy's, so that downloads pass here too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    #: When, on the loop's clock.
    at: float
    raw: bytes

    @property
    def path(self) -> str:
        return self.raw.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def on(self) -> str:
        """`create`, `poll`, `download` or `other`."""
        if self.path.startswith("/cdn/"):
            return "download"
        if self.raw.startswith(b"POST") and self.path.endswith(("/generations", "/hailuo/videos")):
            return "create"
        return "poll" if "/generations/" in self.path or "/tasks" in self.path else "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request; without arguments, nothing.

    `request` and `reply` say after how many bytes, head and body together, the connection ends. A
    request that is cut arrives cut; a reply is only cut once the sandbox has given all of it.
    """

    request: int | None = None
    reply: int | None = None
    #: The connection ends by a reset in place of an orderly end.
    reset: bool = False
    #: Seconds of silence before the reply, and between pieces of its body of so many bytes; the
    #: head comes with the first.
    stall: float = 0.0
    pieces: int | None = None
    every: float = 0.0
    #: What the reply is made into before it is sent.
    edit: Callable[[bytes], bytes] | None = None


FINE = Fault()
Script = Callable[[Asked], "Fault | None"]


def first(on: str, *faults: Fault | None) -> Script:
    """Play these faults on the first requests of a kind, one each."""
    waiting = list(faults)
    return lambda asked: waiting.pop(0) if asked.on == on and waiting else None


def every(on: str, fault: Fault) -> Script:
    """Play a fault on all requests of a kind."""
    return lambda asked: fault if asked.on == on else None


class Proxy:
    """Serves on a port of its own while it is entered; `urls` are the sandbox's by way of it."""

    def __init__(self, urls: Mapping[str, str], script: Script | None = None) -> None:
        self.behind = urls
        self._sandbox = urlsplit(next(iter(urls.values()))).netloc
        self._script = script
        #: 0 until it serves.
        self.port = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        #: How many of the next connections are reset as soon as they are made.
        self.slammed = 0
        self.asked: list[Asked] = []
        #: Bytes of bodies that went back to the product, by kind of request.
        self.passed: Counter[str] = Counter()

    async def __aenter__(self) -> Proxy:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def open(self) -> None:
        """Take connections, always on the same port."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections from now on; those that are open go on."""
        if self._server is not None:
            self._server.close()

    @property
    def urls(self) -> dict[str, str]:
        return {name: url.replace(self._sandbox, self._here) for name, url in self.behind.items()}

    @property
    def _here(self) -> str:
        return f"{HOST}:{self.port}"

    def of(self, on: str) -> list[Asked]:
        """The requests of a kind, in order."""
        return [asked for asked in self.asked if asked.on == on]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            if self.slammed > 0:
                self.slammed -= 1
                _end(writer, reset=True)
                return
            while raw := await _message(reader, b""):
                asked = Asked(asyncio.get_running_loop().time(), raw)
                self.asked.append(asked)
                if not await self._relay(asked, (self._script or _fine)(asked) or FINE, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _relay(self, asked: Asked, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        """Forward a request and its reply as far as the fault lets them; true to go on."""
        whole = fault.request is None or fault.request >= len(asked.raw)
        reply = await self._forwarded(asked.raw[: fault.request], whole=whole)
        if not whole:
            _end(writer, reset=fault.reset)
            return False
        reply = fault.edit(reply) if fault.edit is not None else reply
        await asyncio.sleep(fault.stall)
        if not reply:
            _end(writer, reset=True)
            return False
        sent = reply[: fault.reply]
        body = reply.index(b"\r\n\r\n") + 4
        self.passed[asked.on] += max(0, len(sent) - body)
        starts = range(body, len(sent), fault.pieces or len(sent) or 1)
        for number, (start, end) in enumerate(pairwise([0, *starts[1:], len(sent)])):
            if number:
                await asyncio.sleep(fault.every)
            writer.write(sent[start:end])
            await writer.drain()
        if fault.reply is None and _length(reply) is not None:
            return True
        _end(writer, reset=fault.reset)
        return False

    async def _forwarded(self, raw: bytes, *, whole: bool) -> bytes:
        """The sandbox's reply to a request; nothing where the request does not arrive whole."""
        port = int(self._sandbox.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(raw)
            await writer.drain()
            reply = await _message(reader) if whole else b""
        finally:
            writer.close()
        if b"\r\nContent-Type: application/json" in reply:
            reply = moved(reply, self._sandbox.encode(), self._here.encode())
        return reply


def moved(reply: bytes, old: bytes, new: bytes) -> bytes:
    """A reply with one text in its body in place of another, and the length to go with it."""
    head, _, body = reply.partition(b"\r\n\r\n")
    body = body.replace(old, new)
    head = re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % len(body), head)
    return head + b"\r\n\r\n" + body


def _fine(_asked: Asked) -> Fault | None:
    return None


async def _message(reader: asyncio.StreamReader, unstated: bytes | None = None) -> bytes:
    """One message, head and body; `unstated` is the body where its head states no length.

    Nothing where the connection ends before the head does. None reads on to its end.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = _length(head)
    if length is not None:
        return head + await reader.readexactly(length)
    return head + (await reader.read(-1) if unstated is None else unstated)


def _length(message: bytes) -> int | None:
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", message)
    return int(found[1]) if found else None


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """Close a connection; lingering for zero seconds makes that a reset."""
    if not reset:
        writer.close()
        return
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
