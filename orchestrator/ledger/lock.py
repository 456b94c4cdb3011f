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
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerBusy, LedgerError

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the lock's file in the run folder.
LOCK_FILE = "run.lock"

#: How often a lock that is held is asked for again, and the seconds between: `holder` may be
#: looking at it for an instant.
_TRIES = 5
_BETWEEN_TRIES = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever works in a run folder now, as they signed; None where they have not yet."""

    pid: int | None = None
    host: str | None = None
    #: RFC 3339 in UTC.
    since: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "another process"
        return f"process {self.pid} on {self.host}, started {self.since}"


def holder(folder: Path) -> Holder | None:
    """Who works in a run folder now; None where nobody does, or where that cannot be seen.

    Changes nothing and hinders nobody: to see whether the lock is held, it is shared for an
    instant, which whoever wants it for themselves waits out.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _signature(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


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
        _take_in_time(descriptor)
    except BlockingIOError:
        raise LedgerBusy(
            f"{folder} is in use by {_signature(descriptor)}."
            " Wait until that run ends, or stop it with Ctrl-C or SIGTERM."
        ) from None
    except OSError as error:
        raise LedgerError(
            f"{folder / LOCK_FILE} cannot be locked: {error.strerror}."
            " Choose a run folder on a local disk with --run-dir."
        ) from error


def _take_in_time(descriptor: int) -> None:
    """Take the lock, at the latest at the last try. Raises BlockingIOError where it is held."""
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_BETWEEN_TRIES)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _signature(descriptor: int) -> Holder:
    """Who signed the lock; the holder may be about to sign it."""
    try:
        match json.loads(os.pread(descriptor, 4096, 0)):
            case {"pid": int(pid), "host": str(host), "since": str(since)}:
                return Holder(pid, host, since)
    except (OSError, ValueError):
        pass
    return Holder()


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
