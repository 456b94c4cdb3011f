"""A bare loop: the same three requests for each job and one file, and nothing kept.

`python -m benchmarks.bare BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

IN_FLIGHT = 64

#: Sent to the API alone: the store of the videos refuses requests that carry a key.
KEY = {"Authorization": "Bearer bench"}


async def one(session: aiohttp.ClientSession, base: str, number: int, folder: Path) -> None:
    """Create, look until it is done, download."""
    body = {
        "model": "hailuo-pro",
        "prompt": f"Number {number}",
        "params": {"prompt_optimizer": "false"},
    }
    headers = {**KEY, "Idempotency-Key": str(uuid.uuid4())}
    async with session.post(f"{base}/api/v1/generations", json=body, headers=headers) as reply:
        task = (await reply.json())["id"]
    while True:
        async with session.get(f"{base}/api/v1/generations/{task}", headers=KEY) as reply:
            document = await reply.json()
        if document["status"] == "succeeded":
            break
    async with session.get(document["result"]["primary_url"]) as reply:
        data = await reply.read()
    (folder / f"{number}.mp4").write_bytes(data)


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""
    numbers = iter(range(jobs))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            await one(session, base, number, folder)

    return await timed(lambda session: (work(session) for _ in range(IN_FLIGHT)))


async def timed(
    works: Callable[[aiohttp.ClientSession], Iterable[Coroutine[object, object, None]]],
) -> dict[str, float]:
    """Seconds by the clock and of processor time for all of these, at once in one session.

    Raises aiohttp.ClientResponseError where a request is refused.
    """
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), raise_for_status=True
    ) as session:
        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*works(session))
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))
