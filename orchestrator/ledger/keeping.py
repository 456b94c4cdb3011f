"""Copies of a damaged ledger, kept as it was found: nothing is mended that cannot be undone."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.ledger.folders import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

#: What SQLite keeps beside a database: its write-ahead log and that log's index.
BESIDE = ("-wal", "-shm")

#: How a copy ends that is not whole yet.
_DRAFT = ".part"

#: Bytes that are read at once, and given up at once where the disk cannot read them.
_BLOCK = 4096


def kept_copies(path: Path) -> list[Path]:
    """The copies that are kept of this database, the oldest first."""
    found = path.parent.glob(f"{path.name}.corrupt-*")
    return sorted(copy for copy in found if not copy.name.endswith((*BESIDE, _DRAFT)))


def keep_copy(path: Path) -> Path:
    """Copy a database and what lies beside it, durably, and return the copy.

    The copy is called `<name>.corrupt-<UTC time>`; one of the same file is not made twice. What
    the disk cannot read is zeros there. Nobody may have the database open: closing another
    descriptor of it would drop SQLite's locks. Raises OSError.
    """
    for copy in kept_copies(path):
        if _is_copy(copy, path):
            return copy
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = _unused(path.with_name(f"{path.name}.corrupt-{stamp}"))
    for suffix in (*BESIDE, ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            _copy(source, target.with_name(target.name + suffix))
    sync_folder(path.parent)
    return target


def _is_copy(copy: Path, path: Path) -> bool:
    """Whether a kept copy is of this very state: size and time of database and log agree."""
    return all(
        _mark(copy.with_name(copy.name + suffix)) == _mark(path.with_name(path.name + suffix))
        for suffix in ("", "-wal")
    )


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def _unused(target: Path) -> Path:
    number, name = 1, target.name
    while target.exists():
        number += 1
        target = target.with_name(f"{name}-{number}")
    return target


def _copy(source: Path, target: Path) -> None:
    """Copy a file block by block, durably, with its time; it appears under its name when whole."""
    draft = target.with_name(f"{target.name}{_DRAFT}")
    with source.open("rb") as reading, draft.open("wb") as writing:
        status = os.fstat(reading.fileno())
        for offset in range(0, status.st_size, _BLOCK):
            block = b""
            with suppress(OSError):
                block = os.pread(reading.fileno(), _BLOCK, offset)
            writing.write(block.ljust(min(_BLOCK, status.st_size - offset), b"\0"))
        writing.flush()
        os.fsync(writing.fileno())
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    draft.replace(target)
