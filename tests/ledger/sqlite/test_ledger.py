from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError, UsageError
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.ledger.store import (
    Admission,
    Attempt,
    Credits,
    Event,
    Spend,
    StoredFile,
    UploadRecord,
)
from tests.ledger.material import admit, finish, in_memory, inline, make_job, walk, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger

FILE = StoredFile("videos/a.mp4", 1234, "0" * 64, 5.5, 1920, 1080)


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    with in_memory() as ledger:
        yield ledger


@pytest.fixture
def row(ledger: SqliteLedger) -> int:
    (row,) = admit(ledger, "a")
    return row


# --- events --------------------------------------------------------------------------------------


def test_every_column_of_an_attempt_comes_back_as_it_was_written(
    ledger: SqliteLedger, row: int
) -> None:
    fields = {
        "idempotency_key": "k",
        "body": b'{"prompt": "\xff"}',
        "first_sent_at": 1.25,
        "last_sent_at": 1000000000.123456,
        "reply": '{"status": 200}',
        "task_id": "t",
        "trace": "r",
        "estimated": 0.1,
        "reserved": 3,
        "final": 2.5,
        "charge": 2.5,
        "urls": ("https://cdn.example.com/a.mp4", "https://cdn.example.com/b.mp4"),
        "error_class": "failed",
        "error_code": "E1",
        "error_message": "nö",
        "submitted_at": 1.0,
        "generated_at": 2.0,
        "stored_at": 3.0,
        "looks": 2,
    }
    write(ledger, row, "intent", State.SUBMITTING, **fields)
    assert ledger.row(row).attempt == Attempt(number=1, **fields)
    (logged,) = ledger.events()
    assert (logged.seq, logged.at, logged.attempt) == (1, 1000.0, 1)
    assert logged.event == Event(row, "intent", State.SUBMITTING, fields=fields)


def test_text_that_no_database_takes_is_replaced_and_the_event_kept(
    ledger: SqliteLedger, row: int
) -> None:
    write(ledger, row, "intent", State.SUBMITTING, error_message="cut \ud83c here")
    attempt = ledger.row(row).attempt
    assert attempt is not None
    assert attempt.error_message == "cut ? here"


def test_a_new_attempt_leaves_the_earlier_ones_as_they_were(ledger: SqliteLedger, row: int) -> None:
    walk(ledger, row, State.SUBMITTING, State.SUBMITTED)
    write(ledger, row, "failed", State.FAILED, error_class="failed")
    write(ledger, row, "retry", State.SUBMITTING, new_attempt=True, idempotency_key="second")
    first, second = ledger.attempts(row)
    assert (first.number, first.task_id, first.error_class) == (1, f"task-{row}", "failed")
    assert second == Attempt(number=2, idempotency_key="second")
    assert ledger.row(row).attempt == second


def test_files_are_replaced_as_a_whole_and_keep_their_order(ledger: SqliteLedger, row: int) -> None:
    second = StoredFile("videos/a.2.mp4", 5, "1" * 64)
    walk(ledger, row, State.SUBMITTING)
    write(ledger, row, "drift", files=[FILE, second])
    assert ledger.row(row).files == (FILE, second)
    write(ledger, row, "superseded", files=[second])
    assert ledger.row(row).files == (second,)
    write(ledger, row, "superseded", files=[])
    assert ledger.row(row).files == ()


def test_an_illegal_transition_writes_nothing_at_all(ledger: SqliteLedger, row: int) -> None:
    with pytest.raises(LedgerError, match="from planned to stored"):
        finish(
            ledger.record(
                Event(row, "intent", State.SUBMITTING),
                Event(row, "returned", State.PLANNED),
                Event(row, "stored", State.STORED, files=[FILE]),
            )
        )
    assert ledger.row(row).state is State.PLANNED
    assert ledger.row(row).attempt is None
    assert list(ledger.events()) == []


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Event(99, "drift"), "no row 99"),
        (Event(1, "drift", fields={"charge": 1.0}), "no attempt to keep"),
        (Event(1, "restored", files=[FILE]), "no attempt to keep"),
        (Event(1, "drift", fields={"colour": "red"}), "no field"),
        (Event(1, "intent", State.PLANNED, new_attempt=True), "from planned to planned"),
        (Event(1, "intent", new_attempt=True), "from planned to planned"),
    ],
)
def test_events_that_make_no_sense_are_refused(
    ledger: SqliteLedger, row: int, event: Event, reason: str
) -> None:
    assert row == 1
    with pytest.raises(LedgerError, match=reason):
        finish(ledger.record(event))
    assert list(ledger.events()) == []


def test_a_value_that_fits_no_column_fails_alone(ledger: SqliteLedger, row: int) -> None:
    with pytest.raises(OverflowError):
        write(ledger, row, "intent", State.SUBMITTING, looks=10**30)
    walk(ledger, row, State.SUBMITTING)
    assert ledger.row(row).state is State.SUBMITTING


