from __future__ import annotations

from typing import Any

import pytest

from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from orchestrator.ledger.repair.salvage import Evidence, Trace
from orchestrator.ledger.repair.verdict import Facts, attempts_of, history, unsent
from orchestrator.ledger.store import StoredFile

FILE = StoredFile("videos/a.mp4", 1, "0" * 64)
TASK = {"task_id": "t"}


def judged(*attempts: tuple[str, dict[str, Any]] | None, **changes: Any) -> list[Evidence]:
    """What becomes of a job of which these attempts are known; None stands for a lost one."""
    trace = Trace(key="a", row=1, state=changes.pop("state", None))
    for number, attempt in enumerate(attempts, 1):
        if attempt is not None:
            trace.add(number, Evidence(State(attempt[0]), attempt[1]))
    values: dict[str, Any] = {
        "provider": "rivya",
        "estimate": 3.0,
        "files": (FILE,),
        "task_in": lambda provider, reply: reply.partition("task ")[2] or None,
        "log_is_whole": False,
        "now": 2000.0,
    }
    return list(attempts_of(trace, Facts(**{**values, **changes})))


@pytest.mark.parametrize(
    ("state", "fields", "becomes"),
    [
        ("stored", TASK, "stored"),
        ("stored", {}, "stored"),
        ("failed", {}, "failed"),
        ("failed", TASK, "failed"),
        ("quarantined", TASK, "quarantined"),
        ("quarantined", {}, "unknown"),
        ("generated", TASK, "generated"),
        ("generated", {}, "unknown"),
        ("submitted", TASK, "submitted"),
        ("submitted", {}, "unknown"),
        ("submitting", TASK, "submitted"),
        ("submitting", {}, "unknown"),
        ("submitting", {"reply": "task t2"}, "submitted"),
        ("submitting", {"reply": "slow down"}, "unknown"),
        ("unknown", {}, "unknown"),
        ("unknown", TASK, "submitted"),
        ("planned", {}, "unknown"),
    ],
)
def test_what_becomes_of_an_attempt(state: str, fields: dict[str, Any], becomes: str) -> None:
    (attempt,) = judged((state, fields))
    assert attempt.state == becomes


@pytest.mark.parametrize(("fields", "becomes"), [(TASK, "submitted"), ({}, "unknown")])
def test_a_stored_job_whose_files_nobody_names_is_asked_for_again(
    fields: dict[str, Any], becomes: str
) -> None:
    (attempt,) = judged(("stored", fields), files=())
    assert attempt.state == becomes


@pytest.mark.parametrize(
    ("state", "log_is_whole", "sure"),
    [
        (State.PLANNED, True, True),
        (State.PLANNED, False, False),
        (None, True, False),
        (State.SUBMITTED, True, False),
    ],
)
def test_never_sent_takes_two_witnesses(state: State, log_is_whole: bool, sure: bool) -> None:
    assert (judged(state=state, log_is_whole=log_is_whole) == []) is sure
    (given_back,) = judged(("planned", {"charge": 0.0}), state=state, log_is_whole=log_is_whole)
    assert (given_back.state, given_back.fields["charge"]) == (
        (State.PLANNED, 0.0) if sure else (State.UNKNOWN, 3.0)
    )


def test_an_attempt_that_another_one_followed_had_failed_or_was_not_known() -> None:
    attempts = judged(("failed", TASK), ("submitted", TASK), None, ("stored", TASK))
    assert [attempt.state for attempt in attempts] == ["failed", "unknown", "unknown", "stored"]
    assert attempts[1].fields["task_id"] == "t"


@pytest.mark.parametrize(
    ("state", "fields", "charge"),
    [
        ("stored", {"charge": 1.0, "final": 2.0}, 1.0),
        ("stored", {"final": 2.0, "reserved": 4.0}, 2.0),
        ("submitted", {"reserved": 4.0, **TASK}, 4.0),
        ("submitted", {"estimated": 5.0, **TASK}, 5.0),
        ("submitted", TASK, 3.0),
        ("failed", {}, 3.0),
        ("failed", {"error_class": "rejected"}, 0.0),
        ("unknown", {}, 3.0),
    ],
)
def test_an_attempt_counts_for_as_much_as_it_may_have_cost(
    state: str, fields: dict[str, Any], charge: float
) -> None:
    (attempt,) = judged((state, fields))
    assert attempt.fields["charge"] == charge


def test_a_price_that_nobody_knows_stays_unknown() -> None:
    (attempt,) = judged(("unknown", {}), estimate=None)
    assert "charge" not in attempt.fields


def test_the_events_lead_to_the_attempts_and_keep_their_times() -> None:
    times = {"first_sent_at": 1.0, "submitted_at": 2.0, "generated_at": 3.0, "stored_at": 4.0}
    attempts = judged(("failed", {}), None, ("stored", {**TASK, **times}))
    events = history(7, attempts, (FILE,), 2000.0)
    (row,) = fold(event for _, event in events).values()
    assert (row.state, row.files, len(row.attempts)) == (State.STORED, (FILE,), 3)
    assert [at for at, _ in events[-3:]] == [1.0, 3.0, 4.0]
    assert {event.row for _, event in events} == {7}


def test_a_job_that_nothing_tells_of_waits_for_a_person() -> None:
    (row,) = fold(event for _, event in unsent(7, 3.0, 2000.0)).values()
    assert (row.state, row.needs_decision, row.attempts[0].charge) == (State.UNKNOWN, True, 3.0)
