"""What else in a run folder tells of its jobs, should the ledger itself be damaged or gone.

`results.jsonl` as the last run that ended left it, the sidecar beside each video, and `run.log`.
None of them is the truth; all are read without trust, and what cannot be read is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RESULTS_FILE = "results.jsonl"
LOG_FILE = "run.log"
VIDEOS = "videos"


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
    """The lines of `run.log`, oldest first; one that makes no sense is empty."""
    yield from _lines(folder / LOG_FILE)


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
