"""How a download can end other than with a stored file.

Plain exceptions, because the engine acts on the class: ask for a fresh URL, try again, quarantine,
pause, or choose another name.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from orchestrator.errors import DiskError

if TYPE_CHECKING:
    from pathlib import Path

#: Errors of the disk that end when somebody makes room.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Expired(Exception):
    """The result's host refuses the URL: only a fresh one can help. `status` is the HTTP status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the result's host answered {status}")


class Transient(Exception):
    """The try failed and another may succeed. What arrived is kept where it can be resumed.

    `retry_after` is in seconds, where the host stated it, and at most 300.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)


class Invalid(Exception):
    """What arrived is no whole video, or its URL may not be fetched.

    `path` is where the bytes lie for inspection, relative to the run folder; None where none came.
    """

    def __init__(self, reason: str, path: str | None = None) -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason)


class Taken(Exception):
    """Something else has the name `path` (relative to the run folder). Nothing was overwritten."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} already exists and is another file")


class NoRoom(DiskError):
    """The disk, the quota or the largest file size is used up. What arrived before is kept."""


def disk_error(error: OSError, path: Path) -> DiskError:
    """The DiskError (NoRoom where room is what lacks) for a failed operation on `path`."""
    reason = error.strerror or type(error).__name__
    if error.errno in _NO_ROOM:
        return NoRoom(f"{path}: {reason}. Make room, then run the same command again")
    return DiskError(f"{path}: {reason}. Check the folder, then run the same command again")
