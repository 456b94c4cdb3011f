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

#: The kind of event by which a person has an unknown create sent again.
RESUBMIT = "resubmit"


@dataclass(frozen=True, slots=True)
class Folded:
    """What the events of one row come to."""

    state: State = State.PLANNED
    attempts: tuple[Attempt, ...] = ()
    files: tuple[StoredFile, ...] = ()
    needs_decision: bool = False
    resubmit: bool = False


def opens_attempt(event: Event, attempts: int) -> bool:
    """Whether this event opens an attempt, where the row has `attempts` so far.

    The first intent of a row always does.
    """
    return event.new_attempt or (event.state is State.SUBMITTING and attempts == 0)


def require_attempt(event: Event, attempts: int) -> None:
    """Raise LedgerError where fields or files have no attempt that they could come of.

    A row that was never sent may be deleted, and must have nothing that would be lost.
    """
    if attempts == 0 and (event.fields or event.files):
        raise LedgerError(
            f"row {event.row} has no attempt to keep fields or files: please report this defect"
        )


def is_undecided(event: Event, before: bool) -> bool:
    """Whether a person has to decide after this event.

    The event's note `needs_decision` says so; else a create of unknown outcome and a task that was
    given up do, and a resubmission and any other change of state end it.
    """
    if "needs_decision" in event.note:
        return bool(event.note["needs_decision"])
    if event.kind in ("gave_up", RESUBMIT):
        return event.kind == "gave_up"
    return before if event.state is None else event.state is State.UNKNOWN


def is_resubmitted(event: Event, before: bool, state: State) -> bool:
    """Whether the next run is to send again after this event, for a row that was in `state`.

    Raises LedgerError where a row that is not `unknown` would be sent again.
    """
    if event.kind == RESUBMIT:
        if state not in (State.UNKNOWN, State.FAILED):
            raise LedgerError(f"a job that is {state} cannot be resubmitted: report this defect")
        return True
    if event.note.get("retry_due"):
        return True
    return before and event.state is None


def fold(events: Iterable[Event]) -> dict[int, Folded]:
    """Every row that has events, by its number.

    Raises LedgerError for an illegal transition and for fields or files where there is no
    attempt.
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
    require_attempt(event, len(attempts))
    if event.fields:
        attempts = (*attempts[:-1], replace(attempts[-1], **event.fields))
    return Folded(
        state=event.state or row.state,
        attempts=attempts,
        files=row.files if event.files is None else tuple(event.files),
        needs_decision=is_undecided(event, row.needs_decision),
        resubmit=is_resubmitted(event, row.resubmit, row.state),
    )
