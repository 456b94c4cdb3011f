"""Files follow their jobs: where only the writing of a manifest changed, names change with it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from orchestrator.errors import DiskError
from orchestrator.storage.outcomes import Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.engine.run import Run
    from orchestrator.ledger.store import Row, StoredFile

SUPERSEDED = "videos/superseded/"
#: What stands between the key and the ending of a further file's name.
_NUMBER = re.compile(r"\.\d+")
#: Names tried for one file before giving up: `<key>.mp4`, `<key>.2.mp4` …
NAMES = 100


class Renames(Protocol):
    """What of a store renaming needs (see `storage.local.LocalStorage`)."""

    async def move(self, old: str, new: str) -> None:
        """Rename a file and its sidecar; doing it again completes it."""

    async def supersede(self, path: str, fingerprint8: str) -> str:
        """Move the file of an edited job aside."""

    def exists(self, stored: StoredFile) -> bool:
        """Whether the file is there with its size."""


def is_in_the_way(row: Row, keys: frozenset[str]) -> bool:
    """Whether a row is no longer current and its files stand where a current key's belong."""
    return (
        row.position is None
        and row.key in keys
        and any(not file.path.startswith(SUPERSEDED) for file in row.files)
    )


def misnamed(row: Row) -> bool:
    """Whether a row's files are named after a key that it no longer has."""
    stem = f"videos/{row.key}"
    numbers = (file.path.removeprefix(stem).removesuffix(".mp4") for file in row.files)
    return any(number and _NUMBER.fullmatch(number) is None for number in numbers)


async def rename_files(run: Run, store: Renames, renamed: Sequence[Row]) -> None:
    """Give the files of renamed jobs their new names; `renamed` are rows that are `misnamed`.

    Names are swapped through a third one, so that two jobs may trade keys. Each step is safe to
    do again: after a crash the next run finds the file under either name.
    """
    for row in renamed:
        await _rename(run, store, row, [f"{file.path}.moving" for file in row.files])
    for row in renamed:
        former = run.former.pop(row.key, None)
        if former is not None:
            await set_aside(run, store, former)
        moved = run.ledger.row(row.row)
        await _rename(run, store, moved, [_name(row, number) for number in range(len(row.files))])


async def set_aside(run: Run, store: Renames, former: Row) -> None:
    """Move an edited job's files out of the way of its key's new ones."""
    files = [await _superseded(store, file, former.fingerprint[:8]) for file in former.files]
    await run.rearrange(former, "superseded", files)


async def _superseded(store: Renames, file: StoredFile, fingerprint8: str) -> StoredFile:
    """The file under the name it is kept by; a file that is gone keeps the name it had."""
    try:
        return replace(file, path=await store.supersede(file.path, fingerprint8))
    except DiskError:
        if store.exists(file):
            raise
        return file


async def _rename(run: Run, store: Renames, row: Row, names: list[str]) -> None:
    files = [await _moved(store, file, name) for file, name in zip(row.files, names, strict=True)]
    await run.rearrange(row, "moved", files)


async def _moved(store: Renames, file: StoredFile, name: str) -> StoredFile:
    """The file under its new name, or under the next one that nobody else has."""
    stem = name.removesuffix(".mp4")
    for candidate in (name, *(f"{stem}.{number}.mp4" for number in range(2, NAMES))):
        renamed = replace(file, path=candidate)
        if not store.exists(file):
            return renamed
        try:
            await store.move(file.path, candidate)
        except Taken:
            continue
        return renamed
    raise DiskError(f"{name} and {NAMES} further names are all taken: make room for {file.path}")


def _name(row: Row, number: int) -> str:
    return f"videos/{row.key}.mp4" if number == 0 else f"videos/{row.key}.{number + 1}.mp4"
