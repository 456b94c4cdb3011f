"""A ledger made again from what is left: what may be paid is not sent again by itself."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orchestrator.errors import DiskError, LedgerBusy, LedgerCorrupt, LedgerNewer, UsageError
from orchestrator.jobs import State
from orchestrator.ledger import rebuild as rebuilding
from orchestrator.ledger.fold import Folded, fold
from orchestrator.ledger.keeping import kept_copies
from orchestrator.ledger.rebuild import rebuild
from orchestrator.ledger.rescue import Rescued, append
from orchestrator.ledger.store import Admission
from tests.ledger.material import inline, make_job
from tests.ledger.nights import OVER, PATHS, STORED, UNPAID, Night, task_in

#: One job for each way that a job may go.
ALL = {way.replace(" ", "-"): way for way in PATHS}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night that ended in order, with a job for each way."""
    night = Night(tmp_path / "run", dict(ALL))
    night.run()
    return night


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


# --- what is kept --------------------------------------------------------------------------------


async def test_of_a_ledger_with_one_bad_page_everything_is_kept(night: Night) -> None:
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_identity")
    punch(night.folder / "ledger.db", page, page)
    made = await night.rebuild()
    assert made.unplaced == {}
    check(night, log_is_whole=True)
    found = states(night)
    assert found == {
        "new": State.PLANNED,
        "sent": State.UNKNOWN,
        "answered": State.SUBMITTED,
        "submitted": State.SUBMITTED,
        "generated": State.GENERATED,
        "stored": State.STORED,
        "quarantined": State.QUARANTINED,
        "failed": State.FAILED,
        "refused": State.FAILED,
        "sent-again": State.UNKNOWN,
        "stored-at-last": State.STORED,
        "given-back": State.PLANNED,
        "given-back-and-sent": State.UNKNOWN,
        "unknown": State.UNKNOWN,
    }
    assert made.undecided == 4
    assert made.counts[State.UNKNOWN] == 4


async def test_attempts_files_and_times_are_those_that_the_damaged_ledger_had(
    night: Night,
) -> None:
    with inline(night.folder) as ledger:
        before = {row.key: (ledger.attempts(row.row), row.files, row) for row in ledger.rows()}
        ledger.bind_origin("rivya", "https://rivya.ai")
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_position")
    punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    with night.reopened() as ledger:
        assert ledger.fetch("SELECT * FROM origins") == [("rivya", "https://rivya.ai")]
        for key in ("stored", "stored-at-last", "submitted", "failed", "refused"):
            attempts, files, row = before[key]
            after = ledger.row(row.row)
            assert ledger.attempts(row.row) == attempts
            assert (after.files, after.job, after.position) == (files, row.job, row.position)
        ((first, last),) = ledger.fetch("SELECT min(at), max(at) FROM events")
        assert (first, last) == (1000.0, 1003.0), "things keep the time at which they happened"


async def test_without_the_jobs_table_jobs_are_found_again_by_the_log(night: Night) -> None:
    for page in pages_of(night.folder / "ledger.db", "jobs"):
        punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    check(night, log_is_whole=True)
    found = states(night)
    assert found["stored"] is State.STORED
    assert found["submitted"] is State.SUBMITTED
    assert found["new"] is State.UNKNOWN, "its own row was the other witness"
    assert found["given-back"] is State.UNKNOWN


async def test_without_attempts_and_events_the_rest_of_the_folder_knows_the_tasks(
    night: Night,
) -> None:
    for table in ("attempts", "events", "files"):
        for page in pages_of(night.folder / "ledger.db", table):
            punch(night.folder / "ledger.db", page, page)
    made = await night.rebuild()
    assert made.unplaced == {}
    check(night, log_is_whole=True)
    with night.reopened() as ledger:
        rows = {row.key: row for row in ledger.rows()}
        assert rows["stored"].files[0].path == "videos/stored.mp4"
        assert rows["submitted"].attempt.task_id == "task-submitted-1"
        assert [attempt.task_id for attempt in ledger.attempts(rows["stored-at-last"].row)] == [
            "task-stored-at-last-1",
            "task-stored-at-last-2",
        ]


@pytest.mark.parametrize("rows_in_log", [True, False])
async def test_of_a_ledger_that_is_destroyed_the_rest_of_the_folder_is_kept(
    tmp_path: Path, rows_in_log: bool
) -> None:
    night = Night(tmp_path / "run", dict(ALL), rows_in_log=rows_in_log)
    night.run()
    destroy(night.folder / "ledger.db")
    made = await night.rebuild()
    assert made.unplaced == {}
    check(night, log_is_whole=True)
    found = states(night)
    assert found["stored"] is found["stored-at-last"] is State.STORED
    assert found["submitted"] is State.SUBMITTED
    assert found["failed"] is State.FAILED
    assert found["new"] is State.UNKNOWN


async def test_of_a_ledger_that_is_gone_the_rest_of_the_folder_is_kept(night: Night) -> None:
    (night.folder / "ledger.db").unlink()
    made = await night.rebuild()
    assert made.kept is None
    check(night, log_is_whole=True)
    assert states(night)["stored"] is State.STORED


