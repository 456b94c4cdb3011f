"""Jobs that wait for a person, and the commands that end each wait."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageError
from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.ledger.store import Row

#: Stands in a command for the id that only the provider's own site tells.
TASK_ID = "TASK_ID"


def names(rows: Sequence[Row]) -> dict[int, str]:
    """What `resolve` calls each row: its key, with its fingerprint where several have the key."""
    keys = Counter(row.key for row in rows)
    return {
        row.row: row.key if keys[row.key] == 1 else f"{row.key}@{row.fingerprint[:8]}"
        for row in rows
    }


def commands(row: Row, name: str, typed: str) -> list[str]:
    """The commands that decide a row, ready to paste.

    `typed` is `RUN` with its options, quoted for a shell.
    """
    start = f"orchestrator resolve {typed} {shlex.quote(name)}"
    if row.state is not State.UNKNOWN:
        return [f"{start} --abandon"]
    found = [f"{start} --adopt {TASK_ID}"]
    if row.position is not None:
        found.append(f"{start} --resubmit")
    return [*found, f"{start} --abandon"]


def documents(rows: Sequence[Row], typed: str) -> list[dict[str, Any]]:
    """`needs_decision` of `run --json` and `status --json`."""
    called = names(rows)
    return [
        {
            "key": row.key,
            "task_id": row.attempt.task_id if row.attempt else None,
            "commands": commands(row, called[row.row], typed),
        }
        for row in rows
    ]


def reason(row: Row) -> str:
    """Why a row waits, as a sentence."""
    attempt = row.attempt
    if row.state is State.UNKNOWN:
        why = f": {attempt.error_message}" if attempt and attempt.error_message else ""
        return f"it is not known whether the create made a task{why}"
    task = attempt.task_id if attempt else None
    return f"task {task} does not end; the next run looks at it again"


def find(rows: Sequence[Row], wanted: Sequence[str]) -> list[Row]:
    """The rows that are called so, in the order asked for, each once.

    Raises UsageError for a name of no row, or of several.
    """
    called = names(rows)
    found: dict[int, Row] = {}
    for name in wanted:
        same = [row for row in rows if name in (called[row.row], row.key)]
        if not same:
            raise UsageError(
                f"{name} does not wait for a decision. The jobs that do are listed by "
                "`orchestrator resolve RUN`. Nothing was changed."
            )
        if len(same) > 1:
            known = ", ".join(called[row.row] for row in same)
            raise UsageError(f"{name} stands for several jobs: say {known}. Nothing was changed.")
        found[same[0].row] = same[0]
    return list(found.values())
