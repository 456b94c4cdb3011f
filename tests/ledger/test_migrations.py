from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerNewer
from orchestrator.jobs import State
from orchestrator.ledger.migrations import MIGRATIONS, upgrade, version_of
from tests.ledger.material import admit, in_memory, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = ("CREATE TABLE jobs (name TEXT)",)
SECOND = ("ALTER TABLE jobs ADD COLUMN colour TEXT", "UPDATE jobs SET colour = 'red'")
BROKEN = ("CREATE TABLE more (name TEXT)", "no statement at all")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def test_an_empty_file_gets_every_step_and_no_backup(
    connection: sqlite3.Connection, path: Path
) -> None:
    upgrade(connection, path, (FIRST, SECOND))
    assert version_of(connection) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["ledger.db"]


def test_an_older_file_is_copied_before_it_is_changed(
    connection: sqlite3.Connection, path: Path
) -> None:
    upgrade(connection, path, (FIRST,))
    connection.execute("INSERT INTO jobs VALUES ('reveal')")
    upgrade(connection, path, (FIRST, SECOND))
    assert connection.execute("SELECT * FROM jobs").fetchall() == [("reveal", "red")]
    with closing(sqlite3.connect(path.with_name("ledger.1.backup.db"))) as backup:
        assert version_of(backup) == 1
        assert backup.execute("SELECT * FROM jobs").fetchall() == [("reveal",)]


def test_a_current_file_is_left_alone(connection: sqlite3.Connection, path: Path) -> None:
    upgrade(connection, path, (FIRST, SECOND))
    upgrade(connection, path, (FIRST, SECOND))
    assert [entry.name for entry in path.parent.iterdir()] == ["ledger.db"]


def test_a_step_that_fails_leaves_the_version_before_it(
    connection: sqlite3.Connection, path: Path
) -> None:
    with pytest.raises(sqlite3.OperationalError):
        upgrade(connection, path, (FIRST, BROKEN))
    assert version_of(connection) == 1
    assert tables(connection) == {"jobs"}


def test_a_newer_file_is_refused_and_not_touched(
    connection: sqlite3.Connection, path: Path
) -> None:
    upgrade(connection, path, (FIRST, SECOND))
    before = path.read_bytes()
    with pytest.raises(LedgerNewer, match="version 2, and this program knows versions up to 1"):
        upgrade(connection, path, (FIRST,))
    assert path.read_bytes() == before


def test_the_first_version_has_every_table(connection: sqlite3.Connection, path: Path) -> None:
    upgrade(connection, path, MIGRATIONS)
    named = {"meta", "jobs", "attempts", "files", "events", "uploads", "origins"}
    assert named <= tables(connection)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE events SET kind = 'other'", "append-only"),
        ("DELETE FROM events", "append-only"),
        ("DELETE FROM attempts", "never forgotten"),
        ("DELETE FROM jobs", "never forgotten"),
        ("UPDATE attempts SET task_id = 'other'", "a task id never changes"),
        ("UPDATE attempts SET task_id = NULL", "a task id never changes"),
        ("UPDATE jobs SET state = 'planned'", "a final state never changes"),
        ("UPDATE jobs SET state = 'submitting'", "a final state never changes"),
        ("UPDATE jobs SET state = 'dreaming'", "CHECK|final"),
    ],
)
def test_the_tables_themselves_refuse_to_forget(statement: str, reason: str) -> None:
    ledger = in_memory()
    (row,) = admit(ledger, "reveal")
    walk(ledger, row, State.SUBMITTING, State.SUBMITTED, State.FAILED)
    with pytest.raises(sqlite3.IntegrityError, match=reason):
        ledger._connection.execute(statement)
    ledger.close()
