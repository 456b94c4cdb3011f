from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import Reference, State
from orchestrator.ledger.store import Admission
from tests.ledger.material import admit, in_memory, make_job, walk, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.ledger.sqlite.ledger import SqliteLedger


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    with in_memory() as ledger:
        yield ledger


def keys(ledger: SqliteLedger, *, current: bool = True) -> list[str]:
    return [row.key for row in ledger.rows(current=current)]


def test_new_jobs_are_planned_rows_in_the_manifests_order(ledger: SqliteLedger) -> None:
    rows = admit(ledger, "b", "a", "c")
    assert keys(ledger) == ["b", "a", "c"]
    assert [ledger.row(row).position for row in rows] == [0, 1, 2]
    assert {ledger.row(row).state for row in rows} == {State.PLANNED}
    assert ledger.row(rows[0]).attempt is None


def test_a_row_keeps_all_that_results_and_sidecars_need(ledger: SqliteLedger) -> None:
    reference = Reference("image", url="https://cdn.example.com/a.png", upload=True)
    job = make_job(
        "grid/cup", references=(reference,), tags=("hero",), axes={"subject": "cup"}, retries=2
    )
    (row,) = ledger.admit([Admission(job)])
    assert ledger.row(row).job == {
        "id": "grid",
        "tags": ["hero"],
        "prompt": "a film of grid/cup",
        "params": {"n_frames": "10", "size": "high"},
        "references": [
            {
                "kind": "image",
                "path": None,
                "url": "https://cdn.example.com/a.png",
                "sha256": None,
                "size": None,
                "name": None,
                "mime_type": None,
                "duration_seconds": None,
                "duration_token": None,
                "upload": True,
            }
        ],
        "axes": {"subject": "cup"},
        "take": 1,
        "retries": 2,
        "on_refusal": "skip",
    }


def test_the_same_manifest_again_changes_nothing(ledger: SqliteLedger) -> None:
    rows = admit(ledger, "a", "b")
    before = list(ledger.rows())
    jobs = [make_job("a"), make_job("b")]
    again = ledger.admit([Admission(job, row) for job, row in zip(jobs, rows, strict=True)])
    assert again == rows
    assert list(ledger.rows()) == before
    assert list(ledger.events()) == []


def test_reordered_jobs_take_their_new_places(ledger: SqliteLedger) -> None:
    a, _, c = admit(ledger, "a", "b", "c")
    ledger.admit(
        [Admission(make_job("c"), c), Admission(make_job("x")), Admission(make_job("a"), a)]
    )
    assert keys(ledger) == ["c", "x", "a"]


def test_a_job_that_was_never_sent_is_gone_when_the_manifest_drops_it(
    ledger: SqliteLedger,
) -> None:
    admit(ledger, "a", "b")
    admit(ledger, "c")
    assert keys(ledger, current=False) == ["c"]


def test_a_job_that_was_never_sent_is_gone_even_when_something_was_noted_of_it(
    ledger: SqliteLedger,
) -> None:
    (row,) = admit(ledger, "a")
    write(ledger, row, "drift", files=[], note={"why": "a table changed"})
    admit(ledger, "b")
    assert keys(ledger, current=False) == ["b"]
    assert [logged.event.row for logged in ledger.events()] == [row]


def test_a_job_that_was_sent_stays_without_a_position(ledger: SqliteLedger) -> None:
    (row,) = admit(ledger, "a")
    walk(ledger, row, State.SUBMITTING, State.SUBMITTED)
    admit(ledger, "b")
    assert keys(ledger) == ["b"]
    assert keys(ledger, current=False) == ["b", "a"]
    assert ledger.row(row).position is None
    assert ledger.row(row).attempt is not None


def test_the_number_of_a_deleted_row_is_not_used_again(ledger: SqliteLedger) -> None:
    (first,) = admit(ledger, "a")
    admit(ledger)
    (second,) = admit(ledger, "b")
    assert second > first


def test_new_tags_reach_the_row_of_a_job_that_is_otherwise_the_same(ledger: SqliteLedger) -> None:
    (row,) = admit(ledger, "a")
    ledger.admit([Admission(make_job("a", tags=("hero",)), row)])
    assert ledger.row(row).job["tags"] == ["hero"]


def test_a_renamed_job_takes_its_row_over_and_the_move_is_on_record(
    ledger: SqliteLedger,
) -> None:
    (row,) = admit(ledger, "a")
    walk(ledger, row, State.SUBMITTING)
    renamed = make_job("z", content="a")
    assert ledger.admit([Admission(renamed, row)]) == [row]
    found = ledger.row(row)
    assert (found.key, found.identity, found.state) == ("z", '["z"]', State.SUBMITTING)
    assert found.job["prompt"] == "a film of z"
    (moved,) = [logged for logged in ledger.events() if logged.event.kind == "moved"]
    assert (moved.event.row, moved.attempt) == (row, 1)
    assert moved.event.note == {"from": "a", "to": "z"}


def test_two_jobs_may_swap_their_names(ledger: SqliteLedger) -> None:
    a, b = admit(ledger, "a", "b")
    ledger.admit(
        [Admission(make_job("b", content="a"), a), Admission(make_job("a", content="b"), b)]
    )
    assert [(row.key, row.row) for row in ledger.rows()] == [("b", a), ("a", b)]


def test_an_edited_job_is_a_new_row_beside_the_old_one(ledger: SqliteLedger) -> None:
    (old,) = admit(ledger, "a")
    walk(ledger, old, State.SUBMITTING)
    (new,) = ledger.admit([Admission(make_job("a", content="edited"))])
    assert new != old
    assert [row.row for row in ledger.rows()] == [new, old]


def test_a_second_row_for_a_job_that_has_one_is_refused_and_nothing_is_changed(
    ledger: SqliteLedger,
) -> None:
    (row,) = admit(ledger, "a")
    walk(ledger, row, State.SUBMITTING)
    with pytest.raises(LedgerError, match="a has a row in the ledger already"):
        admit(ledger, "b", "a")
    assert keys(ledger, current=False) == ["a"]
    assert ledger.row(row).position == 0


@pytest.mark.parametrize("case", ["unknown row", "row taken twice", "another model"])
def test_impossible_takeovers_are_refused(ledger: SqliteLedger, case: str) -> None:
    (row,) = admit(ledger, "a")
    admissions = {
        "unknown row": [Admission(make_job("a"), row + 1)],
        "row taken twice": [Admission(make_job("a"), row), Admission(make_job("b"), row)],
        "another model": [Admission(make_job("a", model="hailuo-pro"), row)],
    }[case]
    with pytest.raises(LedgerError, match="cannot take over row"):
        ledger.admit(admissions)
    assert keys(ledger) == ["a"]


def test_rows_come_whole_and_in_order_over_many_pages(ledger: SqliteLedger) -> None:
    names = [f"job-{number:04d}" for number in range(1203)]
    rows = admit(ledger, *names)
    for row in rows[:601]:
        walk(ledger, row, State.SUBMITTING)
    assert keys(ledger) == names
    admit(ledger, "last")
    assert keys(ledger, current=False) == ["last", *names[:601]]


def test_ten_thousand_jobs_are_admitted_in_a_moment(ledger: SqliteLedger) -> None:
    admissions = [Admission(make_job(f"job-{number}")) for number in range(10_000)]
    started = time.process_time()
    ledger.admit(admissions)
    assert time.process_time() - started < 3.0
