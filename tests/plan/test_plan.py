from __future__ import annotations

import pytest

from orchestrator.jobs import State
from orchestrator.ledger.store import Attempt
from orchestrator.plan.selection import parse
from tests.plan.material import HORSE, MINIMAX, SORA, job, plan, row_of, spec


def planned_for(state, *expressions):
    return plan(
        spec(),
        rows=[row_of(job(), 1, state)],
        selection=parse(expressions) if expressions else None,
    )


def test_a_first_run_creates_every_job_in_the_manifests_order():
    made = plan(spec("b"), spec("a", HORSE), spec("c", MINIMAX))
    assert [entry.job.key for entry in made.to_run] == ["b", "a", "c"]
    assert made.providers() == ("acedatacloud", "rivya")
    assert set(made.models) == {SORA.name, HORSE.name, MINIMAX.name}


@pytest.mark.parametrize(
    ("state", "place"),
    [
        (State.PLANNED, "to_run"),
        (State.SUBMITTING, "pending"),
        (State.SUBMITTED, "pending"),
        (State.GENERATED, "pending"),
        (State.STORED, "stored"),
        (State.FAILED, "failed"),
        (State.UNKNOWN, "unknown"),
        (State.QUARANTINED, "quarantined"),
    ],
)
def test_where_a_job_stands_is_counted_once(state, place):
    counts = planned_for(state).counts()
    assert counts.pop("total") == 1
    assert {name for name, number in counts.items() if number} == {place}


@pytest.mark.parametrize("state", [state for state in State if state is not State.PLANNED])
def test_a_plain_run_sends_nothing_that_was_sent(state):
    assert planned_for(state).to_run == ()


def test_failed_jobs_run_again_only_where_their_state_is_asked_for():
    assert len(planned_for(State.FAILED, "state:failed").to_run) == 1
    assert planned_for(State.FAILED, "id:*").to_run == ()
    assert planned_for(State.STORED, "state:stored").to_run == ()
    assert planned_for(State.STORED, "state:stored", "state:failed").to_run == ()
    assert planned_for(State.UNKNOWN, "state:unknown").to_run == ()
    assert planned_for(State.QUARANTINED, "state:quarantined").to_run == ()


def given_up(key="cup", number=1):
    attempt = Attempt(1, error_class="abandoned", error_message="given up by a person")
    return row_of(job(key), number, State.FAILED, attempt=attempt)


@pytest.mark.parametrize(
    ("expressions", "starts", "left_out"),
    [
        (["state:failed"], ["other"], ["cup/a"]),
        (["state:failed", "id:*"], ["other"], ["cup/a"]),
        (["state:failed", "model:sora-2-pro"], ["other"], ["cup/a"]),
        (["state:failed", "id:cup/a"], ["cup/a"], []),
        (["state:failed", "id:cup"], ["cup/a"], []),
        (["state:failed", "id:other"], ["other"], []),
        (["id:cup/a"], [], []),
        ([], [], []),
    ],
)
def test_a_job_that_a_person_gave_up_runs_again_only_by_its_name(expressions, starts, left_out):
    rows = [given_up("cup/a"), row_of(job("other"), 2, State.FAILED, attempt=Attempt(1))]
    made = plan(spec("cup/a"), spec("other"), rows=rows, selection=parse(expressions))
    assert [entry.job.key for entry in made.to_run] == starts
    assert [entry.job.key for entry in made.left_out] == left_out
    assert not any(entry.selected for entry in made.left_out)


def test_what_a_person_gave_up_takes_no_place_of_a_limit():
    rows = [given_up(), row_of(job("other"), 2, State.FAILED, attempt=Attempt(1))]
    made = plan(spec(), spec("other"), rows=rows, selection=parse(["state:failed"], 1))
    assert [entry.job.key for entry in made.to_run] == ["other"]


def test_an_unknown_outcome_runs_again_once_a_person_said_so():
    decided = row_of(job(), 1, State.UNKNOWN, resubmit=True)
    assert len(plan(spec(), rows=[decided]).to_run) == 1
    assert plan(spec(), rows=[decided], selection=parse(["id:other"])).to_run == ()
    assert plan(spec(), rows=[row_of(job(), 1, State.UNKNOWN)]).to_run == ()


def test_a_selection_restricts_creates_and_counts_and_nothing_else():
    made = plan(spec("a"), spec("b"), selection=parse(["id:b"]))
    assert [entry.selected for entry in made.entries] == [False, True]
    assert [entry.job.key for entry in made.to_run] == ["b"]
    assert made.counts()["total"] == 1


def test_prices_come_from_the_manifest_before_the_table():
    stated = plan(spec(), spec("n", MINIMAX), prices={"acedatacloud": 0.9, "rivya/sora-2-pro": 70})
    assert [entry.job.estimate for entry in stated.entries] == [70, 0.9]
    assert set(stated.precision.values()) == {"exact"}
    plain = plan(spec(), spec("n", MINIMAX))
    assert [entry.job.estimate for entry in plain.entries] == [75, None]
    assert plain.precision == {SORA.name: "estimated", MINIMAX.name: "unknown"}


def test_the_fingerprint_tells_keys_contents_and_order():
    one = plan(spec("a"), spec("b"))
    assert one.fingerprint == plan(spec("a", tags=("x",)), spec("b")).fingerprint
    others = [plan(spec("b"), spec("a")), plan(spec("a")), plan(spec("a", prompt="x"), spec("b"))]
    assert one.fingerprint not in {other.fingerprint for other in others}


def test_the_campaigns_seed_reaches_the_jobs():
    assert plan(spec(model=HORSE), seed=1).fingerprint != plan(spec(model=HORSE)).fingerprint
