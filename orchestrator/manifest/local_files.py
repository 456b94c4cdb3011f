"""Local files that manifests name: what they are, read once each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.catalog.media_types import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it is on disk. `trouble` says why it cannot be used; the rest is then empty."""

    size: int = 0
    sha256: str = ""
    #: As the first bytes say; None where they say nothing.
    mime_type: str | None = None
    trouble: str = ""


@dataclass(slots=True)
class LocalFiles:
    """Reads each file once, however many jobs start from it."""

    _known: dict[str, LocalFile] = field(default_factory=dict)

    def look(self, path: Path, most: int | None) -> LocalFile:
        """What a file is. One larger than `most` bytes is not read to its end."""
        question = f"{most}:{path}"
        if question not in self._known:
            self._known[question] = _read(path, most)
        return self._known[question]


def _read(path: Path, most: int | None) -> LocalFile:
    try:
        # A pipe or a device would block, or never end.
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            return LocalFile(trouble=f"{what}")
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            if most is not None and size > most:
                return LocalFile(size=size, mime_type=sniff(head))
            digest = hashlib.sha256(head)
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except (OSError, ValueError) as error:
        return LocalFile(trouble=f"cannot be read: {getattr(error, 'strerror', '') or error}")
    return LocalFile(size, digest.hexdigest(), sniff(head))
