"""A server of raw bytes on loopback, for replies that no well-behaved server sends."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager


class Wire:
    """What came in, and what is to go out: `reply` is bytes, or a coroutine over the streams."""

    def __init__(self, reply):
        self.reply = reply
        self.connections = 0
        self.requests = []
        self.port = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while head := await self._head(reader):
                length = next(
                    (
                        int(line[15:])
                        for line in head.split(b"\r\n")
                        if line[:15].lower() == b"content-length:"
                    ),
                    0,
                )
                if callable(self.reply):
                    self.requests.append(head)
                    await self.reply(reader, writer)
                    return
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.reply)
                await writer.drain()
                if b"connection: close" in head.lower() or b"Content-Length" not in self.reply:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _head(reader):
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""


@asynccontextmanager
async def wire(reply):
    """A running `Wire` server on its `port`."""
    served = Wire(reply)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()


def http(body=b"{}", status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(writer):
    """Close with a reset instead of an orderly end."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closed_port():
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
