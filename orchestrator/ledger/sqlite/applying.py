"""Events become rows: the fold of the ledger, as SQL in the writer's transactions.

Each event is judged when it is applied; what it changes is written when the transaction ends,
together with what the others change, in a few statements of many rows each. One statement for
each change would cost more in handing the interpreter back and forth than in SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.fold import (
    is_resubmitted,
    is_undecided,
    opens_attempt,
    require_attempt,
)
from orchestrator.ledger.sqlite.many import insert_many, update_many
from orchestrator.ledger.states import check

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from orchestrator.ledger.encoding import EncodedEvent
    from orchestrator.ledger.store import Event, StoredFile

#: Most rows whose standing is remembered; beyond that it is read again.
MOST_KNOWN = 10_000

_EVENT = ("at", "row", "attempt", "kind", "state", "data")
_FILE = ("row", "place", "path", "bytes", "sha256", "duration_s", "width", "height")


class Standing(NamedTuple):
    """How a row stands: the columns that events move."""

    state: State
    attempts: int
    needs_decision: bool
    resubmit: bool


class Applier:
    """Applies events in their order, and remembers how the rows stand that it moved.

    It belongs to the one writer: nobody else changes these columns while it remembers them.
    """

    def __init__(self) -> None:
        self._known: dict[int, Standing] = {}
        self._moved: dict[int, Standing] = {}
        #: Columns by (row, number), of attempts that begin here and of others.
        self._opened: dict[tuple[int, int], dict[str, Any]] = {}
        self._changed: dict[tuple[int, int], dict[str, Any]] = {}
        self._files: dict[int, Sequence[StoredFile]] = {}
        self._events: list[tuple[Any, ...]] = []

    def forget(self) -> None:
        """Drop what is not written, and read how rows stand again."""
        self._known.clear()
        self._clear()

    def apply(self, connection: sqlite3.Connection, encoded: EncodedEvent) -> None:
        """Append one event and move its row, its latest attempt and its files along.

        Raises LedgerError for an illegal transition, an unknown row, or fields and files where
        there is no attempt that they could come of; the event leaves nothing then.
        """
        event = encoded.event
        row = event.row
        before = self._known.get(row) or _read(connection, row)
        after = _moved(before, event)
        if after != before:
            self._known[row] = self._moved[row] = after
        self._change_attempt((row, after.attempts), encoded, opens=after[1] > before[1])
        if event.files is not None:
            self._files[row] = event.files
        self._events.append(
            (encoded.at, row, after.attempts or None, event.kind, event.state, encoded.data)
        )

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what was applied since, in the caller's transaction."""
        if self._moved:
            rows = [(*standing, row) for row, standing in self._moved.items()]
            update_many(connection, "jobs", Standing._fields, ("row",), rows)
        if self._opened:
            for names, attempts in _alike(self._opened):
                insert_many(connection, "attempts", (*names, "row", "number"), attempts)
        if self._changed:
            for names, attempts in _alike(self._changed):
                update_many(connection, "attempts", names, ("row", "number"), attempts)
        if self._files:
            _write_files(connection, self._files)
        if self._events:
            insert_many(connection, "events", _EVENT, self._events)
        self._clear()
        if len(self._known) > MOST_KNOWN:
            self._known.clear()

    def _change_attempt(
        self, attempt: tuple[int, int], encoded: EncodedEvent, *, opens: bool
    ) -> None:
        columns = dict(encoded.columns)
        if encoded.event.state is not None:
            columns["state"] = encoded.event.state
        if opens:
            self._opened[attempt] = columns
        elif attempt in self._opened:
            self._opened[attempt] |= columns
        elif columns:
            self._changed.setdefault(attempt, {}).update(columns)

    def _clear(self) -> None:
        for waiting in (self._moved, self._opened, self._changed, self._files, self._events):
            waiting.clear()


def _moved(before: Standing, event: Event) -> Standing:
    """How a row stands after an event. Raises LedgerError where that may not be."""
    if event.state is not None or event.new_attempt:
        check(before.state, event.state or before.state, new_attempt=event.new_attempt)
    attempts = before.attempts + opens_attempt(event, before.attempts)
    require_attempt(event, attempts)
    return Standing(
        event.state or before.state,
        attempts,
        is_undecided(event, before.needs_decision),
        is_resubmitted(event, before.resubmit, before.state),
    )


def _read(connection: sqlite3.Connection, row: int) -> Standing:
    found = connection.execute(
        "SELECT state, attempts, needs_decision, resubmit FROM jobs WHERE row = ?", (row,)
    ).fetchone()
    if found is None:
        raise LedgerError(f"the ledger has no row {row}: please report this defect")
    return Standing(State(found[0]), found[1], bool(found[2]), bool(found[3]))


def _alike(
    attempts: Mapping[tuple[int, int], Mapping[str, Any]],
) -> list[tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    """Attempts by the columns that they set: the names, and the values with row and number."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for attempt, columns in attempts.items():
        groups.setdefault(tuple(columns), []).append((*columns.values(), *attempt))
    return list(groups.items())


def _write_files(connection: sqlite3.Connection, files: Mapping[int, Sequence[StoredFile]]) -> None:
    connection.executemany("DELETE FROM files WHERE row = ?", [(row,) for row in files])
    rows = [
        (
            row, place, file.path, file.bytes, file.sha256,
            file.duration_s, file.width, file.height,
        )
        for row, stored in files.items()
        for place, file in enumerate(stored)
    ]  # fmt: skip
    insert_many(connection, "files", _FILE, rows)
