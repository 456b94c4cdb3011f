"""Stored files: renamed, superseded, verified, and described."""

from __future__ import annotations

import errno
import hashlib
import json
import os

import pytest

from orchestrator.errors import DiskError, UsageError
from orchestrator.ledger.store import StoredFile
from orchestrator.storage import local, paths
from orchestrator.storage.outcomes import NoRoom, Taken, disk_error


@pytest.fixture
def stored(run_folder):
    path = run_folder / "videos/grid/cup.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"video")
    path.with_suffix(".json").write_text("{}")
    return StoredFile("videos/grid/cup.mp4", 5, hashlib.sha256(b"video").hexdigest())


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


async def test_a_move_takes_the_sidecar_along(storage, stored, run_folder):
    await storage.move(stored.path, "videos/new/key.mp4")
    assert files(run_folder) == ["videos/new/key.json", "videos/new/key.mp4"]


async def test_a_move_is_completed_after_a_crash_at_any_point(storage, stored, run_folder):
    old, new = run_folder / stored.path, run_folder / "videos/new/key.mp4"
    new.parent.mkdir()
    os.link(old, new)
    await storage.move(stored.path, "videos/new/key.mp4")
    assert not old.exists()
    old.with_suffix(".json").write_text("{}")
    await storage.move(stored.path, "videos/new/key.mp4")
    await storage.move(stored.path, "videos/new/key.mp4")
    assert files(run_folder) == ["videos/new/key.json", "videos/new/key.mp4"]


async def test_a_move_overwrites_nothing(storage, stored, run_folder):
    (run_folder / "videos/other.mp4").write_bytes(b"other")
    with pytest.raises(Taken) as taken:
        await storage.move(stored.path, "videos/other.mp4")
    assert taken.value.path == "videos/other.mp4"
    assert (run_folder / "videos/other.mp4").read_bytes() == b"other"
    assert (run_folder / stored.path).exists()


async def test_a_move_of_nothing_is_a_disk_error(storage, run_folder):
    with pytest.raises(DiskError):
        await storage.move("videos/none.mp4", "videos/new.mp4")


async def test_a_move_leads_out_of_nowhere(storage, stored):
    for path in ("../x.mp4", "/x.mp4"):
        with pytest.raises(UsageError):
            await storage.move(stored.path, path)


async def test_the_file_of_an_edited_job_is_kept_under_its_old_fingerprint(
    storage, stored, run_folder
):
    new = await storage.supersede(stored.path, "0badcafe")
    assert new == "videos/superseded/grid/cup.0badcafe.mp4"
    assert files(run_folder) == [new.replace(".mp4", ".json"), new]
    assert await storage.supersede(stored.path, "0badcafe") == new


def test_a_name_is_renamed_where_the_disk_knows_no_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"video")
    paths.rename_new(old, new)
    assert files(tmp_path) == ["new"]
    old.write_bytes(b"another")
    with pytest.raises(FileExistsError):
        paths.rename_new(old, new)
    assert new.read_bytes() == b"video"


async def test_existence_looks_at_the_size_and_verification_at_the_bytes(
    storage, stored, run_folder
):
    assert storage.exists(stored)
    assert await storage.verify(stored)
    (run_folder / stored.path).write_bytes(b"vidEo")
    assert storage.exists(stored)
    assert not await storage.verify(stored)
    (run_folder / stored.path).write_bytes(b"video and more")
    assert not storage.exists(stored)
    assert not await storage.verify(stored)
    (run_folder / stored.path).unlink()
    assert not storage.exists(stored)
    assert not await storage.verify(stored)


async def test_a_link_is_no_stored_file(storage, stored, run_folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"video")
    (run_folder / stored.path).unlink()
    (run_folder / stored.path).symlink_to(tmp_path / "elsewhere")
    assert not storage.exists(stored)
    assert not await storage.verify(stored)


def test_a_sidecar_is_written_beside_the_video_in_one_step(stored, run_folder):
    for document in ({"prompt": "é\u2028"}, {"prompt": "second"}):
        local._write_in_one_step(run_folder / "videos/grid/cup.json", local._text(document))
        assert json.loads((run_folder / "videos/grid/cup.json").read_text()) == document
    assert files(run_folder) == ["videos/grid/cup.json", stored.path]


def test_a_sidecar_replaces_a_link_instead_of_following_it(stored, run_folder, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    sidecar = run_folder / "videos/grid/cup.json"
    sidecar.unlink()
    sidecar.symlink_to(victim)
    local._write_in_one_step(sidecar, "{}")
    assert victim.read_text() == "mine"
    assert not sidecar.is_symlink()


async def test_second_names_that_a_dead_run_left_are_swept(storage, stored, run_folder):
    os.link(run_folder / stored.path, run_folder / "videos/grid/.0123.part")
    (run_folder / "videos/grid/.4567.part").write_bytes(b"a download to go on with")
    await storage.sweep()
    assert files(run_folder) == [
        "videos/grid/.4567.part", "videos/grid/cup.json", "videos/grid/cup.mp4",
    ]  # fmt: skip


async def test_a_sweep_leaves_what_the_ledger_does_not_have_yet(storage, host, client, run_folder):
    stored = await storage.fetch(host.url, "videos/a.mp4", part_id="t", client=client)
    await storage.sweep()
    assert len(files(run_folder)) == 2
    storage.settle(stored)
    await storage.sweep()
    assert files(run_folder) == ["videos/a.mp4"]


def test_free_room_is_told_in_bytes(storage, run_folder):
    assert storage.free_bytes() > 0
    run_folder.rmdir()
    with pytest.raises(DiskError):
        storage.free_bytes()


FAILURES_OF_THE_DISK = {
    errno.ENOSPC: NoRoom,
    errno.EDQUOT: NoRoom,
    errno.EFBIG: NoRoom,
    errno.EACCES: DiskError,
    errno.EROFS: DiskError,
    errno.EMFILE: DiskError,
}


@pytest.mark.parametrize(("number", "kind"), FAILURES_OF_THE_DISK.items())
def test_lack_of_room_is_told_from_other_failures_of_the_disk(number, kind, tmp_path):
    error = disk_error(OSError(number, os.strerror(number)), tmp_path)
    assert type(error) is kind
    assert os.strerror(number) in str(error)


async def test_a_sidecar_is_lacking_where_there_is_none_or_nothing_in_it(
    storage, stored, run_folder
):
    sidecar = (run_folder / stored.path).with_suffix(".json")
    assert not storage.lacks_sidecar(stored)
    sidecar.write_text("")
    assert storage.lacks_sidecar(stored)
    sidecar.unlink()
    assert storage.lacks_sidecar(stored)
    await storage.write_sidecar(stored, {"key": "grid/cup", "file": {"bytes": 5}})
    assert not storage.lacks_sidecar(stored)
    assert json.loads(sidecar.read_text()) == {"key": "grid/cup", "file": {"bytes": 5}}


async def test_a_video_that_is_gone_lacks_no_sidecar(storage, stored, run_folder):
    (run_folder / stored.path).with_suffix(".json").unlink()
    (run_folder / stored.path).unlink()
    assert not storage.lacks_sidecar(stored)


async def test_a_sidecar_that_cannot_be_written_is_a_disk_error(storage, stored, run_folder):
    sidecar = (run_folder / stored.path).with_suffix(".json")
    sidecar.unlink()
    sidecar.mkdir()
    assert storage.lacks_sidecar(stored)
    with pytest.raises(DiskError, match=r"cup\.json"):
        await storage.write_sidecar(stored, {})
