"""What a run folder comes to, in the figures that `run` and `status` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State

if TYPE_CHECKING:
    from orchestrator.ledger.sqlite.reading import ReadableLedger
    from orchestrator.ledger.store import Row

#: All tables count in credits.
_UNIT = "credits"


def counts(ledger: ReadableLedger) -> dict[State, int]:
    """How many of the manifest's current jobs are in each state; every state is there."""
    found = ledger.counts()
    return {state: found.get(state, 0) for state in State}


def cost(ledger: ReadableLedger) -> list[dict[str, Any]]:
    """What each provider's attempts were expected to cost, and did, over the folder's whole life.

    `{"provider", "unit", "estimated", "reserved", "final"}`; an amount of which nothing is known
    is None, never 0.
    """
    return [
        {
            "provider": provider,
            "unit": _UNIT,
            "estimated": spend.estimated,
            "reserved": spend.reserved,
            "final": spend.final,
        }
        for provider, spend in sorted(ledger.spend().items())
    ]


def undecided(ledger: ReadableLedger) -> list[Row]:
    """Rows that wait for a person: creates of unknown outcome, and tasks that were given up."""
    return list(ledger.undecided())
