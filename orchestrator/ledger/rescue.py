"""The emergency file: what a provider answered while the ledger could not be written.

Such an answer may name a task that is paid for. It goes into `rescued-tasks.jsonl` in the run
folder, in room that was written there beforehand: so it fits on a disk that has become full. The
next one who opens the ledger takes it in, and the task goes on as if nothing had happened.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from orchestrator.ledger.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Name of the file in the run folder.
RESCUE_FILE = "rescued-tasks.jsonl"

#: Room that is kept for it, in bytes: for the answers to some hundred creates.
RESERVED = 256 * 1024

_READ, _WRITE = os.O_RDONLY, os.O_RDWR | os.O_CREAT


@dataclass(frozen=True, slots=True)
class Rescued:
    """One create's answer, and whose it is."""

    row: int
    key: str
    #: The attempt that the create belongs to.
    attempt: int
    provider: str
    #: The raw reply, as the ledger would have kept it.
    reply: str
    #: Where the reply names one.
    task_id: str | None = None
    idempotency_key: str | None = None
    #: When it came, in seconds since the epoch.
    at: float | None = None


def reserve(folder: Path) -> None:
    """Make room for answers to come; what a file that is there holds stays. Raises OSError.

    Nothing is synced: the system sets the room aside when it takes the bytes.
    """
    path = folder / RESCUE_FILE
    try:
        with _opened(path, _WRITE) as descriptor:
            size = os.fstat(descriptor).st_size
            if size < RESERVED:
                _write(descriptor, b"\0" * (RESERVED - size), size)
    except OSError:
        if not holds_anything(folder):
            path.unlink(missing_ok=True)
        raise


def append(folder: Path, rescued: Rescued) -> None:
    """Add one answer, durably. Blocks briefly. Raises OSError where the disk refuses that too."""
    path = folder / RESCUE_FILE
    line = json.dumps(asdict(rescued)).encode() + b"\n"
    with _opened(path, _WRITE) as descriptor:
        before = _content(descriptor)
        # A line that was cut short stays by itself.
        line = b"\n" + line if before and not before.endswith(b"\n") else line
        _write(descriptor, line, len(before))
        os.fsync(descriptor)
    sync_folder(folder)


def read(folder: Path) -> list[Rescued]:
    """What the file holds, the oldest first; lines that are not whole are left out.

    Raises OSError where there is a file that cannot be read.
    """
    return [one for one in _read(folder) if one is not None]


def is_whole(folder: Path) -> bool:
    """Whether every line of the file can be read. Raises OSError."""
    return None not in _read(folder)


def _read(folder: Path) -> list[Rescued | None]:
    """Every line that is not empty; None for one that was cut short."""
    try:
        with _opened(folder / RESCUE_FILE, _READ) as descriptor:
            lines = _content(descriptor).splitlines()
    except FileNotFoundError:
        return []
    return [_parsed(line) for line in lines if line.strip()]


def _parsed(line: bytes) -> Rescued | None:
    try:
        return Rescued(**json.loads(line))
    except (ValueError, TypeError):
        return None


def holds_anything(folder: Path) -> bool:
    """Whether something was written into the file, whole or not. Raises OSError."""
    try:
        with _opened(folder / RESCUE_FILE, _READ) as descriptor:
            return bool(_content(descriptor))
    except FileNotFoundError:
        return False


def clear(folder: Path) -> None:
    """Remove the file: the ledger has what it held. Raises OSError.

    A power loss may bring it back, which does no harm: what the ledger has is not taken in again.
    """
    (folder / RESCUE_FILE).unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, how: int) -> Iterator[int]:
    """An open file's descriptor; links are not followed."""
    descriptor = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    """What was written into the reserved room."""
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).partition(b"\0")[0]


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it at a place."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
