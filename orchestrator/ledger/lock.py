"""One run at a time: an advisory lock on `run.lock` in the run folder.

The lock dies with its process, so a stale file or a process id used again by another program can
neither block a run nor let two in. The database itself is never locked from here: closing any
other descriptor of that file would drop the locks that SQLite holds on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerBusy, LedgerError

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the lock's file in the run folder.
LOCK_FILE = "run.lock"


class RunLock:
    """The lock of one run folder, held from construction until `release`.

    Raises LedgerBusy, naming the holder's process, where another run holds it, and LedgerError
    where the file cannot be made or the file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = _open(folder)
        try:
            _take(self._descriptor, folder)
            _sign(self._descriptor)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next run in. The file stays: removing it could let two runs in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(folder: Path) -> int:
    try:
        return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerError(
            f"{folder / LOCK_FILE} cannot be opened: {error.strerror}."
            " Make the run folder writable, or choose another with --run-dir."
        ) from error


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerBusy(
            f"{folder} is in use by {_holder(descriptor)}."
            " Wait until that run ends, or stop it with Ctrl-C or SIGTERM."
        ) from None
    except OSError as error:
        raise LedgerError(
            f"{folder / LOCK_FILE} cannot be locked: {error.strerror}."
            " Choose a run folder on a local disk with --run-dir."
        ) from error


def _holder(descriptor: int) -> str:
    """Who signed the lock, in words; the holder may be about to sign it."""
    try:
        signature = json.loads(os.pread(descriptor, 4096, 0))
        return "process {pid} on {host}, started {since}".format(**signature)
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _sign(descriptor: int) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    signature = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(signature).encode(), 0)
    except OSError as error:
        raise LedgerError(
            f"{LOCK_FILE} cannot be written: {error.strerror}."
            " Make room on the disk, then run the same command again."
        ) from error
