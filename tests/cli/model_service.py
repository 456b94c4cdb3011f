"""A Rivya on loopback that tells a list of models, and lists that it may tell."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

KEY = "rvya_sk_very_secret_0815"
HAILUO = {
    "id": "hailuo-pro", "base_credits": 57, "billing_type": "FIXED", "max_prompt_length": 1500,
    "supported_modes": ["text", "image"], "file_kinds": ["image"], "api_status": "available",
}  # fmt: skip
HAPPYHORSE = {
    "id": "happyhorse-1-0", "base_credits": 28, "billing_type": "FIXED", "max_prompt_length": 5000,
    "supported_modes": ["text", "reference"], "file_kinds": ["image", "video"],
    "api_status": "available",
}  # fmt: skip
SORA = {
    "id": "sora-2-pro", "base_credits": 75, "billing_type": "FIXED", "max_prompt_length": 10000,
    "supported_modes": ["text_to_video", "image_to_video"], "file_kinds": ["image"],
    "api_status": "available",
}  # fmt: skip
SAME = {"object": "list", "data": [HAILUO, HAPPYHORSE, SORA]}
#: A list without one model, and with another that is not available.
GONE = {"data": [{**HAPPYHORSE, "api_status": "coming_soon"}, SORA]}

MANIFEST = """\
version: 1
campaign: spring
defaults: {model: hailuo-pro}
jobs:
  - {id: a, prompt: a cup}
  - {id: b, prompt: a jug, takes: 2}
  - id: c
    prompt: a cup
    matrix: {model: [happyhorse-1-0, rivya/sora-2-pro]}
"""


@asynccontextmanager
async def listing(
    monkeypatch: pytest.MonkeyPatch, body: Any, status: int = 200
) -> AsyncIterator[list[web.Request]]:
    """A Rivya on loopback that tells this list; gives the requests that came."""
    came: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        came.append(request)
        if request.path.endswith("/credits"):
            return web.json_response({"current_credits": 5})
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status)

    app = web.Application()
    app.add_routes([web.get("/{path:.*}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("RIVYA_BASE_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield came
    finally:
        await runner.cleanup()


def lines(text: str) -> list[str]:
    """What was printed, without the columns' blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]
