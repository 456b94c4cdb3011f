"""One video that is fetched from `host` into a run folder, for the tests of the store."""

from __future__ import annotations

import asyncio

from orchestrator.storage.outcomes import Transient
from tests.storage.host import raw

TARGET = "videos/grid/cup.mp4"


async def fetch(storage, host, client, target=TARGET, part_id="task_1", url=None):
    return await storage.fetch(url or host.url, target, part_id=part_id, client=client)


async def fetch_until_stored(storage, host, client, tries=200):
    for _ in range(tries):
        try:
            return await fetch(storage, host, client)
        except Transient:
            continue
    raise AssertionError("never stored")


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


async def appearance(folder, pattern):
    """Wait for a file that another task is about to make."""
    for _ in range(500):
        if any(folder.rglob(pattern)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{pattern} never came")


def stalling(data, waiting):
    """A host that sends the beginning of a large video and no more until `waiting` is set."""

    async def stall(writer):
        writer.write(raw(data, ETag='"v1"')[:2_500_000])
        await writer.drain()
        await waiting.wait()

    return stall
