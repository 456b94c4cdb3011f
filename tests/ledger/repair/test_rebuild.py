"""A ledger made again from what is left: what is known is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.jobs import State
from orchestrator.ledger.repair.rebuild import rebuild
from orchestrator.ledger.rescue import Rescued, append
from orchestrator.ledger.store import Admission
from tests.ledger.damage import ALL, check, destroy, pages_of, punch, states
from tests.ledger.material import inline, make_job
from tests.ledger.nights import Night, task_in

if TYPE_CHECKING:
    from pathlib import Path


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
