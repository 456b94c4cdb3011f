"""Work that comes together is done together, and names are durable before anybody is told."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.storage import disk as disk_module
from orchestrator.storage import paths
from orchestrator.storage.disk import HANDS, TOGETHER, Disk


@pytest.fixture
def syncs(monkeypatch):
    """What was synced, in order, with what had been done by then."""
    seen = []

    def sync(folder):
        seen.append((folder, tuple(seen_works)))

    seen_works = []
    monkeypatch.setattr(disk_module, "sync_folder", sync)
    return seen, seen_works


async def test_what_one_turn_brings_is_done_by_few_hands_and_synced_once_each(syncs):
    seen, works = syncs
    disk = Disk()
    folder = Path("videos")

    def work(number):
        works.append(number)
        return number * 2

    done = await asyncio.gather(*(disk.do(work, number, names=folder) for number in range(40)))
    assert done == [number * 2 for number in range(40)]
    assert sorted(works) == list(range(40))
    assert 1 <= len(seen) <= HANDS


async def test_a_name_is_durable_before_its_giver_is_told(syncs):
    seen, works = syncs
    disk = Disk()
    await disk.do(works.append, "given", names=Path("videos"))
    assert seen == [(Path("videos"), ("given",))]


async def test_what_gives_no_name_syncs_nothing(syncs):
    seen, _ = syncs
    await Disk().do(int)
    assert seen == []


async def test_a_piece_that_fails_fails_alone():
    disk = Disk()

    def fail():
        raise OSError("no")

    outcomes = await asyncio.gather(
        *(disk.do(fail if number == 3 else int) for number in range(20)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [
        OSError if number == 3 else int for number in range(20)
    ]


async def test_a_sync_that_fails_covers_nobody_and_is_not_asked_again(monkeypatch):
    asked = []

    def sync(folder):
        asked.append(folder)
        raise OSError("no")

    monkeypatch.setattr(disk_module, "sync_folder", sync)
    disk = Disk()
    outcomes = await asyncio.gather(
        disk.do(int, names=Path("a")), disk.do(int), return_exceptions=True
    )
    assert isinstance(outcomes[0], OSError)
    assert outcomes[1] == 0
    assert asked == [Path("a")]


async def test_no_more_hands_than_there_are_and_what_waits_is_taken_up():
    disk = Disk()
    began, gate = threading.Event(), threading.Event()
    most, now = [0], [0]
    lock = threading.Lock()

    def work():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        began.set()
        gate.wait(10)
        with lock:
            now[0] -= 1

    async def later():
        await asyncio.sleep(0)
        return await disk.do(work)

    waiting = [asyncio.ensure_future(later()) for _ in range(HANDS * 3)]
    await asyncio.to_thread(began.wait, 10)
    gate.set()
    await asyncio.gather(*waiting)
    assert 1 <= most[0] <= HANDS


async def test_who_stopped_waiting_before_it_began_is_passed_over():
    disk = Disk()
    ran = []
    task = asyncio.ensure_future(disk.do(ran.append, "cancelled"))
    await asyncio.sleep(0)
    task.cancel()
    await disk.do(ran.append, "kept")
    assert ran in (["kept"], ["cancelled", "kept"])
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_where_no_thread_can_be_had_the_waiter_is_told():
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    loop.set_default_executor(executor)
    disk = Disk()
    for _ in range(HANDS + 1):
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(disk.do(int), 10)


def writing(path, seen=None):
    """Work that writes a file, has it synced, and returns the names that were there then."""
    yield from paths.writing_new(path, b"video")
    if seen is not None:
        seen.append(path.name)
    return sorted(entry.name for entry in path.parent.iterdir())


async def test_no_work_goes_on_before_the_files_of_all_are_synced(tmp_path):
    disk = Disk()
    names = [f"{number}.mp4" for number in range(TOGETHER)]
    found = await asyncio.gather(*(disk.do(writing, tmp_path / name) for name in names))
    assert found == [sorted(names)] * TOGETHER


async def test_no_more_files_are_open_together_than_may_be(tmp_path, monkeypatch):
    together = []

    def sync(descriptors):
        together.append(len(descriptors))
        return [None] * len(descriptors)

    monkeypatch.setattr(disk_module, "sync_files", sync)
    disk = Disk()
    many = TOGETHER * 2 + 1
    await asyncio.gather(*(disk.do(writing, tmp_path / str(number)) for number in range(many)))
    assert together == [TOGETHER, TOGETHER, 1]


async def test_a_file_that_cannot_be_synced_fails_alone_and_is_gone(tmp_path, monkeypatch):
    def sync(descriptors):
        bad = (tmp_path / "bad").stat().st_ino
        return [OSError("no") if os.fstat(file).st_ino == bad else None for file in descriptors]

    monkeypatch.setattr(disk_module, "sync_files", sync)
    disk, seen = Disk(), []
    outcomes = await asyncio.gather(
        *(disk.do(writing, tmp_path / name, seen) for name in ("a", "bad", "b")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [list, OSError, list]
    assert seen == ["a", "b"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]


async def test_work_that_breaks_off_is_no_success():
    with pytest.raises(RuntimeError, match="StopIteration"):
        await Disk().do(lambda: next(iter(())))


async def test_no_file_stays_open(tmp_path, monkeypatch):
    def sync(descriptors):
        return [OSError("no") if place % 2 else None for place, _ in enumerate(descriptors)]

    monkeypatch.setattr(disk_module, "sync_files", sync)
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - not all of them can be looked at
    disk = Disk()
    await asyncio.gather(
        *(disk.do(writing, tmp_path / str(number)) for number in range(20)), return_exceptions=True
    )
    paths.write_new(tmp_path / "whole", b"video")
    assert len(os.listdir("/dev/fd")) <= before + HANDS  # noqa: PTH208
