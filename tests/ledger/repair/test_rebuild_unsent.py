"""A ledger made again: what may be paid is not sent again by itself."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.jobs import State
from tests.ledger.damage import ALL, check, destroy, pages_of, punch, states
from tests.ledger.nights import PATHS, STORED, Night


async def test_after_a_run_that_was_cut_off_no_job_goes_for_unsent(tmp_path: Path) -> None:
    night = Night(tmp_path / "run", dict(ALL))
    night.run(ends=False)
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_position")
    punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    check(night, log_is_whole=False)
    assert states(night)["new"] is State.UNKNOWN


@pytest.mark.parametrize("last", [{"event": "end", "exit_code": 7}, {"event": "run"}, {}])
async def test_a_log_that_may_lack_something_is_no_witness(night: Night, last: dict) -> None:
    with (night.folder / "run.log").open("a") as log:
        log.write(json.dumps(last) + "\n")
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_position")
    punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    check(night, log_is_whole=False)


async def test_a_job_that_is_unknown_says_why_and_counts_against_the_budget(night: Night) -> None:
    destroy(night.folder / "ledger.db")
    (night.folder / "run.log").unlink()
    await night.rebuild()
    with night.reopened() as ledger:
        row = next(row for row in ledger.rows() if row.key == "new")
        assert row.attempt.error_code == "ledger_rebuilt"
        assert "does not tell whether this was sent" in row.attempt.error_message
        assert (row.attempt.charge, row.attempt.estimated) == (3.0, 3.0)
        assert ledger.attempts_made() >= len(night.ways)


SOURCES = ("results.jsonl", "run.log", "videos", "ledger.db-wal")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ways=st.lists(st.sampled_from(sorted(PATHS)), min_size=1, max_size=25),
    ends=st.booleans(),
    rows_in_log=st.booleans(),
    lost=st.sets(st.sampled_from(SOURCES)),
    holes=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 6)), min_size=1, max_size=6),
    cut=st.none() | st.floats(0, 1),
)
def test_whatever_is_lost_nothing_that_may_be_paid_is_sent_again(
    ways: list[str],
    ends: bool,
    rows_in_log: bool,
    lost: set[str],
    holes: list[tuple[float, int]],
    cut: float | None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jobs = {f"j{number}-{way.replace(' ', '-')}": way for number, way in enumerate(ways)}
        night = Night(Path(folder, "run"), jobs, rows_in_log=rows_in_log)
        night.run(ends=ends)
        path = night.folder / "ledger.db"
        for name in lost:
            target = night.folder / name
            if target.is_dir():
                for sidecar in target.glob("*.json"):
                    sidecar.unlink()
            else:
                target.unlink(missing_ok=True)
        size = path.stat().st_size // 4096
        for place, length in holes:
            punch(path, int(place * size), int(place * size) + length - 1)
        if cut is not None:
            path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
        try:
            made = asyncio.run(night.rebuild())
        except UsageError:
            event("nothing was found wrong")
            return
        check(night, log_is_whole=ends and "run.log" not in lost)
        with night.reopened() as ledger:
            rows = {row.key: row for row in ledger.rows(current=True)}
            known = {
                attempt.task_id for row in rows.values() for attempt in ledger.attempts(row.row)
            }
        told = known | set(made.unplaced)
        if "run.log" not in lost:
            assert set(night.tasks) <= told, "every task that the log names is told of"
        if "videos" not in lost:
            stored = {key for key, way in jobs.items() if way in STORED}
            assert all(rows[key].state is State.STORED for key in stored)
