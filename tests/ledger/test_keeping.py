from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.ledger import keeping
from orchestrator.ledger.keeping import keep_copy, kept_copies

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with its log and the log's index."""
    path = tmp_path / "ledger.db"
    for suffix, content in (("", b"data" * 5000), ("-wal", b"log"), ("-shm", b"index")):
        path.with_name(path.name + suffix).write_bytes(content)
    return path


def test_all_three_files_are_kept_so_that_sqlite_finds_them(path: Path) -> None:
    copy = keep_copy(path)
    assert copy.name.startswith("ledger.db.corrupt-2")
    assert copy.name.endswith("Z")
    for suffix in ("", "-wal", "-shm"):
        kept = copy.with_name(copy.name + suffix)
        assert kept.read_bytes() == path.with_name(path.name + suffix).read_bytes()
    assert kept_copies(path) == [copy]


def test_the_same_state_is_kept_once_and_every_other_one_too(path: Path) -> None:
    first = keep_copy(path)
    assert keep_copy(path) == first
    path.with_name("ledger.db-wal").write_bytes(b"another log")
    second = keep_copy(path)
    path.write_bytes(b"other data")
    third = keep_copy(path)
    assert kept_copies(path) == [first, second, third]
    assert first.with_name(f"{first.name}-wal").read_bytes() == b"log"


def test_a_copy_that_was_interrupted_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keeping.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        keep_copy(path)
    assert kept_copies(path) == []
    monkeypatch.undo()
    assert kept_copies(path) == [] != [keep_copy(path)]


def test_what_the_disk_cannot_read_is_zeros_in_the_copy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pread

    def broken(descriptor: int, size: int, offset: int) -> bytes:
        if offset == 4096:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(keeping.os, "pread", broken)
    data = path.read_bytes()
    assert keep_copy(path).read_bytes() == data[:4096] + b"\0" * 4096 + data[8192:]
