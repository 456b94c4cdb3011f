"""One event becomes rows: the fold of the ledger, as SQL in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.fold import (
    is_resubmitted,
    is_undecided,
    opens_attempt,
    require_attempt,
)
from orchestrator.ledger.states import check

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from orchestrator.ledger.encoding import EncodedEvent
    from orchestrator.ledger.store import StoredFile


def apply_event(connection: sqlite3.Connection, encoded: EncodedEvent) -> None:
    """Append one event and move its row, its latest attempt and its files along.

    Raises LedgerError for an illegal transition, an unknown row, or fields and files where there
    is no attempt that they could come of.
    """
    event = encoded.event
    found = connection.execute(
        "SELECT state, attempts, needs_decision, resubmit FROM jobs WHERE row = ?", (event.row,)
    ).fetchone()
    if found is None:
        raise LedgerError(f"the ledger has no row {event.row}: please report this defect")
    before, attempts, undecided, again = State(found[0]), found[1], bool(found[2]), bool(found[3])
    if event.state is not None or event.new_attempt:
        check(before, event.state or before, new_attempt=event.new_attempt)
    opens = opens_attempt(event, attempts)
    number = attempts + opens
    require_attempt(event, number)
    after = (
        event.state or before,
        number,
        is_undecided(event, undecided),
        is_resubmitted(event, again, before),
    )
    if after != (before, attempts, undecided, again):
        connection.execute(
            "UPDATE jobs SET state = ?, attempts = ?, needs_decision = ?, resubmit = ?"
            " WHERE row = ?",
            (*after, event.row),
        )
    _write_attempt(connection, encoded, number, opens=opens)
    if event.files is not None:
        _write_files(connection, event.row, event.files)
    connection.execute(
        "INSERT INTO events (at, row, attempt, kind, state, data) VALUES (?, ?, ?, ?, ?, ?)",
        (encoded.at, event.row, number or None, event.kind, event.state, encoded.data),
    )


def _write_attempt(
    connection: sqlite3.Connection, encoded: EncodedEvent, number: int, *, opens: bool
) -> None:
    event = encoded.event
    columns = dict(encoded.columns)
    if event.state is not None:
        columns["state"] = event.state
    if not columns:
        return
    # The names come from ATTEMPT_FIELDS, never from outside.
    if opens:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        statement = f"INSERT INTO attempts ({names}, row, number) VALUES ({marks}, ?, ?)"  # noqa: S608
    else:
        settings = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE attempts SET {settings} WHERE row = ? AND number = ?"  # noqa: S608
    connection.execute(statement, (*columns.values(), event.row, number))


def _write_files(connection: sqlite3.Connection, row: int, files: Sequence[StoredFile]) -> None:
    connection.execute("DELETE FROM files WHERE row = ?", (row,))
    connection.executemany(
        "INSERT INTO files (row, place, path, bytes, sha256, duration_s, width, height)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                row, place, file.path, file.bytes, file.sha256,
                file.duration_s, file.width, file.height,
            )
            for place, file in enumerate(files)
        ],
    )  # fmt: skip
