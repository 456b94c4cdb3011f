"""The plan's jobs become the ledger's current rows, in one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LedgerError
from orchestrator.ledger.encoding import encode_job

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from orchestrator.ledger.store import Admission

_INSERT = """
    INSERT INTO jobs (position, key, identity, fingerprint, stated, provider, model, job, row)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
#: Rows that are as they should be are not written: most of them, on most runs.
_TAKE_OVER = """
    UPDATE jobs SET position = ?1, key = ?2, identity = ?3, fingerprint = ?4, stated = ?5,
        provider = ?6, model = ?7, job = ?8
    WHERE row = ?9 AND (position IS NOT ?1 OR key <> ?2 OR identity <> ?3 OR fingerprint <> ?4
        OR stated <> ?5 OR provider <> ?6 OR model <> ?7 OR job <> ?8)
"""


def admit_jobs(
    connection: sqlite3.Connection, admissions: Sequence[Admission], at: float
) -> list[int]:
    """Make these jobs the current ones, in order, and return their rows.

    Raises LedgerError where a row is unknown or taken over twice, where a job that has a row
    already would get a second one, or where a row would change its provider or model.
    """
    known = {
        row: (key, provider, model)
        for row, key, provider, model in connection.execute(
            "SELECT row, key, provider, model FROM jobs"
        )
    }
    _check_takeovers(known, admissions)
    first_new = _next_row(connection)
    rows = _number(admissions, first_new)
    _leave(connection, set(rows))
    _write(connection, admissions, rows)
    _log_moves(connection, known, admissions, at)
    _delete_unsent(connection)
    _refuse_second_rows(connection, first_new)
    return rows


def _check_takeovers(
    known: dict[int, tuple[str, str, str]], admissions: Sequence[Admission]
) -> None:
    taken: set[int] = set()
    for admission in admissions:
        row, job = admission.row, admission.job
        if row is None:
            continue
        if row not in known or row in taken or known[row][1:] != (job.provider, job.model):
            raise LedgerError(f"{job.key} cannot take over row {row}: please report this defect")
        taken.add(row)


def _next_row(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").fetchone()
    return 1 if found is None else int(found[0]) + 1


def _number(admissions: Sequence[Admission], first_new: int) -> list[int]:
    rows: list[int] = []
    unused = first_new
    for admission in admissions:
        if admission.row is None:
            rows.append(unused)
            unused += 1
        else:
            rows.append(admission.row)
    return rows


def _leave(connection: sqlite3.Connection, staying: set[int]) -> None:
    current = connection.execute("SELECT row FROM jobs WHERE position IS NOT NULL").fetchall()
    connection.executemany(
        "UPDATE jobs SET position = NULL WHERE row = ?",
        [(row,) for (row,) in current if row not in staying],
    )


def _write(
    connection: sqlite3.Connection, admissions: Sequence[Admission], rows: Sequence[int]
) -> None:
    numbered = list(zip(range(len(rows)), admissions, rows, strict=True))
    for statement, new in ((_INSERT, True), (_TAKE_OVER, False)):
        connection.executemany(
            statement,
            (
                _columns(position, admission, row)
                for position, admission, row in numbered
                if (admission.row is None) is new
            ),
        )


def _columns(position: int, admission: Admission, row: int) -> tuple[Any, ...]:
    job = admission.job
    spec = job.spec
    return (
        position, spec.key, spec.identity, job.fingerprint, job.stated,
        spec.provider, spec.model, encode_job(job), row,
    )  # fmt: skip


def _log_moves(
    connection: sqlite3.Connection,
    known: dict[int, tuple[str, str, str]],
    admissions: Sequence[Admission],
    at: float,
) -> None:
    moves = [
        (at, json.dumps({"note": {"from": known[admission.row][0], "to": admission.job.key}}),
         admission.row)
        for admission in admissions
        if admission.row is not None and known[admission.row][0] != admission.job.key
    ]  # fmt: skip
    connection.executemany(
        "INSERT INTO events (at, row, attempt, kind, state, data)"
        " SELECT ?1, row, nullif(attempts, 0), 'moved', NULL, ?2 FROM jobs WHERE row = ?3",
        moves,
    )


def _delete_unsent(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM jobs WHERE position IS NULL AND attempts = 0")


def _refuse_second_rows(connection: sqlite3.Connection, first_new: int) -> None:
    """A new row for a job that has one would pay twice for it."""
    twice = connection.execute(
        "SELECT new.key FROM jobs AS new JOIN jobs AS old USING (identity, fingerprint)"
        " WHERE new.row >= ? AND old.row <> new.row LIMIT 1",
        (first_new,),
    ).fetchone()
    if twice is not None:
        raise LedgerError(f"{twice[0]} has a row in the ledger already: please report this defect")