async def test_of_a_ledger_whose_log_alone_is_left_what_the_log_holds_is_kept(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path / "run", dict(ALL))
    night.run(ends=False)
    (night.folder / "ledger.db").unlink()
    (night.folder / "run.log").unlink()
    made = await night.rebuild()
    assert made.kept is not None
    check(night, log_is_whole=False)
    assert states(night)["submitted"] is State.SUBMITTED


async def test_results_alone_tell_how_each_job_stood(night: Night) -> None:
    (night.folder / "ledger.db").write_bytes(b"")
    (night.folder / "run.log").unlink()
    for sidecar in (night.folder / "videos").glob("*.json"):
        sidecar.unlink()
    await night.rebuild()
    check(night, log_is_whole=False)
    with night.reopened() as ledger:
        rows = {row.key: row for row in ledger.rows()}
    assert rows["stored"].state is State.STORED
    assert rows["submitted"].attempt.task_id == "task-submitted-1"
    assert (rows["failed"].state, rows["failed"].attempt.error_class) == (State.FAILED, "failed")
    assert (rows["quarantined"].state, rows["quarantined"].attempt.charge) == ("quarantined", 3.0)
    assert rows["stored-at-last"].attempt.number == 2


@pytest.mark.parametrize("described", [True, False])
async def test_a_former_job_of_the_same_key_is_not_taken_for_the_one_that_has_it_now(
    tmp_path: Path, described: bool
) -> None:
    """The old row cannot be read; its number in the log tells it from the new one."""
    night = Night(tmp_path / "run", {"a": "stored"})
    night.run()
    if not described:
        (night.folder / "results.jsonl").unlink()
        (night.folder / "videos" / "a.json").unlink()
    with inline(night.folder) as ledger:
        ledger.admit([Admission(make_job("a", content="edited"))])
    (page,) = pages_of(night.folder / "ledger.db", "jobs")
    hide_row(night.folder / "ledger.db", page)
    made = await rebuild(
        night.folder,
        campaign="spring",
        arrange=lambda rows: [
            Admission(make_job("a", content="edited"), row.row if row else None)
            for row in [next((row for row in rows if row.row == 2), None)]
        ],
        task_in=task_in,
    )
    assert made.counts == {State.PLANNED: 1}, "the edited job was never sent"
    assert made.unplaced == ({} if described else {"task-a-1": "a"})
    with night.reopened() as ledger:
        found = [(row.row, row.state) for row in ledger.rows()]
    assert found == [(2, State.PLANNED), (1, State.STORED)][: 1 + described]


def hide_row(path: Path, page: int) -> None:
    """Let a page hold its second row alone, as one that was damaged in part might."""
    with path.open("r+b") as file:
        file.seek(page * 4096 + 3)
        file.write((1).to_bytes(2, "big"))
        file.seek(page * 4096 + 10)
        second = file.read(2)
        file.seek(page * 4096 + 8)
        file.write(second)


async def test_a_video_without_anything_else_is_known_by_its_sidecar(night: Night) -> None:
    for name in ("ledger.db", "results.jsonl", "run.log"):
        (night.folder / name).unlink()
    await night.rebuild()
    with night.reopened() as ledger:
        row = next(row for row in ledger.rows() if row.key == "stored")
        assert (row.state, row.attempt.task_id) == (State.STORED, "task-stored-1")
        assert row.attempt.final == row.attempt.charge == 3.0
        assert row.files[0].path == "videos/stored.mp4"


async def test_a_sidecar_whose_video_is_gone_still_names_the_task(night: Night) -> None:
    for name in ("ledger.db", "results.jsonl", "run.log", "videos/stored.mp4"):
        (night.folder / name).unlink()
    await night.rebuild()
    assert states(night)["stored"] is State.SUBMITTED


async def test_a_sidecar_that_came_before_its_video_makes_no_job_stored(night: Night) -> None:
    sidecar = (night.folder / "videos" / "stored.json").read_text()
    text = sidecar.replace("task-stored-1", "task-generated-1").replace("videos/stored", "videos/g")
    (night.folder / "videos" / "generated.json").write_text(text)
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_identity")
    punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    assert states(night)["generated"] is State.GENERATED


async def test_a_video_is_known_where_it_stands_now(night: Night) -> None:
    (night.folder / "videos" / "superseded").mkdir()
    for ending in ("mp4", "json"):
        name = f"stored.{ending}"
        (night.folder / "videos" / name).rename(night.folder / "videos" / "superseded" / name)
    (page, *_) = pages_of(night.folder / "ledger.db", "jobs_by_identity")
    punch(night.folder / "ledger.db", page, page)
    await night.rebuild()
    with night.reopened() as ledger:
        row = next(row for row in ledger.rows() if row.key == "stored")
        assert [file.path for file in row.files] == ["videos/superseded/stored.mp4"]


