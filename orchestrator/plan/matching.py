"""Which job of the manifest is which row of the ledger, so that nothing is paid for twice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

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
class Known:
    """What a plan keeps of a ledger's row: whole rows of a large manifest fill the memory."""

    row: int
    key: str
    identity: str
    fingerprint: str
    stated: str
    state: State
    #: Why its latest attempt failed, where it did.
    error_class: str | None
    #: A person said to send it again.
    resubmit: bool
    #: What it was bought as (see `Row.job`); None where the manifest's job says the same.
    job: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Match:
    """One job and the row that already stands for it, if any."""

    job: Job
    row: Known | None
    #: The fingerprint differs only because a default in the model's table changed.
    default_changed: bool = False


def match(jobs: Sequence[Job], rows: Iterable[Row]) -> list[Match]:
    """Match jobs to rows, in the jobs' order.

    First a row of the same identity and fingerprint; then one of the same identity that differs
    only by a changed default; then, for renamed and moved jobs, one of the same fingerprint that
    no other job claims. Rows of which nothing was sent come last, by identity and fingerprint
    alone: there is nothing to take over, and whatever was sent spares a create.
    """
    known = sorted(_known(rows, jobs), key=lambda row: (-_FURTHEST.index(row.state), -row.row))
    sent = [row for row in known if row.state is not State.PLANNED]
    unsent = [row for row in known if row.state is State.PLANNED]
    found: dict[int, Known] = {}
    for candidates, sign in ((sent, _exact), (sent, _stated), (sent, _content), (unsent, _exact)):
        claimed = {row.row for row in found.values()}
        spare: dict[Hashable, list[Known]] = defaultdict(list)
        for row in candidates:
            if row.row not in claimed:
                spare[sign(row.identity, row)].append(row)
        for index, job in enumerate(jobs):
            same = spare.get(sign(job.spec.identity, job)) if index not in found else None
            if same:
                found[index] = same.pop()
    return [_matched(job, found.get(index)) for index, job in enumerate(jobs)]


def _exact(identity: str, made: Job | Known) -> Hashable:
    return identity, made.fingerprint


def _stated(identity: str, made: Job | Known) -> Hashable:
    return identity, made.stated


def _content(identity: str, made: Job | Known) -> Hashable:  # noqa: ARG001 - the others need it
    return made.fingerprint


def _known(rows: Iterable[Row], jobs: Iterable[Job]) -> Iterator[Known]:
    """What to keep of each row; a text that the job of its identity has as well is kept once."""
    own = {job.spec.identity: job for job in jobs}
    for row in rows:
        job = own.get(row.identity)
        texts = (row.key, row.identity, row.fingerprint, row.stated)
        if job is not None:
            same = (job.key, job.spec.identity, job.fingerprint, job.stated)
            texts = same if same == texts else texts
        yield Known(
            row.row,
            *texts,
            row.state,
            row.attempt.error_class if row.attempt is not None else None,
            row.resubmit,
            None if job is not None and job.fingerprint == row.fingerprint else row.job,
        )


def _matched(job: Job, row: Known | None) -> Match:
    """The job with its row; under a changed default, as it was bought."""
    if row is None or row.fingerprint == job.fingerprint:
        return Match(job, row)
    assert row.job is not None
    bought = replace(job, params=row.job["params"], fingerprint=row.fingerprint)
    return Match(bought, row, default_changed=True)
