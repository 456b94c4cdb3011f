from __future__ import annotations

from orchestrator.jobs import State
from orchestrator.ledger.store import Admission
from orchestrator.ledger.summary import cost, counts, undecided
from tests.ledger.material import admit, in_memory, make_job, walk, write


def test_counts_name_every_state_and_leave_former_jobs_out() -> None:
    with in_memory() as ledger:
        (former,) = admit(ledger, "former")
        walk(ledger, former, State.SUBMITTING, State.SUBMITTED)
        first, _ = admit(ledger, "a", "b")
        walk(ledger, first, State.SUBMITTING)
        assert counts(ledger) == {
            **dict.fromkeys(State, 0),
            State.SUBMITTING: 1,
            State.PLANNED: 1,
        }


def test_cost_has_a_line_for_each_provider_and_never_a_zero_for_the_unknown() -> None:
    with in_memory() as ledger:
        assert cost(ledger) == []
        jobs = [make_job("a"), make_job("b", provider="acedatacloud")]
        rivya, ace = ledger.admit([Admission(job) for job in jobs])
        write(ledger, rivya, "intent", State.SUBMITTING, estimated=3.0, reserved=2.5)
        write(ledger, ace, "intent", State.SUBMITTING)
        unknown = {"estimated": None, "reserved": None, "final": None}
        assert cost(ledger) == [
            {"provider": "acedatacloud", "unit": "credits", **unknown},
            {"provider": "rivya", "unit": "credits", **unknown, "estimated": 3.0, "reserved": 2.5},
        ]


def test_undecided_jobs_are_listed_also_when_the_manifest_dropped_them() -> None:
    with in_memory() as ledger:
        unknown, given_up, fine = admit(ledger, "unknown", "given-up", "fine")
        walk(ledger, unknown, State.SUBMITTING, State.UNKNOWN)
        walk(ledger, given_up, State.SUBMITTING, State.SUBMITTED)
        write(ledger, given_up, "gave_up")
        walk(ledger, fine, State.SUBMITTING, State.SUBMITTED)
        ledger.admit([Admission(make_job("given-up"), given_up)])
        assert [row.key for row in undecided(ledger)] == ["given-up", "unknown"]
