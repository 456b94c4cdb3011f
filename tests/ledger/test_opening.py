from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerCorrupt, LedgerError, LedgerNewer
from orchestrator.jobs import State
from orchestrator.ledger import opening
from orchestrator.ledger.sqlite import read_ledger
from tests.ledger.material import admit, inline, walk

if TYPE_CHECKING:
    from pathlib import Path


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
    assert (folder / "ledger.damaged.db").read_bytes() == damaged
    with pytest.raises(LedgerCorrupt):
        inline(folder)


def test_damage_in_a_file_too_large_to_check_is_found_where_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CHECKED_SIZE", 0)
    punch(folder / "ledger.db")
    with inline(folder) as ledger, pytest.raises(LedgerCorrupt):
        list(ledger.rows())


def test_a_damaged_ledger_read_by_status_says_what_to_do(folder: Path) -> None:
    overwrite(folder / "ledger.db")
    with pytest.raises(LedgerCorrupt, match="orchestrator run"):
        read_ledger(folder)


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


def test_an_archived_folder_that_cannot_be_written_can_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening.os, "access", lambda path, mode: False)
    before = sorted(folder.iterdir())
    with read_ledger(folder) as ledger:
        assert ledger.counts()[State.SUBMITTED] == 1
    assert sorted(folder.iterdir()) == before