def test_a_task_id_is_set_once_for_each_attempt(ledger: SqliteLedger, row: int) -> None:
    walk(ledger, row, State.SUBMITTING, State.SUBMITTED)
    with pytest.raises(LedgerError, match="a task id never changes"):
        write(ledger, row, "adopted", task_id="another")
    write(ledger, row, "adopted", task_id=f"task-{row}")


def test_a_create_that_was_given_back_may_be_sent_again_in_the_same_attempt(
    ledger: SqliteLedger, row: int
) -> None:
    write(ledger, row, "intent", State.SUBMITTING, first_sent_at=1.0)
    write(ledger, row, "returned", State.PLANNED)
    write(ledger, row, "intent", State.SUBMITTING, first_sent_at=2.0)
    assert ledger.attempts_made() == 1


def test_an_attempt_that_failed_before_its_create_counts_as_none(
    ledger: SqliteLedger, row: int
) -> None:
    write(ledger, row, "failed", State.FAILED, new_attempt=True, error_class="rejected")
    assert ledger.attempts_made() == 0
    assert ledger.row(row).state is State.FAILED


def test_events_carry_the_ledgers_own_time(tmp_path: Path) -> None:
    ticks = count(5000)
    with inline(tmp_path, clock=lambda: float(next(ticks))) as ledger:
        (row,) = admit(ledger, "a")
        walk(ledger, row, State.SUBMITTING, State.SUBMITTED)
        times = [logged.at for logged in ledger.events()]
    assert times == [5001.0, 5002.0]


# --- decisions -----------------------------------------------------------------------------------


def test_an_unknown_outcome_waits_for_a_person_until_it_is_decided(
    ledger: SqliteLedger, row: int
) -> None:
    walk(ledger, row, State.SUBMITTING, State.UNKNOWN)
    assert [found.row for found in ledger.undecided()] == [row]
    write(ledger, row, "adopted", State.SUBMITTED, task_id="found")
    assert list(ledger.undecided()) == []


def test_a_task_that_was_given_up_stays_submitted_and_waits_for_a_person(
    ledger: SqliteLedger, row: int
) -> None:
    walk(ledger, row, State.SUBMITTING, State.SUBMITTED)
    write(ledger, row, "gave_up")
    found = ledger.row(row)
    assert (found.state, found.needs_decision) == (State.SUBMITTED, True)
    write(ledger, row, "looked", note={"needs_decision": False})
    assert not ledger.row(row).needs_decision


# --- reading -------------------------------------------------------------------------------------


def test_the_rows_that_share_a_task_id_are_found_by_provider(ledger: SqliteLedger) -> None:
    jobs = [make_job("a"), make_job("b"), make_job("c", provider="acedatacloud")]
    rows = ledger.admit([Admission(job) for job in jobs])
    for row in rows:
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "accepted", State.SUBMITTED, task_id="same")
    assert ledger.holders("rivya", "same") == list(rows[:2])
    assert ledger.holders("acedatacloud", "same") == [rows[2]]
    assert ledger.holders("rivya", "other") == []
    assert ledger.shared_tasks() == {("rivya", "same")}


def test_a_task_that_only_earlier_attempts_share_is_not_shared(ledger: SqliteLedger) -> None:
    for row in admit(ledger, "a", "b"):
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "accepted", State.SUBMITTED, task_id="same")
    write(ledger, row, "failed", State.FAILED)
    write(ledger, row, "intent", State.SUBMITTING, new_attempt=True)
    assert ledger.shared_tasks() == frozenset()


def test_rows_of_which_nothing_was_sent_are_not_begun(ledger: SqliteLedger) -> None:
    rows = admit(ledger, *(f"job-{number:04d}" for number in range(1203)))
    for row in rows[::2]:
        walk(ledger, row, State.SUBMITTING)
    assert [row.row for row in ledger.begun()] == rows[::2]
    admit(ledger, "new")
    assert [row.row for row in ledger.begun()] == rows[::2]


def test_a_create_that_was_given_back_was_begun(ledger: SqliteLedger, row: int) -> None:
    walk(ledger, row, State.SUBMITTING)
    write(ledger, row, "returned", State.PLANNED)
    assert [(found.row, found.state) for found in ledger.begun()] == [(row, State.PLANNED)]


def test_spend_sums_every_attempt_of_each_provider(ledger: SqliteLedger) -> None:
    jobs = [make_job("a"), make_job("b"), make_job("c", provider="acedatacloud")]
    a, b, c = ledger.admit([Admission(job) for job in jobs])
    write(ledger, a, "intent", State.SUBMITTING, estimated=3.0, charge=3.0)
    write(ledger, a, "failed", State.FAILED, error_class="failed", final=1.0, charge=1.0)
    write(ledger, a, "retry", State.SUBMITTING, new_attempt=True, estimated=3.0, charge=3.0)
    write(ledger, b, "intent", State.SUBMITTING, estimated=2.5, reserved=2.0, charge=2.0)
    write(ledger, c, "intent", State.SUBMITTING)
    assert ledger.spend() == {
        "rivya": Spend(estimated=8.5, reserved=2.0, final=1.0, charge=6.0, unpriced=0),
        "acedatacloud": Spend(estimated=None, reserved=None, final=None, charge=0.0, unpriced=1),
    }
    assert ledger.credits([a, b, c]) == {
        a: Credits(6.0, None, 1.0),
        b: Credits(2.5, 2.0, None),
        c: Credits(None, None, None),
    }


