"""A loop that keeps what the engine keeps, and decides nothing: the least that durability costs.

The same requests as in `benchmarks.bare`; five durable events a job in SQLite, each waited for
before the next request, and each video hashed, checked, synced and named, with a sidecar beside
it. What is gathered in one turn of the loop is written together, as the engine does it. Nothing
fails, nothing is repeated and nothing can go on after a crash: it is no program to use.
`python -m benchmarks.keeping BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import queue
import sqlite3
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from benchmarks.bare import IN_FLIGHT, KEY, timed
from orchestrator.storage.media import inspect_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import aiohttp


class Together:
    """Has one thread write what comes, all that waits at once, and wakes the loop once for it."""

    def __init__(self, write: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._gathered: list[tuple[Any, asyncio.Future[Any]]] = []
        self._queue: queue.SimpleQueue[list[tuple[Any, asyncio.Future[Any]]]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def put(self, item: object) -> asyncio.Future[Any]:
        """Have it written; the future ends when it is durable."""
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((item, self._loop.create_future()))
        return self._gathered[-1][1]

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    def _serve(self) -> None:
        while True:
            batch = self._queue.get()
            while not self._queue.empty():
                batch += self._queue.get()
            results = self._write([item for item, _ in batch])
            self._loop.call_soon_threadsafe(_answer, batch, results)


def _answer(batch: Sequence[tuple[Any, asyncio.Future[Any]]], results: Sequence[Any]) -> None:
    for (_, waiter), result in zip(batch, results, strict=True):
        waiter.set_result(result)


def ledger(path: Path) -> Together:
    """Events and how each job stands, in one transaction for all that waits."""
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA synchronous = full")
    database.execute("CREATE TABLE jobs (row INTEGER PRIMARY KEY, state TEXT)")
    database.execute(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, at REAL, row INT, kind TEXT, data TEXT)"
    )

    def write(steps: Sequence[Sequence[tuple[float, int, str, str]]]) -> Sequence[None]:
        events = [event for step in steps for event in step]
        standing = [(row, kind) for _, row, kind, _ in events]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO events (at, row, kind, data) VALUES (?, ?, ?, ?)", events)
        database.executemany("INSERT OR REPLACE INTO jobs VALUES (?, ?)", standing)
        database.execute("COMMIT")
        return [None] * len(steps)

    return Together(write)


class Video(NamedTuple):
    """What came of one job, on its way to disk."""

    number: int
    data: bytes
    #: What is written beside it.
    about: dict[str, str]


def disk(folder: Path) -> Together:
    """Videos: all that wait are written, then synced, then named; their hashes."""

    def write(videos: Sequence[Video]) -> Sequence[str]:
        hashes, files = [], []
        for video in videos:
            inspect_stream(io.BytesIO(video.data), len(video.data))
            hashes.append(hashlib.sha256(video.data).hexdigest())
            files.append(_written(f"{folder}/{video.number}.part", video.data))
        for file in files:
            os.fsync(file)
            os.close(file)
        for video, digest in zip(videos, hashes, strict=True):
            os.rename(f"{folder}/{video.number}.part", f"{folder}/{video.number}.mp4")  # noqa: PTH104
            text = orjson.dumps({**video.about, "sha256": digest})
            os.close(_written(f"{folder}/{video.number}.json", text))
        names = os.open(folder, os.O_RDONLY)
        os.fsync(names)
        os.close(names)
        return hashes

    return Together(write)


def _written(path: str, data: bytes) -> int:
    """A new file with this in it, still open."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(file, data)
    return file


async def _one(
    session: aiohttp.ClientSession, base: str, number: int, events: Together, videos: Together
) -> None:
    prompt = f"Number {number}"
    body = {"model": "hailuo-pro", "prompt": prompt, "params": {"prompt_optimizer": "false"}}
    sent = orjson.dumps(body)
    headers = {
        **KEY, "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4()),
    }  # fmt: skip
    await events.put([(time.time(), number, "intent", sent.decode())])
    url = f"{base}/api/v1/generations"
    async with session.post(url, data=sent, headers=headers) as reply:
        answer = await reply.read()
    task = orjson.loads(answer)["id"]
    accepted = (time.time(), number, "accepted", task)
    await events.put([(time.time(), number, "reply", answer.decode()), accepted])
    while True:
        async with session.get(f"{url}/{task}", headers=KEY) as reply:
            document = orjson.loads(await reply.read())
        if document["status"] == "succeeded":
            break
    video = document["result"]["primary_url"]
    await events.put([(time.time(), number, "generated", video)])
    async with session.get(video) as reply:
        data = await reply.read()
    digest = await videos.put(Video(number, data, {"prompt": prompt, "task_id": task}))
    await events.put([(time.time(), number, "stored", digest)])


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""
    numbers = iter(range(jobs))
    events, videos = ledger(folder / "ledger.sqlite"), disk(folder)

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            await _one(session, base, number, events, videos)

    return await timed(lambda session: (work(session) for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))
