"""What an MP4 must be to count as whole: its boxes tile the file, and its samples lie in it.

Players and media libraries open a half-downloaded file whose index comes first, so opening proves
nothing. The layout is that of ISO/IEC 14496-12; QuickTime files share it.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from orchestrator.catalog.media_types import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Largest index (`moov`) that is read into memory, in bytes; an hour of video takes two MiB.
MOOV_CAP = 16 * 1024 * 1024
#: Most boxes side by side; a long fragmented film has some thousands.
BOX_CAP = 100_000

_ACCEPTED = frozenset({"video/mp4", "video/quicktime"})
#: The four characters of a box's name; QuickTime's may begin with the copyright sign.
_NAME = re.compile(rb"[ -~\xa9]{4}")
_SHORT_HEADER = struct.Struct(">I4s")
_UNKNOWN_DURATIONS = frozenset({0, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF})


class NotMedia(Exception):
    """The file is no whole MP4 or QuickTime video; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Media:
    """What a video says of itself; None where it does not say."""

    duration_s: float | None
    #: Pixels, as the first video track is to be shown.
    width: int | None
    height: int | None


class _Box(NamedTuple):
    """One box: its name and where its contents begin and end."""

    kind: bytes
    start: int
    end: int


def inspect_mp4(path: Path) -> Media:
    """Check a file on disk. Raises NotMedia where it is not whole, OSError where unreadable."""
    with path.open("rb") as file:
        return inspect_stream(file, os.fstat(file.fileno()).st_size)


def inspect_stream(file: BinaryIO, size: int) -> Media:
    """Check an open file of `size` bytes, seeking in it. Raises NotMedia where it is not whole."""
    file.seek(0)
    check_head(file.read(HEAD_BYTES))
    boxes = list(_file_boxes(file, size))
    moov = next((box for box in boxes if box.kind == b"moov"), None)
    if moov is None:
        raise NotMedia("there is no index (moov): the file is cut off or no video")
    _check_data(boxes)
    if moov.end - moov.start > MOOV_CAP:
        raise NotMedia(f"the index (moov) is larger than {MOOV_CAP} bytes")
    file.seek(moov.start)
    return _movie(memoryview(file.read(moov.end - moov.start)), size)


def check_head(head: bytes) -> None:
    """Judge the first `HEAD_BYTES`. Raises NotMedia for what does not even begin like a video."""
    if not head:
        raise NotMedia("the file is empty")
    if head.lstrip()[:1] in (b"<", b"{", b"["):
        raise NotMedia("it is text (HTML, XML or JSON), not a video")
    mime_type = sniff(head)
    if mime_type not in _ACCEPTED or head[4:8] != b"ftyp":
        raise NotMedia(f"it is {mime_type or 'of an unknown type'}, not MP4")


def _check_data(boxes: list[_Box]) -> None:
    """Every index of samples needs media data; that of a fragment comes before its data."""
    kinds = [box.kind for box in boxes if box.kind in (b"moof", b"mdat")]
    if b"mdat" not in kinds:
        raise NotMedia("there is no media data (mdat): the file is cut off")
    if kinds[-1] == b"moof":
        raise NotMedia("the last fragment has no media data: the file is cut off")


def _file_boxes(file: BinaryIO, size: int) -> Iterator[_Box]:
    """The outermost boxes. Raises NotMedia where they do not fill the file exactly."""
    start = 0
    for _ in range(BOX_CAP):
        if start == size:
            return
        file.seek(start)
        box = _box(file.read(16), start, size)
        yield box
        start = box.end
    raise NotMedia(f"it has more than {BOX_CAP} boxes")


def _inner_boxes(data: memoryview, box: _Box) -> Iterator[_Box]:
    """The boxes inside a container. Raises NotMedia where they do not fill it."""
    start = box.start
    for _ in range(BOX_CAP):
        # QuickTime may end a container with four zero bytes.
        if box.end - start < 8 and not any(data[start : box.end]):
            return
        inner = _box(data[start : start + 16], start, box.end)
        yield inner
        start = inner.end
    raise NotMedia(f"it has more than {BOX_CAP} boxes")


def _box(header: bytes | memoryview, start: int, limit: int) -> _Box:
    """Read the box at `start`, which has to end within `limit`."""
    if limit - start < 8 or len(header) < 8:
        raise NotMedia(f"{limit - start} bytes at the end belong to no box: the file is cut off")
    length, kind = _SHORT_HEADER.unpack_from(header)
    header_size = 8
    if length == 1:
        if len(header) < 16:
            raise NotMedia("a box header is cut off")
        (length,) = struct.unpack_from(">Q", header, 8)
        header_size = 16
    elif length == 0:
        length = limit - start
    if length < header_size or not _NAME.fullmatch(kind):
        raise NotMedia(f"there is no valid box at byte {start}")
    if length > limit - start:
        missing = length - (limit - start)
        raise NotMedia(f"{missing} bytes of {kind.decode('latin-1')} are missing: it is cut off")
    return _Box(kind, start + header_size, start + length)


def _movie(data: memoryview, size: int) -> Media:
    """Read the index of a file of `size` bytes and check that all samples lie in the file."""
    moov = _Box(b"moov", 0, len(data))
    duration: float | None = None
    shown: tuple[int | None, int | None] | None = None
    boxes = list(_inner_boxes(data, moov))
    header = next((box for box in boxes if box.kind == b"mvhd"), None)
    if header is None:
        raise NotMedia("the index has no movie header (mvhd)")
    timescale, units = _movie_header(data, header)
    for box in boxes:
        if box.kind == b"trak":
            track = _track(data, box, size)
            shown = shown or track
        elif box.kind == b"mvex" and units in _UNKNOWN_DURATIONS:
            units = _fragments_duration(data, box)
    if units not in _UNKNOWN_DURATIONS:
        duration = units / timescale
    width, height = shown or (None, None)
    return Media(duration, width, height)


