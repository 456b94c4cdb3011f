"""One sync serves everybody who asked before it began, and nobody who asked later."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from orchestrator.storage.folders import FolderSyncs
from tests.engine.virtual import run_virtual

FOLDER = Path("videos")


def test_names_that_come_together_share_syncs_and_each_is_covered_by_a_later_one():
    began = []

    async def work():
        async def sync(_folder):
            began.append(anyio.current_time())
            await anyio.sleep(1)

        async def name(at):
            await anyio.sleep(at)
            await syncs.sync(FOLDER)
            asked_and_done.append((at, anyio.current_time()))

        asked_and_done = []
        syncs = FolderSyncs(sync)
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(name, number * 0.1)
        return asked_and_done

    asked_and_done = run_virtual(work)
    assert len(began) <= 5
    for asked, done in asked_and_done:
        assert any(asked <= start and start + 1 <= done for start in began)


def test_a_sync_that_fails_covers_nobody():
    calls = []

    async def work():
        async def sync(_folder):
            calls.append(1)
            await anyio.lowlevel.checkpoint()
            if len(calls) == 1:
                raise OSError("no")

        syncs = FolderSyncs(sync)
        with pytest.raises(OSError, match="no"):
            await syncs.sync(FOLDER)
        await syncs.sync(FOLDER)

    run_virtual(work)
    assert len(calls) == 2
