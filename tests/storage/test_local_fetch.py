"""Fetching: what is stored is whole, is what was asked for, and overwrites nothing."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from orchestrator.errors import DiskError, UsageError
from orchestrator.storage import disk
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import Taken, Transient
from orchestrator.storage.paths import sync_files
from tests.storage.fetched import TARGET, fetch, files
from tests.storage.host import raw


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_video_is_stored_with_its_hash_and_what_it_says_of_itself(
    name, request, storage, host, client, run_folder
):
    data = host.data = request.getfixturevalue(name)
    stored = await fetch(storage, host, client)
    storage.settle(stored)
    await storage.sweep()
    assert (run_folder / TARGET).read_bytes() == data
    assert (stored.path, stored.bytes) == (TARGET, len(data))
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert (stored.duration_s, stored.width, stored.height) == (3.0, 640, 360)
    assert files(run_folder) == [TARGET]


async def test_videos_that_come_together_are_synced_together(
    storage, host, client, small, monkeypatch
):
    host.data = small
    together = []

    def sync(descriptors):
        together.append(len(descriptors))
        return sync_files(descriptors)

    monkeypatch.setattr(disk, "sync_files", sync)
    names = [f"videos/grid/{number}.mp4" for number in range(8)]
    await asyncio.gather(*(fetch(storage, host, client, name, name) for name in names))
    assert sum(together) == 8
    assert len(together) < 8


async def test_the_url_goes_out_as_it_is_written_and_nothing_secret_beside_it(
    storage, host, client
):
    host.script = [raw(status="302 Found", Location=host.url, Set_Cookie="a=b")]
    await fetch(storage, host, client)
    assert len(host.requests) == 2
    for headers in host.requests:
        assert headers[""] == "GET /out/video.mp4?sig=a%2Fb HTTP/1.1"
        assert headers["accept-encoding"] == "identity"
        assert not {"authorization", "cookie", "range"} & headers.keys()


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_body_without_a_length_is_stored_where_it_verifies(
    name, request, storage, host, client, run_folder
):
    data = request.getfixturevalue(name)
    host.script = [raw(data, length=None)]
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == data


async def test_a_run_that_died_before_its_ledger_had_the_file_does_not_fetch_it_again(
    run_folder, host, client, small
):
    first = await fetch(LocalStorage(run_folder), host, client)
    again = LocalStorage(run_folder)
    second = await fetch(again, host, client)
    assert second == first
    assert host.connections == 1
    again.settle(second)
    await again.sweep()
    assert files(run_folder) == [TARGET]


async def test_a_target_with_the_same_content_is_adopted(storage, host, client, run_folder, small):
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(small)
    before = (run_folder / TARGET).stat().st_ino
    await fetch(storage, host, client)
    assert (run_folder / TARGET).stat().st_ino == before
    assert files(run_folder) == [TARGET]


@pytest.mark.parametrize("mine", [lambda data: b"mine", lambda data: bytes(len(data))])
@pytest.mark.parametrize("name", ["small", "large"])
async def test_another_file_is_never_overwritten_and_the_next_name_needs_no_download(
    name, mine, request, storage, host, client, run_folder
):
    data = host.data = request.getfixturevalue(name)
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(mine(data))
    with pytest.raises(Taken):
        await fetch(storage, host, client)
    stored = await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    storage.settle(stored)
    await storage.sweep()
    assert (run_folder / TARGET).read_bytes() == mine(data)
    assert (run_folder / stored.path).read_bytes() == data
    assert host.connections == 1
    assert files(run_folder) == [stored.path, TARGET]


async def test_a_link_under_the_final_name_is_neither_followed_nor_replaced(
    storage, host, client, run_folder, tmp_path
):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).symlink_to(victim)
    with pytest.raises(Taken):
        await fetch(storage, host, client)
    assert victim.read_bytes() == b"mine"
    assert (run_folder / TARGET).is_symlink()


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_link_under_the_name_of_a_part_is_not_written_through(
    name, request, storage, host, client, run_folder, tmp_path
):
    host.data, host.cuts = request.getfixturevalue(name), [1000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine" * 1000)
    (kept,) = run_folder.rglob("*.part")
    kept.unlink()
    kept.symlink_to(victim)
    await fetch(storage, host, client)
    assert victim.read_bytes() == b"mine" * 1000
    assert (run_folder / TARGET).read_bytes() == host.data


async def test_a_folder_that_is_a_link_is_refused(storage, host, client, run_folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (run_folder / "videos").symlink_to(tmp_path / "outside")
    with pytest.raises(DiskError, match="not a folder"):
        await fetch(storage, host, client)
    assert files(tmp_path / "outside") == []
    assert host.connections == 0


@pytest.mark.parametrize(
    "target", ["", "/etc/x.mp4", "../x.mp4", "videos/../../x.mp4", "videos\\x.mp4", "videos/\0.mp4"]
)
async def test_a_target_outside_the_run_folder_is_refused(target, storage, host, client):
    with pytest.raises(UsageError, match="inside the run folder"):
        await fetch(storage, host, client, target=target)
    assert host.connections == 0
