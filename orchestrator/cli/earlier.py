"""What earlier runs of the same account tell this one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.ledger.sqlite import SqliteLedger
    from orchestrator.ledger.store import Ended

#: How many run folders are looked into, the latest first, and how many tasks are taken from each.
FOLDERS, TASKS = 8, 500


def ended_tasks(ledger: SqliteLedger, folder: Path, provider: str, origin: str) -> list[Ended]:
    """Tasks that ended, of this run folder and those beside it, the latest last.

    Only runs at the same origin count: the sandbox says nothing of the real service. A folder
    that cannot be read tells nothing.
    """
    found = list(reversed(ledger.ended(provider, TASKS)))
    for other in _beside(folder):
        with suppress(OrchestratorError):
            from orchestrator.ledger.sqlite import read_ledger

            with read_ledger(other) as earlier:
                if earlier.origin(provider) == origin:
                    found += reversed(earlier.ended(provider, TASKS))
    found.reverse()
    return found


def _beside(folder: Path) -> Iterator[Path]:
    """Run folders beside this one, the latest first."""
    with suppress(OSError):
        ledgers = [path for path in folder.parent.glob("*/ledger.db") if path.parent != folder]
        ledgers.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        yield from (path.parent for path in ledgers[:FOLDERS])
