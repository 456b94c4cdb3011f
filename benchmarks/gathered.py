"""The loop that most people write: everything gathered at once, behind a semaphore.

The same requests and the same file as in `benchmarks.bare`; one task for each job is made at the
beginning. `python -m benchmarks.gathered BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bare import IN_FLIGHT, one, timed

if TYPE_CHECKING:
    import aiohttp


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""
    free = asyncio.Semaphore(IN_FLIGHT)

    async def work(session: aiohttp.ClientSession, number: int) -> None:
        async with free:
            await one(session, base, number, folder)

    return await timed(lambda session: (work(session, number) for number in range(jobs)))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))