@pytest.mark.parametrize(
    ("ends", "unpriced"),
    [
        ([(State.SUBMITTED, None)], 1),
        ([(State.UNKNOWN, None)], 1),
        ([(State.PLANNED, None)], 0),
        ([(State.FAILED, "rejected")], 0),
        ([(State.FAILED, "refused")], 0),
        ([(State.FAILED, "failed")], 0),
        ([(State.UNKNOWN, None), (State.FAILED, "abandoned")], 1),
    ],
)
def test_an_unknown_charge_counts_as_unpriced_unless_nothing_was_made(
    ledger: SqliteLedger, row: int, ends: list[tuple[State, str | None]], unpriced: int
) -> None:
    walk(ledger, row, State.SUBMITTING)
    for state, error_class in ends:
        write(ledger, row, "end", state, error_class=error_class)
    assert ledger.spend()["rivya"].unpriced == unpriced


def test_an_unknown_charge_stays_unpriced_when_the_job_is_sent_again(
    ledger: SqliteLedger, row: int
) -> None:
    walk(ledger, row, State.SUBMITTING, State.UNKNOWN)
    write(ledger, row, "intent", State.SUBMITTING, new_attempt=True, charge=3.0)
    assert ledger.spend()["rivya"].unpriced == 1


def test_creates_are_counted_at_each_time_they_may_have_left(ledger: SqliteLedger) -> None:
    a, b, c = admit(ledger, "a", "b", "c")
    write(ledger, a, "intent", State.SUBMITTING, first_sent_at=10.0, last_sent_at=10.0)
    write(ledger, a, "resend", last_sent_at=30.0)
    write(ledger, b, "intent", State.SUBMITTING, first_sent_at=20.0, last_sent_at=20.0)
    write(ledger, c, "intent", State.SUBMITTING, first_sent_at=20.0, last_sent_at=20.0)
    assert ledger.creates("rivya", 0.0) == [10.0, 20.0, 20.0, 30.0]
    assert ledger.creates("rivya", 20.0) == [20.0, 20.0, 30.0]
    assert ledger.creates("acedatacloud", 0.0) == []


def test_an_upload_is_remembered_by_content_and_the_newest_wins(ledger: SqliteLedger) -> None:
    old = UploadRecord("rivya", "0" * 64, "sora-2-pro", "https://a/1", None, None, 1.0)
    new = UploadRecord("rivya", "0" * 64, "sora-2-pro", "https://a/2", "token", 4.5, 2.0)
    finish(ledger.record_upload(old))
    finish(ledger.record_upload(new))
    assert list(ledger.uploads("rivya")) == [new]
    assert list(ledger.uploads("acedatacloud")) == []


def test_a_provider_keeps_its_origin(ledger: SqliteLedger) -> None:
    ledger.bind_origin("rivya", "https://rivya.ai")
    ledger.bind_origin("rivya", "https://rivya.ai")
    with pytest.raises(UsageError, match=r"belongs to rivya at https://rivya\.ai"):
        ledger.bind_origin("rivya", "https://elsewhere.example")


def test_a_row_that_is_not_there_is_an_error(ledger: SqliteLedger) -> None:
    with pytest.raises(LedgerError, match="no row 7"):
        ledger.row(7)


# --- several connections -------------------------------------------------------------------------


async def test_reads_see_every_write_that_was_awaited_even_amid_a_walk_over_rows(
    tmp_path: Path,
) -> None:
    with open_ledger(tmp_path, campaign="spring") as ledger:
        admit(ledger, *(f"job-{number}" for number in range(600)))
        for row in ledger.rows():
            await ledger.record(Event(row.row, "intent", State.SUBMITTING))
            assert ledger.row(row.row).state is State.SUBMITTING
        assert ledger.counts() == {State.SUBMITTING: 600}


async def test_status_reads_while_a_run_writes(tmp_path: Path) -> None:
    with open_ledger(tmp_path, campaign="spring") as ledger:
        (row,) = admit(ledger, "a")
        with read_ledger(tmp_path) as reader:
            assert reader.campaign == "spring"
            assert reader.counts() == {State.PLANNED: 1}
            await ledger.record(Event(row, "intent", State.SUBMITTING))
            assert reader.counts() == {State.SUBMITTING: 1}
        assert ledger.counts() == {State.SUBMITTING: 1}


def test_a_ledger_open_for_reading_takes_no_writes(tmp_path: Path) -> None:
    inline(tmp_path).close()
    with read_ledger(tmp_path) as reader, pytest.raises(LedgerError, match="readonly"):
        reader.fetch("INSERT INTO meta VALUES ('campaign', 'winter')")


def test_a_renamed_campaign_is_remembered(tmp_path: Path) -> None:
    inline(tmp_path).close()
    open_ledger(tmp_path, campaign="summer", threaded=False).close()
    with read_ledger(tmp_path) as reader:
        assert reader.campaign == "summer"
