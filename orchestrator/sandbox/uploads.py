"""Uploaded files: what they are by their first bytes, how long they last, where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

#: Largest upload and accepted types of each kind, where the model says nothing of its own.
DEFAULT_LIMITS: dict[str, tuple[int, tuple[str, ...]]] = {
    "image": (10_000_000, ("image/jpeg", "image/png", "image/webp")),
    "video": (50_000_000, ("video/mp4", "video/quicktime", "video/webm")),
    "audio": (
        10_000_000,
        ("audio/mpeg", "audio/mp4", "audio/wav", "audio/x-wav", "audio/aac", "audio/ogg"),
    ),
}

#: What a file is taken to last, in seconds, where its bytes do not tell.
ASSUMED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One uploaded file."""

    id: str
    kind: str
    name: str
    mime_type: str
    content: bytes
    #: None for images.
    duration_seconds: float | None
    duration_token: str | None
    created_at: float


class Uploads:
    """The durable table of uploaded files."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, file: UploadedFile) -> None:
        """Keep a file; the same file again is the same row."""
        self._connection.execute(
            "INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                file.id, file.kind, file.name, file.mime_type, file.content,
                file.duration_seconds, file.duration_token, file.created_at,
            ),
        )  # fmt: skip

    def with_id(self, file_id: str) -> UploadedFile | None:
        """The file of this id."""
        found = self._connection.execute("SELECT * FROM uploads WHERE id = ?", (file_id,))
        row = found.fetchone()
        return None if row is None else UploadedFile(*row)


def file_id(kind: str, name: str, content: bytes) -> str:
    """An id that the same upload gets again: uploads are free and may be repeated."""
    return f"file_{sha256(f'{kind}/{name}/'.encode() + content).hexdigest()[:24]}"


def duration_token(file: str) -> str:
    """The token that proves the duration of a file to a create."""
    return f"dur_{sha256(f'duration of {file}'.encode()).hexdigest()[:32]}"


def content_type(content: bytes, kind: str) -> str | None:
    """The MIME type that the first bytes show, None where they show none that is known."""
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    if content[4:8] == b"ftyp":
        if content[8:12] == b"qt  ":
            return "video/quicktime"
        return "audio/mp4" if kind == "audio" or content[8:11] == b"M4A" else "video/mp4"
    if content[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "video/quicktime"
    return next((name for start, name in _STARTS if content.startswith(start)), None)


_STARTS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)


def duration(content: bytes) -> float:
    """Seconds that a video or sound lasts, from its movie header; `ASSUMED_SECONDS` without one."""
    at = content.find(b"mvhd")
    if at < 0 or len(content) < at + 36:
        return ASSUMED_SECONDS
    # Version 1 of the box has times of eight bytes instead of four before scale and length.
    wide = content[at + 4] == 1
    scale_at = at + (24 if wide else 16)
    scale = int.from_bytes(content[scale_at : scale_at + 4], "big")
    length = int.from_bytes(content[scale_at + 4 : scale_at + (12 if wide else 8)], "big")
    return round(length / scale, 3) if scale else ASSUMED_SECONDS
