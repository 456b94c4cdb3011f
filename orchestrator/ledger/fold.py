"""The state of every row as a fold over its events, in plain Python.

The SQL that the ledger applies to its tables and this fold say the same thing twice, on purpose:
each is the other's witness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.states import check
from orchestrator.ledger.store import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.ledger.store import Event, StoredFile


@dataclass(frozen=True, slots=True)
class Folded:
    """What the events of one row come to."""

    state: State = State.PLANNED
    attempts: tuple[Attempt, ...] = ()
    files: tuple[StoredFile, ...] = ()
    needs_decision: bool = False


def opens_attempt(event: Event, attempts: int) -> bool:
    """Whether this event opens an attempt, where the row has `attempts` so far.

    The first intent of a row always does.
    """
    return event.new_attempt or (event.state is State.SUBMITTING and attempts == 0)


def is_undecided(event: Event, before: bool) -> bool:
    """Whether a person has to decide after this event.

    The event's note `needs_decision` says so; else a create of unknown outcome and a task that was
    given up do, and any other change of state ends it.
    """
    if "needs_decision" in event.note:
        return bool(event.note["needs_decision"])
    if event.kind == "gave_up":
        return True
    return before if event.state is None else event.state is State.UNKNOWN


def fold(events: Iterable[Event]) -> dict[int, Folded]:
    """Every row that has events, by its number.

    Raises LedgerError for an illegal transition and for fields where there is no attempt.
    """
    rows: dict[int, Folded] = {}
    for event in events:
        rows[event.row] = step(rows.get(event.row, Folded()), event)
    return rows


def step(row: Folded, event: Event) -> Folded:
    """The row after one more event. Raises LedgerError as `fold` does."""
    if event.state is not None or event.new_attempt:
        check(row.state, event.state or row.state, new_attempt=event.new_attempt)
    attempts = row.attempts
    if opens_attempt(event, len(attempts)):
        attempts = (*attempts, Attempt(number=len(attempts) + 1))
    if event.fields:
        if not attempts:
            raise LedgerError(f"row {event.row} has no attempt: please report this defect")
        attempts = (*attempts[:-1], replace(attempts[-1], **event.fields))
    return Folded(
        state=event.state or row.state,
        attempts=attempts,
        files=row.files if event.files is None else tuple(event.files),
        needs_decision=is_undecided(event, row.needs_decision),
    )
