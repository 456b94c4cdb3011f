"""What to do about a file that does not exist."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestrator.catalog.suggest import nearest

if TYPE_CHECKING:
    from pathlib import Path

#: What always holds.
RELATIVE = "paths are relative to the manifest"
#: Most names of a folder that are looked at.
_MOST_NAMES = 1000


def missing_hint(base: Path, text: str) -> str:
    """The next step where nothing is found at the path `text`, seen from the folder `base`."""
    if text.startswith("~"):
        return "`~` stands for nothing here; write the whole path"
    first, slash, _rest = text.partition("/")
    if slash and "." in first.strip("."):
        return f"write https://{text} if it is a URL"
    try:
        if "\\" in text and (base / text.replace("\\", "/")).exists():
            return "write / in place of \\"
        if not (base / text).parent.is_dir():
            return f"there is no folder {PurePath(text).parent}; {RELATIVE}"
        near = _similar(PurePath(text).name, _names_in((base / text).parent))
    except (OSError, ValueError):
        return RELATIVE
    return f"did you mean `{PurePath(text).with_name(near)}`?" if near else RELATIVE


def _similar(name: str, names: list[str]) -> str | None:
    """The name that is alike also without its extension, which many files share."""
    near = nearest(name, names)
    is_alike = near is not None and nearest(PurePath(name).stem, [PurePath(near).stem])
    return near if is_alike else None


def _names_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, _MOST_NAMES)]
