"""Local files that manifests name: what they are, read once each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.catalog.media_types import HEAD_BYTES, sniff
from orchestrator.manifest.missing_files import RELATIVE, missing_hint

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1024 * 1024
_MISSING = "does not exist"
#: Missing files for which a similar one is looked for.
_MOST_HINTS = 50


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it is on disk. `trouble` says why it cannot be used; the rest is then empty."""

    size: int = 0
    sha256: str = ""
    #: As the first bytes say; None where they say nothing.
    mime_type: str | None = None
    trouble: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether nothing is there at all."""
        return self.trouble == _MISSING


@dataclass(slots=True)
class LocalFiles:
    """Reads each file once, however many jobs start from it."""

    _known: dict[str, LocalFile] = field(default_factory=dict)
    _missed: int = 0

    def hint_for(self, base: Path, text: str) -> str:
        """The next step where nothing is found at the path `text`, seen from the folder `base`."""
        self._missed += 1
        # A whole folder is looked through each time.
        return missing_hint(base, text) if self._missed <= _MOST_HINTS else RELATIVE

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
            return LocalFile(trouble="is a folder" if path.is_dir() else _MISSING)
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
