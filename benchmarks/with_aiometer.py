"""The same jobs run by aiometer, so many at once.

`python -m benchmarks.with_aiometer BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiometer

from benchmarks.bare import IN_FLIGHT, one, timed

if TYPE_CHECKING:
    import aiohttp


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""

    async def work(session: aiohttp.ClientSession) -> None:
        async def job(number: int) -> None:
            await one(session, base, number, folder)

        await aiometer.run_on_each(job, range(jobs), max_at_once=IN_FLIGHT)

    return await timed(lambda session: [work(session)])


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))
