"""Ledgers that are damaged, and what has to hold for those made again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from orchestrator.jobs import State
from orchestrator.ledger.fold import Folded, fold
from tests.ledger.nights import OVER, PATHS, UNPAID, Night

if TYPE_CHECKING:
    from pathlib import Path

#: One job for each way that a job may go.
ALL = {way.replace(" ", "-"): way for way in PATHS}


def destroy(path: Path) -> None:
    path.write_bytes(b"\xa5" * path.stat().st_size)


def punch(path: Path, first: int, last: int) -> None:
    """Overwrite some of the file's pages."""
    with path.open("r+b") as file:
        file.seek(first * 4096)
        file.write(b"\xa5" * 4096 * (last - first + 1))


def pages_of(path: Path, table: str) -> list[int]:
    """The pages of a table, from 0."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,))
        return [number - 1 for (number,) in found]


def states(night: Night) -> dict[str, State]:
    with night.reopened() as ledger:
        return {row.key: row.state for row in ledger.rows()}


def check(night: Night, *, log_is_whole: bool) -> None:
    """What has to hold for whatever is left of a night."""
    with night.reopened() as ledger:
        assert ledger.fetch("PRAGMA integrity_check") == [("ok",)]
        assert ledger.fetch("PRAGMA foreign_key_check") == []
        folded = fold(logged.event for logged in ledger.events())
        rows = {row.key: row for row in ledger.rows(current=True)}
        assert list(rows) == list(night.ways), "every job of the manifest has a row, in its order"
        for row in ledger.rows():
            expected = folded.get(row.row, Folded())
            assert (row.state, row.files) == (expected.state, expected.files)
            assert tuple(ledger.attempts(row.row)) == expected.attempts
            assert not row.resubmit
        for key, way in night.ways.items():
            row = rows[key]
            if way not in UNPAID:
                assert row.state is not State.PLANNED, f"{way} would be paid again"
            charges = [attempt.charge for attempt in ledger.attempts(row.row)]
            if way not in UNPAID | OVER or row.state is State.UNKNOWN:
                assert sum(charge or 0 for charge in charges) >= 3.0 or row.state is State.FAILED
            if row.state is State.PLANNED:
                assert log_is_whole, "one witness is not enough"
            assert row.needs_decision == (row.state is State.UNKNOWN)
