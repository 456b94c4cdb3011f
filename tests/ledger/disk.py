"""A disk that fails when it is told to, and that forgets what was not synced.

SQLite reaches its files through a table of functions (its VFS), which may be replaced at run time.
Here the table of this process gets other functions for writing, cutting and syncing, which call
the real ones. So faults happen where real ones do, below SQLite, and every step that reaches a
file is known.
"""

from __future__ import annotations

import _sqlite3
import ctypes
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

OK, FULL = 0, 13
IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE = 10 | 3 << 8, 10 | 4 << 8, 10 | 6 << 8

#: Bytes that a disk writes as one.
SECTOR = 512

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
# Names go on as the addresses they came as: SQLite keeps them.
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, ctypes.POINTER(_INT))
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_WRITE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_ = (
        ("iVersion", _INT), ("szOsFile", _INT), ("mxPathname", _INT), ("pNext", _POINTER),
        ("zName", ctypes.c_char_p), ("pAppData", _POINTER), ("xOpen", _POINTER),
        ("xDelete", _POINTER), ("rest", _POINTER * 14),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = (
        ("iVersion", _INT), ("xClose", _POINTER), ("xRead", _POINTER), ("xWrite", _POINTER),
        ("xTruncate", _POINTER), ("xSync", _POINTER), ("rest", _POINTER * 13),
    )  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One thing that SQLite did to a file, or a mark of the test's own."""

    #: `open`, `write`, `truncate`, `sync`, `failed sync`, `delete` or `mark`.
    what: str
    #: The file's name without its folder; what a mark says.
    name: str
    offset: int = 0
    data: bytes = b""


@dataclass
class FaultyDisk:
    """What happened so far, and what is to go wrong."""

    #: From a step's number (from 1; opens and marks are not counted) to SQLite's error code.
    fault: Callable[[int, str], int] = lambda number, what: OK
    steps: list[Step] = field(default_factory=list)
    #: Files as they were when SQLite opened them first: durable, as nobody knows better.
    before: dict[str, bytes] = field(default_factory=dict)
    number: int = 0

    def mark(self, text: str) -> None:
        """Remember that something was known to be durable at this point."""
        self.steps.append(Step("mark", text))

    def asked(self, what: str) -> int:
        """The error code for the next step."""
        self.number += 1
        return self.fault(self.number, what)

    def opened(self, path: Path) -> None:
        if path.name not in self.before and not self.knows(path.name):
            self.before[path.name] = path.read_bytes() if path.exists() else b""
        self.steps.append(Step("open", path.name))

    def knows(self, name: str) -> bool:
        return any(step.name == name for step in self.steps)

    def marks(self, until: int) -> list[str]:
        """The marks among the first so many steps."""
        return [step.name for step in self.steps[:until] if step.what == "mark"]

    def after_power_loss(self, until: int, chance: random.Random | None) -> dict[str, bytes]:
        """The files as the disk may have them when the power goes after so many steps.

        What was synced is there. Of what was not, nothing is, or, with `chance`, some sectors of
        it are. What a sync failed to write is forgotten by the system, and only a new write of it
        can reach the disk.
        """
        durable = {name: bytearray(data) for name, data in self.before.items() if data}
        pending: dict[str, list[Step]] = {}
        removed: dict[str, bytearray] = {}
        for step in self.steps[:until]:
            if step.what in ("write", "truncate"):
                pending.setdefault(step.name, []).append(step)
            elif step.what == "sync":
                # SQLite syncs the folder of a log with the log's first sync.
                removed.pop(step.name, None)
                durable.setdefault(step.name, bytearray())
                for waiting in pending.pop(step.name, []):
                    _apply(durable[step.name], waiting)
            elif step.what == "failed sync":
                pending.pop(step.name, None)
            elif step.what == "delete":
                removed[step.name] = durable.pop(step.name, bytearray())
                pending.pop(step.name, None)
        if chance is not None:
            durable = {
                name: old for name, old in removed.items() if chance.random() < 0.5
            } | durable
        for name, waiting in pending.items():
            for step in waiting if chance is not None else ():
                _apply_some(durable.setdefault(name, bytearray()), step, chance)
        return {name: bytes(data) for name, data in durable.items()}


def _apply(image: bytearray, step: Step) -> None:
    if step.what == "truncate":
        del image[step.offset :]
        return
    image.extend(b"\0" * (step.offset - len(image)))
    image[step.offset : step.offset + len(step.data)] = step.data


def _apply_some(image: bytearray, step: Step, chance: random.Random) -> None:
    if step.what == "truncate":
        if chance.random() < 0.5:
            _apply(image, step)
        return
    first = 0
    while first < len(step.data):
        size = SECTOR - (step.offset + first) % SECTOR
        if chance.random() < 0.5:
            part = step.data[first : first + size]
            _apply(image, Step("write", step.name, step.offset + first, part))
        first += size


class _Shim:
    """The replaced table. Whatever SQLite may still call has to live as long as it may."""

    def __init__(self, disk: FaultyDisk) -> None:
        self.disk = disk
        self.library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        self.library.sqlite3_vfs_find.restype = _POINTER
        self.library.sqlite3_vfs_register.argtypes = (_POINTER, _INT)
        self.library.sqlite3_vfs_unregister.argtypes = (_POINTER,)
        self.real_at = self.library.sqlite3_vfs_find(None)
        real = _Vfs.from_address(self.real_at)
        self.real_open = _OPEN(real.xOpen)
        self.real_delete = _DELETE(real.xDelete)
        self.vfs = _Vfs.from_buffer_copy(real)
        self.vfs.zName = b"faulty"
        self.callbacks = (_OPEN(self.open), _DELETE(self.delete))
        self.vfs.xOpen, self.vfs.xDelete = (
            ctypes.cast(callback, _POINTER).value for callback in self.callbacks
        )
        self.names: dict[int, str] = {}
        self.tables: dict[int, tuple[_Methods, tuple[object, ...]]] = {}

    def open(self, _: int, name: int | None, file: int, flags: int, out: object) -> int:
        code = self.real_open(self.real_at, name, file, flags, out)
        at = _POINTER.from_address(file)
        if code == OK and name is not None and at.value:
            path = Path(ctypes.string_at(name).decode())
            self.names[file] = path.name
            self.disk.opened(path)
            at.value = ctypes.addressof(self.table(at.value)[0])
        return code

    def table(self, real_at: int) -> tuple[_Methods, tuple[object, ...]]:
        """The functions for files of one kind; there are several kinds."""
        if real_at not in self.tables:
            real = _Methods.from_address(real_at)
            write, truncate = _WRITE(real.xWrite), _TRUNCATE(real.xTruncate)
            disk = self.disk

            def writing(file: int, data: int, size: int, offset: int) -> int:
                code = disk.asked("write")
                # A write that fails may have written a part.
                done = size if code == OK else size // 2
                written = ctypes.string_at(data, done)
                disk.steps.append(Step("write", self.names[file], offset, written))
                return write(file, data, done, offset) or code

            def truncating(file: int, size: int) -> int:
                code = disk.asked("truncate")
                if code == OK:
                    disk.steps.append(Step("truncate", self.names[file], size))
                    code = truncate(file, size)
                return code

            def syncing(file: int, flags: int) -> int:
                code = disk.asked("sync")
                what = "sync" if code == OK else "failed sync"
                disk.steps.append(Step(what, self.names[file]))
                # What would be durable is known: the real disk need not be waited for.
                return code

            callbacks = (_WRITE(writing), _TRUNCATE(truncating), _SYNC(syncing))
            mine = _Methods.from_buffer_copy(real)
            mine.xWrite, mine.xTruncate, mine.xSync = (
                ctypes.cast(callback, _POINTER).value for callback in callbacks
            )
            self.tables[real_at] = (mine, (real, *callbacks))
        return self.tables[real_at]

    def delete(self, _: int, name: int, sync_folder: int) -> int:
        self.disk.steps.append(Step("delete", Path(ctypes.string_at(name).decode()).name))
        return self.real_delete(self.real_at, name, sync_folder)


@contextmanager
def faulty_disk(fault: Callable[[int, str], int] = lambda number, what: OK) -> Iterator[FaultyDisk]:
    """Every file that SQLite opens meanwhile lies on such a disk.

    What is opened has to be closed before the end. Skips the test where the library cannot be
    reached, which some builds of Python hide.
    """
    disk = FaultyDisk(fault)
    try:
        shim = _Shim(disk)
    except (AttributeError, OSError):
        pytest.skip("this Python hides its SQLite")
    shim.library.sqlite3_vfs_register(ctypes.byref(shim.vfs), 1)
    try:
        yield disk
    finally:
        shim.library.sqlite3_vfs_register(shim.real_at, 1)
        shim.library.sqlite3_vfs_unregister(ctypes.byref(shim.vfs))
