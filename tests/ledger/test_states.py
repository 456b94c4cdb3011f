from __future__ import annotations

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.states import LEGAL, check


def test_every_state_has_its_rule() -> None:
    assert set(LEGAL) == set(State)


@pytest.mark.parametrize("final", [State.STORED, State.FAILED])
def test_final_states_lead_nowhere_within_their_attempt(final: State) -> None:
    for state in State:
        with pytest.raises(LedgerError, match=f"from {final} to {state}"):
            check(final, state)


def test_a_create_of_unknown_outcome_is_never_sent_again_by_itself() -> None:
    for state in (State.PLANNED, State.SUBMITTING):
        with pytest.raises(LedgerError):
            check(State.UNKNOWN, state)


def test_a_new_attempt_starts_only_where_nothing_can_be_running() -> None:
    allowed = {State.PLANNED, State.FAILED, State.UNKNOWN}
    for state in State:
        if state in allowed:
            check(state, State.SUBMITTING, new_attempt=True)
        else:
            with pytest.raises(LedgerError):
                check(state, State.SUBMITTING, new_attempt=True)


def test_a_new_attempt_starts_with_its_intent() -> None:
    with pytest.raises(LedgerError):
        check(State.FAILED, State.SUBMITTED, new_attempt=True)
