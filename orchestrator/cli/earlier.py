"""What earlier runs of the same account tell this one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.sqlite.reading import ReadableLedger
    from orchestrator.ledger.store import Ended

#: How many run folders are looked into, the latest first, and how many of each model's latest tasks
#: are taken from each.
FOLDERS, TASKS = 8, 500


def ended_tasks(ledger: ReadableLedger, folder: Path, provider: str, origin: str) -> list[Ended]:
    """Tasks that ended, of this run folder and those beside it, the latest last.

    Only runs at the same origin count: the sandbox says nothing of the real service. A folder
    that cannot be read tells nothing.
    """
    from orchestrator.ledger.sqlite.reading import read_ledger

    found = list(reversed(ledger.ended(provider, TASKS)))
    for other in _beside(folder):
        with suppress(OrchestratorError, OSError, ValueError), read_ledger(other) as earlier:
            if earlier.origin(provider) == origin:
                found += reversed(earlier.ended(provider, TASKS))
    found.reverse()
    return found


def found_bounds(
    ledger: ReadableLedger, folder: Path, provider: str, origin: str
) -> Mapping[str, Any]:
    """The bounds that the latest run at the same origin found, this folder's before others'."""
    from orchestrator.ledger.sqlite.reading import read_ledger

    said = ledger.meta(f"bounds.{provider}")
    for other in () if said else _beside(folder):
        with suppress(OrchestratorError, OSError, ValueError), read_ledger(other) as earlier:
            if earlier.origin(provider) == origin:
                said = earlier.meta(f"bounds.{provider}")
        if said:
            break
    with suppress(ValueError):
        bounds = json.loads(said or "{}")
        return bounds if isinstance(bounds, dict) else {}
    return {}


def _beside(folder: Path) -> Iterator[Path]:
    """Run folders beside this one, the latest first."""
    with suppress(OSError):
        ledgers = [path for path in folder.parent.glob("*/ledger.db") if path.parent != folder]
        ledgers.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        yield from (path.parent for path in ledgers[:FOLDERS])
