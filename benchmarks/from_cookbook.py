"""The pattern of the OpenAI cookbook's parallel request processor, on the same jobs.

Written by its description: one loop takes one request a turn from a file, or one that is to be
tried again, starts it as a task where the bucket of requests per minute allows, and sleeps for
1 ms. Each result becomes a line of a JSONL file. Nothing bounds how many are in flight.
`python -m benchmarks.from_cookbook BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from benchmarks.bare import one, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As many creates as the engine may make in this comparison.
REQUESTS_PER_MINUTE = 1_000_000.0
SECONDS_TO_SLEEP_EACH_LOOP = 0.001
ATTEMPTS = 5


@dataclass(slots=True)
class Bucket:
    """How many requests may go out: full at first, filled up by the time that passes."""

    level: float = REQUESTS_PER_MINUTE
    filled_at: float = field(default_factory=time.time)

    def fill(self) -> None:
        """Add what the time since the last filling allows."""
        now = time.time()
        added = REQUESTS_PER_MINUTE * (now - self.filled_at) / 60
        self.level = min(self.level + added, REQUESTS_PER_MINUTE)
        self.filled_at = now

    def take(self) -> bool:
        """Take one request out, where there is one."""
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass(slots=True)
class Asked:
    """One line of the file of requests."""

    number: int
    attempts_left: int = ATTEMPTS


@dataclass(slots=True)
class Processor:
    """The loop and what it keeps."""

    session: aiohttp.ClientSession
    base: str
    folder: Path
    running: set[asyncio.Task[None]] = field(default_factory=set)
    again: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)

    async def process(self, requests: Iterator[str]) -> None:
        """Start one request a turn until all have ended."""
        bucket, asked = Bucket(), self.next(requests)
        while asked is not None or self.running:
            bucket.fill()
            if asked is not None and bucket.take():
                asked.attempts_left -= 1
                task = asyncio.create_task(self.call(asked))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
                asked = None
            await asyncio.sleep(SECONDS_TO_SLEEP_EACH_LOOP)
            asked = asked or self.next(requests)

    def next(self, requests: Iterator[str]) -> Asked | None:
        """What is to be tried again, else the next line of the file."""
        if not self.again.empty():
            return self.again.get_nowait()
        line = next(requests, None)
        return None if line is None else Asked(json.loads(line)["number"])

    async def call(self, asked: Asked) -> None:
        """Do one job and append its result; put it back where it fails."""
        try:
            await one(self.session, self.base, asked.number, self.folder)
        except (aiohttp.ClientError, KeyError):
            if not asked.attempts_left:
                raise
            self.again.put_nowait(asked)
            return
        with (self.folder / "results.jsonl").open("a") as results:
            results.write(json.dumps([{"number": asked.number}, {"status": "succeeded"}]) + "\n")


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""
    path = folder / "requests.jsonl"
    path.write_text("".join(json.dumps({"number": number}) + "\n" for number in range(jobs)))
    with path.open() as requests:
        taken = await timed(lambda session: [Processor(session, base, folder).process(requests)])
    written = (folder / "results.jsonl").read_text().count("\n")
    assert written == jobs, f"{written} of {jobs} jobs have a result"
    return taken


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))
