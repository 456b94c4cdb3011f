from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from orchestrator.ledger.sqlite.reading import read_ledger
from tests.ledger.material import admit, in_memory, inline, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_resubmission_is_durable_and_ends_the_wait_for_a_decision(tmp_path: Path) -> None:
    with inline(tmp_path) as ledger:
        (row,) = admit(ledger, "a")
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "unknown", State.UNKNOWN)
        write(ledger, row, "resubmit")
    with read_ledger(tmp_path) as ledger:
        found = ledger.row(row)
        assert (found.state, found.resubmit, found.needs_decision) == (State.UNKNOWN, True, False)
        assert list(ledger.undecided()) == []


@pytest.mark.parametrize("state", [State.SUBMITTING, State.SUBMITTED, State.FAILED])
def test_any_change_of_state_ends_it(state: State) -> None:
    with in_memory() as ledger:
        (row,) = admit(ledger, "a")
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "unknown", State.UNKNOWN)
        write(ledger, row, "resubmit")
        write(ledger, row, "noticed")
        assert ledger.row(row).resubmit
        write(ledger, row, "next", state, new_attempt=state is State.SUBMITTING)
        assert not ledger.row(row).resubmit
        folded = fold(logged.event for logged in ledger.events())[row]
        assert (folded.state, folded.resubmit) == (state, False)


def test_only_an_unknown_job_can_be_resubmitted() -> None:
    with in_memory() as ledger:
        (row,) = admit(ledger, "a")
        write(ledger, row, "intent", State.SUBMITTING)
        with pytest.raises(LedgerError, match="cannot be resubmitted"):
            write(ledger, row, "resubmit")
        assert not ledger.row(row).resubmit
