"""Tiny MP4 files, built box by box, so that tests can break exactly one thing."""

from __future__ import annotations

import struct


def box(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def long_box(kind: bytes, payload: bytes = b"") -> bytes:
    """A box whose length takes 64 bits."""
    return struct.pack(">I4sQ", 1, kind, 16 + len(payload)) + payload


def endless_box(kind: bytes, payload: bytes = b"") -> bytes:
    """A box that reaches to the end of the file, whatever that is."""
    return struct.pack(">I4s", 0, kind) + payload


def full(version: int = 0) -> bytes:
    return struct.pack(">I", version << 24)


def ftyp(brand: bytes = b"isom") -> bytes:
    return box(b"ftyp", brand + struct.pack(">I", 512) + b"isommp41")


def mvhd(duration: int = 3000, timescale: int = 1000, version: int = 0) -> bytes:
    layout = ">QQIQ" if version else ">IIII"
    rest = struct.pack(">IH", 0x10000, 0x100) + bytes(70) + struct.pack(">I", 2)
    return box(b"mvhd", full(version) + struct.pack(layout, 0, 0, timescale, duration) + rest)


def tkhd(width: int, height: int, version: int = 0) -> bytes:
    times = struct.pack(">QQIIQ" if version else ">IIIII", 0, 0, 1, 0, 3000)
    rest = bytes(16) + bytes(36) + struct.pack(">II", width << 16, height << 16)
    return box(b"tkhd", full(version) + times + rest)


def hdlr(kind: bytes) -> bytes:
    return box(b"hdlr", full() + bytes(4) + kind + bytes(12) + b"\0")


def stbl(offsets: list[int], sizes: list[int], *, per_chunk: int, wide: bool = False) -> bytes:
    """Sample tables: chunks of `per_chunk` samples each at `offsets`."""
    code, kind = ("Q", b"co64") if wide else ("I", b"stco")
    chunks = struct.pack(f">I{len(offsets)}{code}", len(offsets), *offsets)
    return box(
        b"stbl",
        box(b"stsc", full() + struct.pack(">IIII", 1, 1, per_chunk, 1))
        + box(b"stsz", full() + struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes))
        + box(kind, full() + chunks),
    )


def trak(
    table: bytes, kind: bytes = b"vide", width: int = 640, height: int = 360, version: int = 0
) -> bytes:
    media = box(b"mdia", hdlr(kind) + box(b"minf", table))
    return box(b"trak", tkhd(width, height, version) + media)


def mp4(
    payload: bytes = b"sample data " * 10,
    *,
    fast_start: bool = True,
    brand: bytes = b"isom",
    width: int = 640,
    height: int = 360,
    version: int = 0,
    wide: bool = False,
    mdat=box,
) -> bytes:
    """A whole MP4 of 3 seconds with one video track of two chunks, whose samples are `payload`."""
    half = len(payload) // 2
    sizes = [half - half // 2, half // 2, len(payload) - half, 0]

    def moov(first: int) -> bytes:
        table = stbl([first, first + half], sizes, per_chunk=2, wide=wide)
        tracks = trak(table, width=width, height=height, version=version)
        return box(b"moov", mvhd(version=version) + tracks)

    head, data = ftyp(brand), mdat(b"mdat", payload)
    lead = len(data) - len(payload)
    if fast_start:
        return head + moov(len(head) + len(moov(0)) + lead) + data
    return head + data + moov(len(head) + lead)


def fragmented(fragments: int = 3, *, duration: int | None = 4500) -> bytes:
    """A fragmented MP4, as streaming packagers write it."""
    mehd = box(b"mehd", full() + struct.pack(">I", duration)) if duration else b""
    head = ftyp(b"iso5") + box(b"moov", mvhd(0) + trak(box(b"stbl")) + box(b"mvex", mehd))
    piece = box(b"moof", box(b"mfhd", full() + bytes(4))) + box(b"mdat", b"fragment")
    return head + piece * fragments
