from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerNewer
from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from orchestrator.ledger.sqlite import migrations
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.sqlite.migrations import MIGRATIONS, back_up, upgrade, version_of
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.ledger.store import Event
from tests.ledger.material import admit, in_memory, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger

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


def test_a_backup_that_was_cut_short_is_made_again(
    connection: sqlite3.Connection, path: Path
) -> None:
    upgrade(connection, path, (FIRST,))
    connection.execute("INSERT INTO jobs VALUES ('reveal')")
    for name in ("ledger.1.backup.db", "ledger.1.backup.db.new", "ledger.1.backup.db.new-journal"):
        path.with_name(name).write_bytes(b"half of a file")
    upgrade(connection, path, (FIRST, SECOND))
    with closing(sqlite3.connect(path.with_name("ledger.1.backup.db"))) as backup:
        assert backup.execute("SELECT * FROM jobs").fetchall() == [("reveal",)]
    assert {entry.name for entry in path.parent.iterdir()} == {"ledger.db", "ledger.1.backup.db"}


def test_without_a_durable_backup_nothing_is_changed(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    upgrade(connection, path, (FIRST,))
    monkeypatch.setattr(migrations, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        upgrade(connection, path, (FIRST, SECOND))
    assert version_of(connection) == 1
    assert not path.with_name("ledger.1.backup.db").exists()


def test_a_step_that_fails_later_leaves_the_backup_of_where_it_began(
    connection: sqlite3.Connection, path: Path
) -> None:
    upgrade(connection, path, (FIRST,))
    with pytest.raises(sqlite3.OperationalError):
        upgrade(connection, path, (FIRST, SECOND, BROKEN))
    assert version_of(connection) == 2
    upgrade(connection, path, (FIRST, SECOND, FIRST[:0]))
    names = {entry.name for entry in path.parent.glob("*.backup.db")}
    assert names == {"ledger.1.backup.db", "ledger.2.backup.db"}


async def test_a_backup_while_a_run_writes_is_one_whole_moment_of_it(tmp_path: Path) -> None:
    """A copy by other means may mix several moments; this one holds whole commits alone."""
    target = tmp_path / "backup.db"

    def copy_it() -> None:
        with closing(sqlite3.connect(tmp_path / "run" / "ledger.db")) as reading:
            back_up(reading, target)

    with open_ledger(tmp_path / "run", campaign="spring") as ledger:
        rows = admit(ledger, *(f"job-{number}" for number in range(2000)))
        under_way = asyncio.Event()

        async def produce() -> None:
            for row in rows:
                await ledger.record(
                    Event(row, "intent", State.SUBMITTING, fields={"body": b"x" * 4000}),
                    Event(row, "accepted", State.SUBMITTED, fields={"task_id": f"task-{row}"}),
                )
                if row == rows[50]:
                    under_way.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(produce())
            await under_way.wait()
            await asyncio.to_thread(copy_it)
    with read_ledger_at(target) as copy:
        assert copy.fetch("PRAGMA integrity_check") == [("ok",)]
        counts = copy.counts()
        assert set(counts) <= {State.PLANNED, State.SUBMITTED}, "no half of a commit"
        assert counts[State.SUBMITTED] > 50
        folded = fold(logged.event for logged in copy.events())
        assert sum(row.state is State.SUBMITTED for row in folded.values()) == counts["submitted"]


@contextmanager
def read_ledger_at(path: Path) -> Iterator[SqliteLedger]:
    """A backup, read as the ledger that it is."""
    path.rename(path.with_name("ledger.db"))
    with read_ledger(path.parent) as ledger:
        yield ledger


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
