"""Which job of the manifest is which row of the ledger, so that nothing is paid for twice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from orchestrator.jobs import Job
    from orchestrator.ledger.store import Row

#: Which row a job gets when several stand for the same: the furthest first.
_FURTHEST = (
    State.STORED,
    State.GENERATED,
    State.QUARANTINED,
    State.SUBMITTED,
    State.UNKNOWN,
    State.SUBMITTING,
    State.FAILED,
    State.PLANNED,
)


@dataclass(frozen=True, slots=True)
class Match:
    """One job and the row that already stands for it, if any."""

    job: Job
    row: Row | None
    #: The fingerprint differs only because a default in the model's table changed.
    default_changed: bool = False


def match(jobs: Sequence[Job], rows: Iterable[Row]) -> list[Match]:
    """Match jobs to rows, in the jobs' order.

    First a row of the same identity and fingerprint; then one of the same identity that differs
    only by a changed default; then, for renamed and moved jobs, one of the same fingerprint that
    no other job claims. Rows of which nothing was sent come last, by identity and fingerprint
    alone: there is nothing to take over, and whatever was sent spares a create.
    """
    rows = sorted(rows, key=lambda row: (-_FURTHEST.index(row.state), -row.row))
    sent = [row for row in rows if row.state is not State.PLANNED]
    unsent = [row for row in rows if row.state is State.PLANNED]
    found: dict[int, Row] = {}
    for candidates, sign in ((sent, _exact), (sent, _stated), (sent, _content), (unsent, _exact)):
        claimed = {row.row for row in found.values()}
        spare: dict[Hashable, list[Row]] = defaultdict(list)
        for row in candidates:
            if row.row not in claimed:
                spare[sign(row.identity, row)].append(row)
        for index, job in enumerate(jobs):
            same = spare.get(sign(job.spec.identity, job)) if index not in found else None
            if same:
                found[index] = same.pop()
    return [_matched(job, found.get(index)) for index, job in enumerate(jobs)]


def _exact(identity: str, made: Job | Row) -> Hashable:
    return identity, made.fingerprint


def _stated(identity: str, made: Job | Row) -> Hashable:
    return identity, made.stated


def _content(identity: str, made: Job | Row) -> Hashable:  # noqa: ARG001 - the others need it
    return made.fingerprint


def _matched(job: Job, row: Row | None) -> Match:
    """The job with its row; under a changed default, as it was bought."""
    if row is None or row.fingerprint == job.fingerprint:
        return Match(job, row)
    bought = replace(job, params=row.job["params"], fingerprint=row.fingerprint)
    return Match(bought, row, default_changed=True)
