"""A result's host on loopback that knows ranges, and can be told to misbehave."""

from __future__ import annotations

import asyncio
import re


class Host:
    """Serves `data` under any path; `cuts` and `script` make single replies fail."""

    def __init__(self, data=b"", etag='"v1"'):
        self.data = data
        self.etag = etag
        #: For each request in turn, after how many bytes of the body it is cut off.
        self.cuts = []
        #: For each request in turn, a reply as raw bytes, or None for an honest one.
        self.script = []
        self.requests = []
        self.connections = 0
        self.body_bytes = 0
        self._server = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/out/video.mp4?sig=a%2Fb"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    def ranges(self):
        return [headers.get("range") for headers in self.requests]

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            self.requests.append({"": lines[0], **headers})
            answer = self.script.pop(0) if self.script else None
            if callable(answer):
                await answer(writer)
            elif answer is not None:
                writer.write(answer)
            else:
                await self._honest(writer, headers)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _honest(self, writer, headers):
        start, status, more = 0, "200 OK", ""
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if asked and headers.get("if-range") == self.etag:
            start, total = int(asked[1]), len(self.data)
            status, more = (
                "206 Partial Content",
                f"Content-Range: bytes {start}-{total - 1}/{total}\r\n",
            )
        body = self.data[start:]
        etag = f"ETag: {self.etag}\r\n" if self.etag else ""
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{etag}{more}"
            "Connection: close\r\n\r\n".encode()
        )
        cut = self.cuts.pop(0) if self.cuts else None
        sent = body if cut is None else body[:cut]
        self.body_bytes += len(sent)
        writer.write(sent)


def raw(body=b"", status="200 OK", length=True, **headers):
    """A reply of raw bytes; `length` is its Content-Length, True for the real one."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length is True else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
