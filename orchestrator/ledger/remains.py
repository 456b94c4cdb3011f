"""What else in a run folder tells of its jobs, should the ledger itself be damaged or gone.

`results.jsonl` as the last run that ended left it, the sidecar beside each video, and `run.log`.
None of them is the truth; all are read without trust, and what cannot be read is left out.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RESULTS_FILE = "results.jsonl"
LOG_FILE = "run.log"
VIDEOS = "videos"

#: The event that tells of a ledger that was made again.
REBUILT = "rebuilt"
#: How much of the log's end is held against the ledger when it is opened, in bytes.
LOG_END = 4 * 1024 * 1024


def result_documents(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The results of all jobs that were ever sent, as they stood when the last run ended."""
    for document in _lines(folder / RESULTS_FILE):
        if document.get("attempt") and document.get("fingerprint"):
            yield document


def sidecars(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each video's path relative to the run folder, and what stands beside it.

    The video itself may be missing: the sidecar is there first.
    """
    for path in sorted((folder / VIDEOS).rglob("*.json")):
        try:
            document = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(document, dict) and document.get("task_id") and document.get("fingerprint"):
            yield path.with_suffix(".mp4").relative_to(folder).as_posix(), document


def log_lines(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of `run.log`, oldest first; one that makes no sense is empty.

    A ledger that was made again may number its rows anew: lines before that name none.
    """
    path = folder / LOG_FILE
    renumbered = _last_rebuild(path)
    for number, line in enumerate(_lines(path)):
        if number < renumbered:
            yield {name: value for name, value in line.items() if name != "row"}
        else:
            yield line


def latest_attempts(folder: Path) -> set[tuple[int, int]]:
    """The rows and attempts that the end of `run.log` tells of: each was in the ledger by then."""
    told: set[tuple[int, int]] = set()
    for line in _end(folder / LOG_FILE):
        if line.get("event") == REBUILT:
            told.clear()
        row, attempt = line.get("row"), line.get("attempt")
        if isinstance(row, int) and isinstance(attempt, int):
            told.add((row, attempt))
    return told


def note_rebuild(folder: Path, at: str) -> None:
    """Say in `run.log` that rows may have other numbers from here on. Raises OSError."""
    with (folder / LOG_FILE).open("ab") as file:
        file.write(b"\n" + json.dumps({"at": at, "event": REBUILT}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_rebuild(path: Path) -> int:
    """The number of the line that tells of the last rebuild; 0 where none does."""
    found = 0
    for number, line in enumerate(_lines(path)):
        if line.get("event") == REBUILT:
            found = number
    return found


def _end(path: Path) -> Iterator[Mapping[str, Any]]:
    """The last lines of a log: far more than a write-ahead log holds events."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_END))
            for line in file:
                yield _document(line)
    except OSError:
        return


def tells_of_creates(folder: Path) -> Path | None:
    """What tells that jobs were sent from this run folder; None where nothing does."""
    if next(result_documents(folder), None) is not None:
        return folder / RESULTS_FILE
    if next(sidecars(folder), None) is not None:
        return folder / VIDEOS
    if any(line.get("event") == "intent" and line.get("key") for line in log_lines(folder)):
        return folder / LOG_FILE
    return None


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield _document(line)
    except OSError:
        return


def _document(line: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
