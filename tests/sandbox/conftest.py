"""A sandbox and a client that says what it sees on the wire."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.server import Sandbox

KEY = {"Authorization": "Bearer rvya_sk_test"}


@dataclass(frozen=True)
class Reply:
    """A reply as it came over the wire."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """A plain HTTP client with shortcuts for the endpoints."""

    sandbox: Sandbox
    urls: dict[str, str]
    session: aiohttp.ClientSession

    async def ask(self, method: str, url: str, **options: Any) -> Reply:
        options.setdefault("allow_redirects", False)
        async with self.session.request(method, url, **options) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    async def rivya(self, method: str, path: str, **options: Any) -> Reply:
        options["headers"] = {**KEY, **options.get("headers", {})}
        return await self.ask(method, f"{self.urls['rivya']}/api/v1{path}", **options)

    async def generate(self, key: str | None = None, **fields: Any) -> Reply:
        body = {"model": "hailuo-pro", "prompt": "a lamp", **fields}
        headers = {"Idempotency-Key": key} if key else {}
        return await self.rivya("POST", "/generations", json=body, headers=headers)

    async def status(self, task_id: str) -> Reply:
        return await self.rivya("GET", f"/generations/{task_id}")

    async def video_url(self, task_id: str) -> str:
        return (await self.status(task_id)).json["result"]["primary_url"]

    async def hailuo(self, path: str, **body: Any) -> Reply:
        url = f"{self.urls['acedatacloud']}/hailuo/{path}"
        return await self.ask("POST", url, json=body, headers=KEY)

    async def videos(self, **fields: Any) -> Reply:
        body = {"action": "generate", "model": "minimax-t2v", "prompt": "a lamp", **fields}
        return await self.hailuo("videos", **body)


@pytest.fixture
def serving():
    """`async with serving(faults="…", pace=0) as client`."""

    @asynccontextmanager
    async def serve(state=None, *, faults: str = "", **options: Any):
        options.setdefault("pace", 0)
        sandbox = Sandbox(state, faults=parse(faults), **options)
        async with (
            sandbox as urls,
            aiohttp.ClientSession(auto_decompress=False) as session,
        ):
            yield Client(sandbox, dict(urls), session)

    return serve


@pytest.fixture
async def client(serving):
    """A client of a sandbox without faults whose tasks end at once."""
    async with serving() as client:
        yield client
