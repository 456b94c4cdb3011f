"""Records straight from the pages of an SQLite file, for one that SQLite itself refuses to read.

Every page is looked at by itself, as SQLite's own `.recover` does: what a page holds is found
also where the pages that lead to it are gone. Committed pages of the write-ahead log come before
those of the file. The format is SQLite's "Database File Format", sections 1.5, 1.6, 2.1 and 4.
"""

from __future__ import annotations

import mmap
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DEFAULT_PAGE_SIZE = 4096
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
#: Bytes of the file's header, which its first page begins with.
_FILE_HEADER = 100
_WAL_HEADER, _FRAME_HEADER = 32, 24
#: Serial types of whole numbers, with their bytes.
_WHOLE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
#: What a page that makes no sense may raise while it is read.
_SENSELESS = (LookupError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Record:
    """One row as a page holds it."""

    #: The row's number; None in an index and in a table without row numbers.
    rowid: int | None
    values: tuple[Any, ...]


def records(path: Path) -> Iterator[Record]:
    """Every record of every page that can be read, in the order of pages. Raises OSError."""
    log = path.with_name(f"{path.name}-wal")
    with ExitStack() as stack:
        data: bytes | mmap.mmap = b""
        if path.stat().st_size:
            file = stack.enter_context(path.open("rb"))
            data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        size = _page_size(data)
        pages = _Pages(data, size, _logged_pages(log.read_bytes(), size) if log.exists() else {})
        for number in range(1, pages.count + 1):
            yield from _records_of(pages, number)


@dataclass(frozen=True, slots=True)
class _Pages:
    data: bytes | mmap.mmap
    size: int
    newer: Mapping[int, bytes]

    @property
    def count(self) -> int:
        return max(len(self.data) // self.size, max(self.newer, default=0))

    def page(self, number: int) -> bytes:
        """One page, from 1. Raises IndexError where there is none."""
        found = self.newer.get(number) or self.data[(number - 1) * self.size : number * self.size]
        if number < 1 or len(found) < self.size:
            raise IndexError(number)
        return found


def _page_size(data: bytes | mmap.mmap) -> int:
    """As the header says, or the default where it makes no sense."""
    stated = int.from_bytes(data[16:18], "big")
    size = 65536 if stated == 1 else stated
    return size if 512 <= size <= 65536 and size & (size - 1) == 0 else _DEFAULT_PAGE_SIZE


def _logged_pages(log: bytes, size: int) -> dict[int, bytes]:
    """The pages of a write-ahead log up to its last whole commit, by number.

    The log ends where salts or the running checksum do not fit.
    """
    magic = int.from_bytes(log[:4], "big")
    if len(log) < _WAL_HEADER or magic | 1 != 0x377F0683:
        return {}
    words = "<" if magic == 0x377F0682 else ">"
    running = _checksum((0, 0), log[:24], words)
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for start in range(_WAL_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        number, commit, salt1, salt2, sum1, sum2 = struct.unpack_from(">6I", log, start)
        body = log[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
        running = _checksum(_checksum(running, log[start : start + 8], words), body, words)
        if (salt1, salt2) != struct.unpack_from(">2I", log, 16) or (sum1, sum2) != running:
            break
        pending[number] = body
        if commit:
            committed |= pending
            pending = {}
    return committed


def _checksum(running: tuple[int, int], data: bytes, words: str) -> tuple[int, int]:
    first, second = running
    numbers = iter(struct.unpack(f"{words}{len(data) // 4}I", data))
    for number in numbers:
        first = (first + number + second) & 0xFFFFFFFF
        second = (second + next(numbers) + first) & 0xFFFFFFFF
    return first, second


def _records_of(pages: _Pages, number: int) -> Iterator[Record]:
    """The records of one page; nothing of a page or a record that makes no sense."""
    try:
        page = pages.page(number)
        start = _FILE_HEADER if number == 1 else 0
        kind = page[start]
        if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
            return
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        first = start + (12 if kind == _INDEX_INTERIOR else 8)
        cells = struct.unpack_from(f">{count}H", page, first)
    except _SENSELESS:
        return
    for cell in cells:
        try:
            record = _record(pages, page, cell, kind)
        except _SENSELESS:
            continue
        yield record


def _record(pages: _Pages, page: bytes, cell: int, kind: int) -> Record:
    cell += 4 * (kind == _INDEX_INTERIOR)
    length, cell = _varint(page, cell)
    rowid = None
    if kind == _TABLE_LEAF:
        rowid, cell = _varint(page, cell)
    return Record(rowid, _values(_payload(pages, page, cell, length, kind)))


def _payload(pages: _Pages, page: bytes, cell: int, length: int, kind: int) -> bytes:
    """A record's bytes: those in the page, then those of the pages that it overflows into."""
    usable = pages.size
    least = (usable - 12) * 32 // 255 - 23
    most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    here = length
    if length > most:
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
    parts = [page[cell : cell + here]]
    missing = length - len(parts[0])
    following = page[cell + here : cell + here + 4]
    if missing > pages.count * usable:
        raise ValueError("longer than the file")
    while missing > 0:
        body = pages.page(int.from_bytes(following, "big"))
        following = body[:4]
        parts.append(body[4 : 4 + missing])
        missing -= len(parts[-1])
    return b"".join(parts)


def _values(payload: bytes) -> tuple[Any, ...]:
    end, place = _varint(payload, 0)
    body = end
    values = []
    while place < end:
        kind, place = _varint(payload, place)
        value, body = _value(payload, body, kind)
        values.append(value)
    if body != len(payload):
        raise ValueError("a record of another length")
    return tuple(values)


def _value(payload: bytes, start: int, kind: int) -> tuple[Any, int]:
    """One value and where the next one begins."""
    if kind == 0:
        return None, start
    if kind in (8, 9):
        return kind - 8, start
    if kind in (10, 11):
        raise ValueError("a serial type that no file has")
    size = 8 if kind == 7 else _WHOLE[kind] if kind < 7 else (kind - 12) // 2
    value = payload[start : start + size]
    if len(value) < size:
        raise ValueError("a record that is cut short")
    if kind == 7:
        return struct.unpack(">d", value)[0], start + size
    if kind < 7:
        return int.from_bytes(value, "big", signed=True), start + size
    return (value if kind % 2 == 0 else value.decode("utf-8")), start + size


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A whole number of one to nine bytes and where the next thing begins."""
    value = 0
    for place in range(start, start + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    value = value << 8 | data[start + 8]
    return (value - (1 << 64) if value >= 1 << 63 else value), start + 9
