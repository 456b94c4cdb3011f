"""Which job of the manifest is which row of the ledger, so that nothing is paid for twice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.jobs import Job
    from orchestrator.ledger.store import Row

#: Which row a renamed job takes over when several made the same: the furthest first.
_FURTHEST = (
    State.STORED,
    State.GENERATED,
    State.QUARANTINED,
    State.SUBMITTED,
    State.UNKNOWN,
    State.SUBMITTING,
    State.FAILED,
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
    no other job claims. Rows of which nothing was sent are matched by identity and fingerprint
    alone: there is nothing to take over.
    """
    rows = list(rows)
    found: dict[int, Match] = {}
    claimed: set[int] = set()

    def claim(index: int, row: Row, job: Job, *, default_changed: bool = False) -> None:
        found[index] = Match(job, row, default_changed)
        claimed.add(row.row)

    exact = {(row.identity, row.fingerprint): row for row in rows}
    for index, job in enumerate(jobs):
        row = exact.get((job.spec.identity, job.fingerprint))
        if row is not None:
            claim(index, row, job)
    sent = [row for row in rows if row.row not in claimed and row.state is not State.PLANNED]
    stated = {(row.identity, row.stated): row for row in sent}
    for index, job in enumerate(jobs):
        row = stated.get((job.spec.identity, job.stated)) if index not in found else None
        if row is not None and row.row not in claimed:
            claim(index, row, _as_bought(job, row), default_changed=True)
    spare = _by_fingerprint(row for row in sent if row.row not in claimed)
    for index, job in enumerate(jobs):
        if index not in found and spare.get(job.fingerprint):
            claim(index, spare[job.fingerprint].pop(), job)
    return [found.get(index, Match(job, None)) for index, job in enumerate(jobs)]


def _as_bought(job: Job, row: Row) -> Job:
    """The job with the parameters and the fingerprint under which it was bought."""
    return replace(job, params=row.job["params"], fingerprint=row.fingerprint)


def _by_fingerprint(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by fingerprint, the one to take first at the end."""
    spare: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        spare[row.fingerprint].append(row)
    for same in spare.values():
        same.sort(key=lambda row: (-_FURTHEST.index(row.state), -row.row))
    return spare
