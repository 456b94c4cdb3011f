"""Which state may follow which: the money rules as a table."""

from __future__ import annotations

from orchestrator.errors import LedgerError
from orchestrator.jobs import State

_P, _S, _T, _G = State.PLANNED, State.SUBMITTING, State.SUBMITTED, State.GENERATED
_D, _F, _U, _Q = State.STORED, State.FAILED, State.UNKNOWN, State.QUARANTINED

#: Legal transitions within one attempt. `stored` and `failed` are final for their attempt; only a
#: new attempt (`retry`, `resubmit`) leaves `failed` and `unknown` for `submitting`.
LEGAL: dict[State, frozenset[State]] = {
    _P: frozenset({_S}),
    _S: frozenset({_P, _T, _G, _F, _U, _Q}),
    _T: frozenset({_G, _F, _Q}),
    _G: frozenset({_D, _Q, _F}),
    _Q: frozenset({_D, _G, _F}),
    _U: frozenset({_T, _G, _F}),
    _D: frozenset(),
    _F: frozenset(),
}

#: States from which a new attempt may start: nothing was made, the attempt failed, or a person
#: said to send again.
NEW_ATTEMPT: frozenset[State] = frozenset({_P, _F, _U})

#: States of attempts whose task may still be running at the provider, so that they hold a slot.
ON_THE_WIRE: frozenset[State] = frozenset({_S, _T})


def check(old: State, new: State, *, new_attempt: bool = False) -> None:
    """Assert that `new` may follow `old`. A new attempt may also fail before it is sent.

    Raises LedgerError: an illegal transition is a defect of this program, and writing it would
    make the ledger lie about money.
    """
    begins = new in (State.SUBMITTING, State.FAILED) and old in NEW_ATTEMPT
    if not (begins if new_attempt else new in LEGAL[old]):
        raise LedgerError(f"a job cannot go from {old} to {new}: please report this defect")
