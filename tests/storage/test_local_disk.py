"""A disk that is full, fails, or loses a folder."""

from __future__ import annotations

import asyncio
import gc
import resource

import pytest

from orchestrator.errors import DiskError
from orchestrator.storage.outcomes import NoRoom, Taken
from tests.storage.fetched import TARGET, fetch, fetch_until_stored, files, stalling


async def test_a_full_disk_keeps_the_part_and_the_download_goes_on_later(
    storage, host, client, run_folder, large
):
    host.data = large
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(NoRoom, match="Make room"):
            await fetch(storage, host, client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
    assert host.ranges()[1] is not None


async def test_a_disk_without_room_for_a_small_video_leaves_nothing_behind(
    storage, host, client, run_folder
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(NoRoom):
            await fetch(storage, host, client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(run_folder) == []


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_failed_sync_ends_the_try_and_its_bytes_are_not_trusted_again(
    name, request, storage, host, client, run_folder, monkeypatch
):
    host.data = request.getfixturevalue(name)
    await storage.fetch(host.url, "videos/grid/warm.mp4", part_id="warm", client=client)

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(DiskError, match="Input/output"):
            await fetch(storage, host, client)
    assert not (run_folder / TARGET).exists()
    await fetch(storage, host, client)
    assert host.ranges() == [None, None, None]


async def test_a_whole_part_whose_sync_failed_is_fetched_again(
    storage, host, client, run_folder, monkeypatch
):
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(b"mine")
    with pytest.raises(Taken):
        await fetch(storage, host, client)

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(DiskError):
            await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    assert host.connections == 2


async def test_a_folder_that_vanished_is_a_disk_error(storage, host, client, run_folder):
    stored = await fetch(storage, host, client)
    storage.settle(stored)
    await storage.sweep()
    (run_folder / TARGET).unlink()
    (run_folder / TARGET).parent.rmdir()
    with pytest.raises(DiskError):
        await fetch(storage, host, client)


@pytest.mark.parametrize("moment", range(12))
async def test_a_cancelled_download_leaves_no_open_file_and_goes_on_later(
    moment, storage, host, client, run_folder, large
):
    waiting = asyncio.Event()
    host.data, host.script = large, [stalling(large, waiting)]
    task = asyncio.create_task(fetch(storage, host, client))
    # At each of these moments the download is at another place: connecting, opening, writing.
    await asyncio.sleep(moment * 0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting.set()
    gc.collect()
    await fetch_until_stored(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