def _movie_header(data: memoryview, box: _Box) -> tuple[int, int]:
    """Units a second, and the duration in those units."""
    # Two times of 4 bytes (version 0) or 8 (version 1) come first.
    layout, offset = (">IQ", 20) if _version(data, box) == 1 else (">II", 12)
    timescale, duration = _numbers(data, box, layout, offset)
    if not timescale:
        raise NotMedia("the movie header has no timescale")
    return timescale, duration


def _fragments_duration(data: memoryview, mvex: _Box) -> int:
    """The duration that a fragmented film states (`mehd`), 0 where it does not."""
    for box in _inner_boxes(data, mvex):
        if box.kind == b"mehd":
            return _numbers(data, box, ">Q" if _version(data, box) == 1 else ">I", 4)[0]
    return 0


def _track(data: memoryview, trak: _Box, size: int) -> tuple[int | None, int | None] | None:
    """Check a track's samples; width and height of a video track, None for another track."""
    boxes = {box.kind: box for box in _inner_boxes(data, trak)}
    media = boxes.get(b"mdia")
    if media is None:
        raise NotMedia("a track has no media (mdia)")
    inner = {box.kind: box for box in _inner_boxes(data, media)}
    table = _path(data, inner.get(b"minf"), b"stbl")
    if table is not None:
        _check_samples(data, table, size)
    handler = inner.get(b"hdlr")
    if handler is None or bytes(data[handler.start + 8 : handler.start + 12]) != b"vide":
        return None
    header = boxes.get(b"tkhd")
    if header is None:
        return None, None
    # Both are fixed point numbers (16.16) behind times, layer, volume and matrix.
    width, height = _numbers(data, header, ">II", 88 if _version(data, header) == 1 else 76)
    return (width >> 16) or None, (height >> 16) or None


def _path(data: memoryview, box: _Box | None, kind: bytes) -> _Box | None:
    """The box of this kind inside another one, None where either is missing."""
    if box is None:
        return None
    return next((inner for inner in _inner_boxes(data, box) if inner.kind == kind), None)


def _check_samples(data: memoryview, table: _Box, size: int) -> None:
    """Refuse a track whose chunks of samples reach beyond the file.

    The box sizes alone do not show that where the media data runs `to the end of the file`.
    """
    boxes = {box.kind: box for box in _inner_boxes(data, table)}
    offsets = _chunk_offsets(data, boxes)
    runs = _runs(data, boxes.get(b"stsc"))
    sizes = _SampleSizes.read(data, boxes)
    sample, run = 0, 0
    for number, offset in enumerate(offsets, 1):
        while run + 1 < len(runs) and runs[run + 1][0] <= number:
            run += 1
        after = sample + (runs[run][1] if runs else 0)
        if offset + sizes.total(sample, after) > size:
            raise NotMedia("samples lie beyond the end: the file is cut off")
        sample = after


@dataclass(frozen=True, slots=True)
class _SampleSizes:
    """Sizes of a track's samples: one for all, or each its own."""

    each: int
    count: int
    sizes: array[int] | None

    @classmethod
    def read(cls, data: memoryview, boxes: dict[bytes, _Box]) -> _SampleSizes:
        """Read `stsz`; the rare compact form (`stz2`) counts as sizes of 0."""
        box = boxes.get(b"stsz")
        if box is None:
            return cls(0, 0, None)
        each, count = _numbers(data, box, ">II", 4)
        if each:
            return cls(each, count, None)
        return cls(0, count, _table(data, box, 12, count, "I"))

    def total(self, first: int, after: int) -> int:
        """Bytes of the samples from `first` up to, but without, `after`."""
        if self.sizes is not None:
            return sum(self.sizes[first:after])
        return self.each * max(0, min(after, self.count) - first)


def _chunk_offsets(data: memoryview, boxes: dict[bytes, _Box]) -> array[int]:
    """Where each chunk of samples begins in the file (`stco`, or `co64` for large files)."""
    for kind, code in ((b"co64", "Q"), (b"stco", "I")):
        box = boxes.get(kind)
        if box is not None:
            (count,) = _numbers(data, box, ">I", 4)
            return _table(data, box, 8, count, code)
    return array("I")


def _runs(data: memoryview, box: _Box | None) -> list[tuple[int, int]]:
    """Runs of chunks with equally many samples (`stsc`): the first chunk, samples a chunk."""
    if box is None:
        return []
    (count,) = _numbers(data, box, ">I", 4)
    flat = _table(data, box, 8, 3 * count, "I")
    return list(zip(flat[0::3], flat[1::3], strict=True))


def _table(data: memoryview, box: _Box, offset: int, count: int, code: str) -> array[int]:
    """Read `count` big-endian numbers; `code` is `I` for 4 bytes or `Q` for 8."""
    numbers = array(code)
    start = box.start + offset
    end = start + count * numbers.itemsize
    if end > box.end:
        raise NotMedia(f"the table {box.kind.decode('latin-1')} is cut off")
    numbers.frombytes(data[start:end])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _version(data: memoryview, box: _Box) -> int:
    """The version byte that a full box begins with."""
    return data[box.start] if box.start < box.end else 0


def _numbers(data: memoryview, box: _Box, layout: str, offset: int) -> tuple[int, ...]:
    """Unpack numbers at an offset in a box's contents. Raises NotMedia where they are not there."""
    if box.start + offset + struct.calcsize(layout) > box.end:
        raise NotMedia(f"the box {box.kind.decode('latin-1')} is cut off")
    return struct.unpack_from(layout, data, box.start + offset)