async def test_a_rescued_answer_that_names_a_task_is_kept(night: Night) -> None:
    answer = Rescued(2, "sent", 1, "rivya", json.dumps({"task": "task-rescued"}))
    append(night.folder, answer)
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    with night.reopened() as ledger:
        row = next(row for row in ledger.rows() if row.key == "sent")
        assert (row.state, row.attempt.task_id) == (State.SUBMITTED, "task-rescued")


async def test_a_task_of_a_job_that_nobody_knows_is_told(night: Night) -> None:
    with (night.folder / "run.log").open("a") as log:
        line = {"event": "accepted", "key": "former", "attempt": 1, "state": "submitted"}
        log.write(json.dumps({**line, "at": "2026-05-11T00:00:00Z", "task_id": "task-x"}) + "\n")
    destroy(night.folder / "ledger.db")
    made = await night.rebuild()
    assert made.unplaced == {"task-x": "former"}


async def test_a_former_job_keeps_its_video_and_its_row(night: Night) -> None:
    del night.ways["stored"]
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    with night.reopened() as ledger:
        row = next(row for row in ledger.rows() if row.key == "stored")
        assert (row.position, row.state) == (None, State.STORED)
        assert row.job["prompt"] == "a film of stored"


# --- what is not sent again ----------------------------------------------------------------------


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


# --- how it takes the damaged one's place --------------------------------------------------------


async def test_a_ledger_in_order_is_not_made_again(night: Night) -> None:
    before = (night.folder / "ledger.db").read_bytes()
    with pytest.raises(UsageError, match="is in order"):
        await night.rebuild()
    assert (night.folder / "ledger.db").read_bytes() == before
    assert kept_copies(night.folder / "ledger.db") == []


async def test_a_row_that_sqlite_can_read_and_nobody_else_is_damage(night: Night) -> None:
    with closing(sqlite3.connect(night.folder / "ledger.db")) as connection:
        connection.execute("UPDATE jobs SET job = '{' WHERE key = 'new'")
        connection.commit()
    await night.rebuild()
    check(night, log_is_whole=True)


async def test_a_folder_that_tells_of_no_run_gives_no_ledger(tmp_path: Path) -> None:
    night = Night(tmp_path, dict(ALL))
    with pytest.raises(UsageError, match="nothing in its folder tells of a run"):
        await night.rebuild()
    assert not (tmp_path / "ledger.db").exists()


async def test_a_newer_ledger_is_left_alone(night: Night) -> None:
    with closing(sqlite3.connect(night.folder / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerNewer):
        await night.rebuild()


async def test_a_ledger_in_use_is_left_alone(night: Night) -> None:
    with inline(night.folder), pytest.raises(LedgerBusy):
        await night.rebuild()


async def test_the_damaged_ledger_and_its_log_are_kept_and_the_log_is_not_the_new_ones(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path / "run", dict(ALL))
    night.run(ends=False)
    destroy(night.folder / "ledger.db")
    damaged = (night.folder / "ledger.db").read_bytes()
    log = (night.folder / "ledger.db-wal").read_bytes()
    assert log
    with pytest.raises(LedgerCorrupt):
        night.reopened()
    made = await night.rebuild()
    assert made.kept is not None
    assert kept_copies(night.folder / "ledger.db") == [made.kept], "the one that the run made"
    assert made.kept.read_bytes() == damaged
    assert made.kept.with_name(f"{made.kept.name}-wal").read_bytes() == log
    assert not (night.folder / "ledger.db-wal").exists()
    check(night, log_is_whole=False)


@pytest.mark.parametrize("moment", range(1, 7))
async def test_a_crash_at_any_moment_leaves_a_folder_that_runs_refuse_and_rebuild_mends(
    night: Night, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    destroy(night.folder / "ledger.db")
    moments = 0

    def crashing(real):
        def call(*arguments):
            nonlocal moments
            moments += 1
            if moments == moment:
                raise RuntimeError("killed")
            return real(*arguments)

        return call

    for name in ("sync_file", "sync_folder", "keep_copy"):
        monkeypatch.setattr(rebuilding, name, crashing(getattr(rebuilding, name)))
    killed = False
    try:
        await night.rebuild()
    except RuntimeError:
        killed = True
    monkeypatch.undo()
    if killed and moment < 5:
        with pytest.raises(LedgerCorrupt, match="orchestrator rebuild"):
            night.reopened()
        await night.rebuild()
    check(night, log_is_whole=True)
    assert states(night)["stored"] is State.STORED


async def test_a_full_disk_is_told_and_changes_nothing(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroy(night.folder / "ledger.db")
    before = (night.folder / "ledger.db").read_bytes()

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rebuilding, "sync_file", full)
    with pytest.raises(DiskError, match=r"No space left on device\. Make room"):
        await night.rebuild()
    assert (night.folder / "ledger.db").read_bytes() == before


async def test_a_ledger_that_was_made_again_may_be_damaged_and_made_again(night: Night) -> None:
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    first = states(night)
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    assert states(night) == first
    assert len(kept_copies(night.folder / "ledger.db")) == 2
