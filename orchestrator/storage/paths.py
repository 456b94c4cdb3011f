"""Names inside a run folder: checked before they are used, and never overwritten.

All functions block; they raise OSError where the disk refuses, unless they say otherwise.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageError
from orchestrator.storage.outcomes import disk_error

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

#: Errors that say that a file system has no hard links, or not for this file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_HASH_BLOCK = 1024 * 1024


def relative(text: str) -> PurePosixPath:
    """A path below the run folder. Raises UsageError for one that could lead elsewhere."""
    path = PurePosixPath(text)
    if not path.parts or path.is_absolute() or ".." in path.parts or _FORBIDDEN.search(text):
        raise UsageError(f"not a path inside the run folder: {text!r}")
    return path


def is_plain(name: str) -> bool:
    """Whether a text is the name of a file in its folder, and nothing else."""
    return _PLAIN.fullmatch(name) is not None


def make_folder(root: Path, path: PurePosixPath) -> None:
    """Make the folder `path` below `root`, step by step, and refuse symbolic links on the way."""
    folder = root
    for part in path.parts:
        folder /= part
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            folder.mkdir(0o755, exist_ok=True)
            sync_folder(folder.parent)
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder, or a link to one", str(folder))


def parts_in(folder: Path) -> set[str]:
    """Names of the parts of downloads in a folder."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.name.endswith(".part")}


def open_new(path: Path) -> int:
    """Make a file for writing and return its descriptor; what stands there already is an error."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def open_old(path: Path) -> int:
    """Open a file for reading and writing, and return its descriptor; a link is an error."""
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(descriptors: Sequence[int]) -> list[OSError | None]:
    """Make the bytes of open files durable; what went wrong with each.

    Writing begins for all before any is waited for: a journalling file system then makes all of
    them durable in one step of its journal, in a third to a half of the time that one after
    the other takes.
    """
    if len(descriptors) > 1 and hasattr(os, "posix_fadvise"):
        for descriptor in descriptors:
            with suppress(OSError):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return [_sync(descriptor) for descriptor in descriptors]


def _sync(descriptor: int) -> OSError | None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        return error
    return None


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many steps as the system takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def writing_new(path: Path, data: bytes) -> Generator[int, None, None]:
    """Write a whole file, and yield its descriptor to be synced; throw in what fails there.

    An own leftover of that name is removed, never written into; so is what is not durable.
    """
    try:
        descriptor = open_new(path)
    except FileExistsError:
        path.unlink()
        descriptor = open_new(path)
    try:
        write_all(descriptor, data)
        yield descriptor
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes) -> None:
    """Write and sync a whole file. An own leftover of that name is removed, never written into."""
    writing = writing_new(path, data)
    for descriptor in writing:
        failure = _sync(descriptor)
        if failure is not None:
            writing.throw(failure)


def link_new(old: Path, new: Path) -> None:
    """Give a file the additional name `new`. Raises FileExistsError where the name is taken.

    Where the file system knows no hard links the file is renamed; one process at a time writes in
    a run folder, so that the check before it holds.
    """
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new)) from None
        old.rename(new)


def rename_new(old: Path, new: Path) -> None:
    """Rename a file, durably. Raises FileExistsError where the name is taken by another file.

    Doing it again after a crash at any point completes it.
    """
    if not os.path.lexists(old) and os.path.lexists(new):
        return
    if same_file(old, new) and old.lstat().st_nlink == 1:
        # One file under one name: the two differ by letter case only, and the disk does not care.
        old.rename(new)
    else:
        if not same_file(old, new):
            link_new(old, new)
        sync_folder(new.parent)
        old.unlink(missing_ok=True)
    sync_folder(new.parent)
    if old.parent != new.parent:
        sync_folder(old.parent)


def drop_twins(folder: Path, kept: set[Path]) -> None:
    """Remove every `.part` below `folder` that is a second name of a file, but those in `kept`."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.suffix == ".part" and path not in kept:
                drop_twin(path)


def drop_twin(path: Path) -> None:
    """Remove a name of a file that has another one; any other file, or none, is left alone."""
    with suppress(FileNotFoundError):
        if path.lstat().st_nlink > 1:
            path.unlink()


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are names of one regular file, links not followed."""
    try:
        first, second = one.lstat(), other.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(first.st_mode) and os.path.samestat(first, second)


def regular_size(path: Path) -> int | None:
    """Size in bytes of a regular file, None where there is none (a link is none).

    Raises DiskError where the disk does not let it be seen, such as in a folder without
    permission: nobody knows then whether the file is there.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise disk_error(error, path) from error
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_beginning(descriptor: int, size: int, digest: Any) -> None:  # noqa: ANN401 - hashlib's
    """Feed the first `size` bytes of an open file to `digest`."""
    offset = 0
    while offset < size:
        block = os.pread(descriptor, min(_HASH_BLOCK, size - offset), offset)
        if not block:
            raise OSError(errno.EIO, "the file is shorter than it was")
        digest.update(block)
        offset += len(block)
