from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerCorrupt, LedgerError, LedgerNewer
from orchestrator.jobs import State
from orchestrator.ledger.keeping import kept_copies
from orchestrator.ledger.sqlite import opening
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.sqlite.reading import read_ledger
from tests.ledger.material import admit, inline, walk, write

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with a closed ledger of three hundred jobs."""
    folder = tmp_path / "runs" / "spring"
    with inline(folder) as ledger:
        rows = admit(ledger, *(f"job-{number}" for number in range(300)))
        walk(ledger, rows[0], State.SUBMITTING, State.SUBMITTED)
    return folder


def test_opening_makes_the_run_folder_and_closing_leaves_two_files(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"ledger.db", "run.lock"}


def test_what_was_written_is_there_after_reopening(folder: Path) -> None:
    with inline(folder) as ledger:
        assert ledger.counts() == {State.PLANNED: 299, State.SUBMITTED: 1}


def test_the_file_is_kept_as_the_design_asks(folder: Path) -> None:
    with inline(folder) as ledger:
        settings = [
            ledger.fetch(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert settings == ["wal", 2, 1]


def test_a_newer_ledger_is_refused_by_both_ways_of_opening(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opener in (inline, read_ledger):
        with pytest.raises(LedgerNewer, match="version 99"):
            opener(folder)


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def punch(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xa5" * 4096 * 4)


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [overwrite, punch, halve, empty])
def test_a_damaged_ledger_is_found_at_opening_and_a_copy_is_kept(folder: Path, damage) -> None:
    damage(folder / "ledger.db")
    damaged = (folder / "ledger.db").read_bytes()
    with pytest.raises(LedgerCorrupt, match="would pay again") as refused:
        inline(folder)
    assert refused.value.exit_code == 7
    assert "orchestrator rebuild MANIFEST" in str(refused.value)
    (copy,) = kept_copies(folder / "ledger.db")
    assert str(copy) in str(refused.value)
    assert copy.read_bytes() == damaged == (folder / "ledger.db").read_bytes()
    with pytest.raises(LedgerCorrupt):
        inline(folder)
    assert kept_copies(folder / "ledger.db") == [copy], "one copy of one state is enough"


def test_the_log_of_a_damaged_ledger_is_kept_with_it_and_not_folded_into_it(folder: Path) -> None:
    ledger = inline(folder)
    write(ledger, 3, "intent", State.SUBMITTING)
    leave_open(ledger, folder)
    punch(folder / "ledger.db")
    before = (folder / "ledger.db-wal").read_bytes()
    with pytest.raises(LedgerCorrupt):
        inline(folder)
    (copy,) = kept_copies(folder / "ledger.db")
    assert copy.with_name(f"{copy.name}-wal").read_bytes() == before
    assert (folder / "ledger.db-wal").read_bytes() == before


@pytest.mark.parametrize("opener", [inline, read_ledger])
def test_the_log_of_an_emptied_ledger_is_not_deleted(folder: Path, opener) -> None:
    """SQLite takes an empty file for a new one, and removes the log that lies beside it."""
    ledger = inline(folder)
    write(ledger, 3, "intent", State.SUBMITTING)
    leave_open(ledger, folder)
    empty(folder / "ledger.db")
    before = (folder / "ledger.db-wal").read_bytes()
    with pytest.raises(LedgerCorrupt, match=r"(?s)emptied.*orchestrator rebuild"):
        opener(folder)
    assert (folder / "ledger.db-wal").read_bytes() == before


def leave_open(ledger: SqliteLedger, folder: Path) -> None:
    """Leave the ledger's files as a killed process does: with its log."""
    files = {path: path.read_bytes() for path in folder.glob("ledger.db*")}
    ledger.close()
    for path, data in files.items():
        path.write_bytes(data)


def test_a_large_file_is_not_read_as_a_whole_after_an_end_in_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CHECKED_SIZE", 0)
    punch(folder / "ledger.db")
    with inline(folder) as ledger, pytest.raises(LedgerCorrupt):
        list(ledger.rows())


def test_a_large_file_is_read_as_a_whole_after_any_other_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CHECKED_SIZE", 0)
    leave_open(inline(folder), folder)
    with (folder / "ledger.db-wal").open("ab") as log:
        log.write(b"x" * 100)
    punch(folder / "ledger.db")
    with pytest.raises(LedgerCorrupt, match="is damaged"):
        inline(folder)


def test_a_large_file_that_was_cut_short_is_found_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CHECKED_SIZE", 0)
    halve(folder / "ledger.db")
    with pytest.raises(LedgerCorrupt, match="is damaged"):
        inline(folder)


def test_a_disk_that_cannot_give_back_what_was_written_is_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ

    def unreadable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(opening, "refuse_newer", unreadable)
    with pytest.raises(LedgerCorrupt, match="disk I/O error"):
        inline(folder)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    with pytest.raises(LedgerError, match="disk's room"):
        inline(folder)


