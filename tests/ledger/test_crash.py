from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from tests.ledger.material import inline

if TYPE_CHECKING:
    from pathlib import Path


def run_child(folder: Path, *, kill_after: int = 0, largest_file: int = 0) -> list[str]:
    """Run the writing process, kill -9 after so many lines, and return all lines that it said."""
    command = [sys.executable, "-m", "tests.ledger.crash_child", folder, str(largest_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = []
        for line in child.stdout:
            lines.append(line.strip())
            if len(lines) == kill_after:
                child.kill()
    return lines


def check_against(folder: Path, lines: list[str]) -> None:
    """Everything said to be on disk is in the ledger, and the ledger is whole."""
    with inline(folder) as ledger:
        assert ledger.fetch("PRAGMA integrity_check") == [("ok",)]
        rows = {row.row: row for row in ledger.rows()}
        for line in lines:
            word, _, number = line.partition(" ")
            if word == "intent":
                assert rows[int(number)].attempt.body == b"{}" * 500
            elif word == "task":
                assert rows[int(number)].attempt.task_id == f"task-{number}"
        folded = fold(logged.event for logged in ledger.events())
        for number, found in folded.items():
            assert (rows[number].state, (rows[number].attempt,)) == (found.state, found.attempts)


def test_five_kills_in_a_row_lose_nothing_that_was_awaited(tmp_path: Path) -> None:
    said: list[str] = []
    for kill_after in (1, 37, 400, 151, 800):
        lines = run_child(tmp_path, kill_after=kill_after)
        assert len(lines) >= kill_after
        assert lines[-1] != "done"
        said += lines
        check_against(tmp_path, said)


def test_a_disk_that_fails_at_any_write_loses_nothing_that_was_awaited(tmp_path: Path) -> None:
    said: list[str] = []
    limit = 8_000_000
    for growth in (40_000, 300_001):
        lines = run_child(tmp_path, largest_file=limit)
        assert lines[-1] == "failed"
        said += lines
        check_against(tmp_path, said)
        limit = growth + max(path.stat().st_size for path in tmp_path.glob("ledger.db*"))
    said += run_child(tmp_path)
    assert said[-1] == "done"
    check_against(tmp_path, said)
    with inline(tmp_path) as ledger:
        assert set(ledger.counts()) == {State.SUBMITTED}
