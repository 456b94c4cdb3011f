"""The reader of pages against SQLite itself, which wrote them."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.ledger.repair.pages import Record, records

VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, 1, -1, 127, 128, -32768, 8388607, 2**47, -(2**47) - 1])
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=20)
    | st.integers(400, 9000).map(lambda length: "x" * length)
    | st.integers(400, 9000).map(lambda length: b"\x00y" * length)
)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=25)


def filled(path: Path, rows: list[tuple], page_size: int = 4096) -> sqlite3.Connection:
    """A database with these rows, twice: in a table with row numbers and in one without."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE numbered (a, b, c)")
    connection.execute("CREATE TABLE keyed (place PRIMARY KEY, a, b, c) WITHOUT ROWID")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO numbered VALUES (?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO keyed VALUES (?, ?, ?, ?)", [(place, *row) for place, row in enumerate(rows)]
    )
    connection.execute("COMMIT")
    return connection


def found(path: Path, columns: int) -> dict[object, tuple]:
    """The records of so many columns by their number, or else by their first value."""
    return {
        (record.values[0] if record.rowid is None else record.rowid): record.values
        for record in records(path)
        if len(record.values) == columns
    }


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, page_size=st.sampled_from([512, 1024, 4096, 65536]), closed=st.booleans())
def test_every_record_is_read_as_sqlite_wrote_it(
    rows: list[tuple], page_size: int, closed: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.db")
        connection = filled(path, rows, page_size)
        if closed:
            connection.close()
        assert found(path, 3) == dict(enumerate(rows, 1))
        assert found(path, 4) == {place: (place, *row) for place, row in enumerate(rows)}
        connection.close()


def test_a_row_that_was_changed_in_the_log_is_read_as_it_is_now(tmp_path: Path) -> None:
    with closing(filled(tmp_path / "a.db", [("old", 1, 2)])) as connection:
        connection.execute("PRAGMA wal_checkpoint")
        connection.execute("UPDATE numbered SET a = 'new'")
        assert found(tmp_path / "a.db", 3) == {1: ("new", 1, 2)}


def test_a_log_counts_up_to_its_last_whole_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(filled(path, [("old", 1, 2)])) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("UPDATE numbered SET a = 'new'")
        first = (tmp_path / "a.db-wal").stat().st_size
        connection.execute("UPDATE numbered SET a = 'newer'")
        log, data = (tmp_path / "a.db-wal").read_bytes(), path.read_bytes()
    path.write_bytes(data)
    for size, expected in ((len(log), "newer"), (len(log) - 1, "new"), (first - 1, "old")):
        (tmp_path / "a.db-wal").write_bytes(log[:size])
        assert found(path, 3)[1][0] == expected
    torn = bytearray(log)
    torn[first + 30] ^= 1
    (tmp_path / "a.db-wal").write_bytes(torn)
    assert found(path, 3)[1][0] == "new"


@pytest.fixture(scope="module")
def ledger_like(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of several levels: three hundred rows, some of them long."""
    path = tmp_path_factory.mktemp("pages") / "a.db"
    rows = [(number, "x" * (number * 37 % 6000), None) for number in range(300)]
    filled(path, rows).close()
    return path.read_bytes()


def test_what_other_pages_hold_is_found_without_the_pages_that_lead_there(
    ledger_like: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"\xa5" * 4096 * 3 + ledger_like[4096 * 3 :])
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("SELECT count(*) FROM numbered").fetchone()
    assert len(found(path, 3)) > 250


def test_a_file_that_was_cut_short_gives_what_is_left(ledger_like: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(ledger_like[: len(ledger_like) // 4 + 77])
    whole = {number: (number - 1, "x" * ((number - 1) * 37 % 6000), None) for number in range(301)}
    left = found(path, 3)
    assert 50 < len(left) < 300
    assert all(whole[number] == values for number, values in left.items())


def test_no_file_at_all_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"")
    assert list(records(tmp_path / "a.db")) == []


@settings(max_examples=60, deadline=None)
@given(
    damage=st.lists(
        st.tuples(st.integers(0, 400_000), st.binary(min_size=1, max_size=300)), max_size=30
    )
)
def test_whatever_is_written_over_it_reading_ends_without_an_error(
    ledger_like: bytes, damage: list[tuple[int, bytes]]
) -> None:
    data = bytearray(ledger_like)
    for place, garbage in damage:
        start = place % len(data)
        data[start : start + len(garbage)] = garbage
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.db")
        path.write_bytes(data)
        assert all(isinstance(record, Record) for record in records(path))