def test_what_a_killed_run_left_in_the_log_is_folded_in_before_anything_is_added(
    folder: Path,
) -> None:
    ledger = inline(folder)
    write(ledger, 3, "intent", State.SUBMITTING)
    leave_open(ledger, folder)
    with inline(folder) as again:
        assert (folder / "ledger.db-wal").stat().st_size == 0
        assert again.row(3).state is State.SUBMITTING


def test_a_reader_that_stands_in_the_way_of_that_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_PATIENCE", 0.0)
    ledger = inline(folder)
    write(ledger, 3, "intent", State.SUBMITTING)
    leave_open(ledger, folder)
    with closing(sqlite3.connect(folder / "ledger.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM jobs").fetchone()
        with pytest.raises(LedgerError, match="held open by a reader"):
            inline(folder)
        reader.rollback()
    inline(folder).close()


def test_a_damaged_ledger_read_by_status_says_what_to_do(folder: Path) -> None:
    overwrite(folder / "ledger.db")
    with pytest.raises(LedgerCorrupt, match="orchestrator rebuild"):
        read_ledger(folder)


RESULT = {"attempt": 1, "fingerprint": "f", "key": "job-0", "state": "stored"}
SIDECAR = {"task_id": "t", "fingerprint": "f", "key": "job-0"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.jsonl", json.dumps(RESULT)),
        ("videos/deep/job-0.json", json.dumps(SIDECAR)),
        ("run.log", '{"event": "run"}\nhalf a li\n{"event": "intent", "key": "job-0"}'),
        ("ledger.db.corrupt-20260511T010203Z", ""),
        ("ledger.db-wal", "a log that SQLite would take for the new file's"),
    ],
)
def test_a_ledger_that_is_gone_is_not_taken_for_a_new_one(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(LedgerCorrupt, match=r"(?s)is gone, and .*orchestrator rebuild"):
        inline(tmp_path)
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.jsonl", '{"attempt": null, "fingerprint": "f"}\n[]\n\xff'),
        ("videos/job-0.json", '{"anything": "else"}'),
        ("run.log", '{"event": "run"}\nsomebody else\'s words\n'),
    ],
)
def test_files_that_tell_of_no_create_do_not_stand_in_the_way(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    inline(tmp_path).close()
    assert (tmp_path / "ledger.db").exists()


def test_a_leftover_of_a_killed_creation_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "ledger.db.new").write_bytes(b"half of a file")
    with inline(tmp_path) as ledger:
        assert ledger.counts() == {}


def test_reading_where_there_is_no_ledger_is_an_error_that_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        read_ledger(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_that_is_a_file_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(LedgerError, match="--run-dir"):
        inline(tmp_path / "runs" / "spring")


def test_a_closed_ledger_is_read_without_writing_beside_it(folder: Path) -> None:
    before = sorted(folder.iterdir())
    with read_ledger(folder) as ledger:
        assert ledger.counts()[State.SUBMITTED] == 1
    assert sorted(folder.iterdir()) == before


def _log_line(row: int) -> str:
    return json.dumps({"event": "intent", "key": f"job-{row}", "row": row, "attempt": 1}) + "\n"


@pytest.mark.parametrize("how", ["gone", "broken"])
def test_a_ledger_that_lost_its_write_ahead_log_is_refused(tmp_path: Path, how: str) -> None:
    """SQLite takes the rest for all there is, and would have every job created again."""
    before, after = tmp_path / "before", tmp_path / "after"
    after.mkdir()
    with open_ledger(before, campaign="spring", threaded=False) as ledger:
        rows = admit(ledger, *(f"job-{number}" for number in range(9)))
        for row in rows:
            write(ledger, row, "intent", State.SUBMITTING, body=b"x" * 3000)
        for name in ("ledger.db", "ledger.db-wal"):
            shutil.copy(before / name, after / name)
    log = after / "ledger.db-wal"
    if how == "gone":
        log.unlink()
    else:
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 1
        log.write_bytes(data)
    (after / "run.log").write_text("".join(_log_line(row) for row in rows))
    with pytest.raises(LedgerCorrupt, match=r"creates that run\.log tells of"):
        open_ledger(after, campaign="spring")


def test_a_log_that_tells_of_nothing_else_refuses_nothing(tmp_path: Path) -> None:
    with open_ledger(tmp_path, campaign="spring", threaded=False) as ledger:
        rows = admit(ledger, "a")
        write(ledger, rows[0], "intent", State.SUBMITTING)
    lines = [_log_line(77), json.dumps({"event": "rebuilt"}) + "\n", _log_line(rows[0])]
    (tmp_path / "run.log").write_text("".join(lines) + "not JSON\n")
    open_ledger(tmp_path, campaign="spring").close()
