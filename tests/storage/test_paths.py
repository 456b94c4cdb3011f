"""Names inside a run folder, on a real disk."""

from __future__ import annotations

import os

import pytest

from orchestrator.errors import DiskError, UsageError
from orchestrator.storage import paths
from orchestrator.storage.paths import regular_size, relative


@pytest.mark.parametrize("text", ["", "/etc/passwd", "../a", "a/../../b", "a\0b", "a\\b"])
def test_a_path_that_could_lead_out_of_the_run_folder_is_refused(text):
    with pytest.raises(UsageError):
        relative(text)


def test_the_size_is_that_of_a_regular_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    assert regular_size(path) == 5


def test_what_is_no_regular_file_has_no_size(tmp_path):
    (tmp_path / "file").write_bytes(b"video")
    (tmp_path / "link").symlink_to("file")
    for path in ("missing", "missing/too", "file/below", "link", "."):
        assert regular_size(tmp_path / path) is None, path


def test_what_the_disk_does_not_let_be_seen_is_the_disks_fault_and_not_a_missing_file(tmp_path):
    (tmp_path / "videos").symlink_to("videos")
    path = tmp_path / "videos" / "a.mp4"
    with pytest.raises(DiskError) as error:
        regular_size(path)
    assert error.value.exit_code == 7
    assert str(error.value) == (
        f"{path}: Too many levels of symbolic links. Check the folder, then run the same command"
        " again"
    )


def test_a_folder_without_permission_is_the_disks_fault(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "lstat", refuse)
    with pytest.raises(DiskError, match="Permission denied"):
        regular_size(tmp_path / "videos" / "a.mp4")


def test_a_file_whose_sync_fails_is_not_kept(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        paths.write_new(tmp_path / "file", b"bytes")
    assert list(tmp_path.iterdir()) == []


def test_of_files_synced_together_each_has_its_own_failure(tmp_path, monkeypatch):
    files = [paths.open_new(tmp_path / name) for name in "abc"]
    really = os.fsync

    def fail_second(descriptor):
        if descriptor == files[1]:
            raise OSError(5, "Input/output error")
        really(descriptor)

    monkeypatch.setattr("os.fsync", fail_second)
    failures = paths.sync_files(files)
    for descriptor in files:
        os.close(descriptor)
    assert [type(failure) for failure in failures] == [type(None), OSError, type(None)]
