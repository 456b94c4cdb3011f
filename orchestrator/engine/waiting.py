"""Waiting: one account's jobs that are to be created, and which of them goes next.

Those of one kind (see `looks.expectations`) stay in the manifest's order. Among the kinds the
longest goes first, as slots are what they wait for; where the budget may not suffice for all, the
manifest's order decides.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from orchestrator.engine.attempt import OpenAttempt, is_new, unsent
from orchestrator.engine.meters.limits import SHORTEST_WAIT
from orchestrator.engine.tally import Reason

if TYPE_CHECKING:
    from orchestrator.engine.account import Account
    from orchestrator.engine.meters.pauses import Breaker
    from orchestrator.jobs import Job

#: How many times what waits has to fit into the budget for the longest jobs to go first.
HEADROOM = 2


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be created for so many seconds, or until something changes."""

    seconds: float = math.inf


@dataclass(slots=True)
class Queue:
    """Jobs of one kind, as a heap: place in the manifest, row, and what is known of the job.

    A job that was never sent is an attempt from the moment on at which it is the first: most of
    them wait for hours, and an attempt is large.
    """

    kind: str
    model_name: str
    waiting: list[tuple[float, int, OpenAttempt | Job]] = field(default_factory=list)

    def first(self) -> OpenAttempt:
        """The job that goes next of this kind."""
        place, row, job = self.waiting[0]
        if isinstance(job, OpenAttempt):
            return job
        attempt = unsent(row, int(place), job)
        attempt.kind = self.kind
        self.waiting[0] = (place, row, attempt)
        return attempt


class Waiting:
    """The jobs of one account that wait to be created."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._run = account.run
        self._queues: dict[str, Queue] = {}
        #: What all that waits may cost and make, with every retry, and how many jobs it is;
        #: unknown prices are nothing.
        self._cost = 0.0
        self._creates = 0
        self._jobs = 0
        self._woken = anyio.Event()

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._jobs

    def add(self, attempt: OpenAttempt) -> None:
        """Have a job created."""
        kind = self._account.pace.kind(attempt)
        place = math.inf if attempt.position is None else attempt.position
        self._push(kind, attempt.model_name, (place, attempt.row, attempt))

    def add_unsent(self, row: int, place: int, job: Job) -> None:
        """Have a job created of which nothing was sent yet; `place` is its one in the manifest."""
        name = f"{job.provider}/{job.model}"
        kind = self._account.expectations.kind(name, job.params)
        self._push(kind, name, (place, row, job))

    def wake(self) -> None:
        """Something changed that decides what may be created."""
        self._woken.set()

    async def woken(self, wait: Wait) -> None:
        """Wait until something changes, at most as long as told."""
        with anyio.move_on_after(wait.seconds):
            await self._woken.wait()

    def choose(self) -> OpenAttempt | Wait:
        """The next job to create, taken from its queue, or how long to wait.

        Jobs that cannot be created in this run any more are dropped on the way.
        """
        if self._woken.is_set():
            self._woken = anyio.Event()
        self._drop_ended()
        account, now = self._account, self._run.clock.now()
        self._queues = {kind: queue for kind, queue in self._queues.items() if queue.waiting}
        queues = list(self._queues.values())
        if not queues:
            return Wait()
        if not account.unknowns.admits(now):
            return Wait(_until(account.unknowns, now))
        ready = [queue for queue in queues if account.channel(queue.model_name).admits(now)]
        if not ready:
            return Wait(min(_until(account.channel(queue.model_name), now) for queue in queues))
        queue = min(ready, key=self._rank if self._has_headroom() else _place)
        attempt = queue.first()
        if self._is_beyond_budget(attempt) or account.is_full:
            return Wait()
        heapq.heappop(queue.waiting)
        self._count(attempt, -1)
        return attempt

    def _push(self, kind: str, model_name: str, item: tuple[float, int, OpenAttempt | Job]) -> None:
        if kind not in self._queues:
            self._queues[kind] = Queue(kind, model_name)
        heapq.heappush(self._queues[kind].waiting, item)
        self._count(item[2], 1)
        self.wake()

    def _count(self, what: OpenAttempt | Job, sign: int) -> None:
        job = what.job if isinstance(what, OpenAttempt) else what
        self._jobs += sign
        most = 1 + (job.spec.retries if job is not None else 0)
        self._cost += sign * most * (what.estimate or 0.0)
        self._creates += sign * most

    def _has_headroom(self) -> bool:
        """Whether the budget allows all that waits, even at a multiple of the estimates.

        Else the manifest's order decides which of it is sent.
        """
        budget, most = self._run.budget, self._run.budget.caps.jobs
        provider = self._account.provider.name
        fits = budget.refusal(provider, HEADROOM * self._cost, counts=False) is None
        return fits and (most is None or budget.attempts + HEADROOM * self._creates <= most)

    def _rank(self, queue: Queue) -> tuple[float, float, int]:
        """Smallest for the queue whose first job goes next.

        The longest jobs go first, so that none of them is left for the end, and those of which
        nothing is known yet before them.
        """
        expected = self._account.pace.expected(queue.first())
        return (-math.inf if expected is None else -expected, *_place(queue))

    def _is_beyond_budget(self, attempt: OpenAttempt) -> bool:
        """Whether the budget does not allow this create now.

        While other attempts are open they may still turn out cheaper, so a job that does not fit
        waits; after that it ends the creates of this account: nothing overtakes it.
        """
        refusal = self._run.budget.refusal(
            attempt.provider, attempt.estimate, counts=is_new(attempt)
        )
        slots = self._account.slots
        if refusal is not None and slots.held == slots.lingering:
            text = f"{attempt.provider}: {attempt.key} and what follows stay planned: {refusal}"
            self._run.tally.because(Reason.BUDGET, text)
            self._drop_all()
        return refusal is not None

    def _drop_ended(self) -> None:
        account = self._account
        if self._run.stopping or account.halted:
            self._drop_all()
        if account.unknowns.ended:
            self._left(f"{account.provider.name}: creates kept ending unknown")
            self._drop_all()
        for queue in self._queues.values():
            if queue.waiting and account.channel(queue.model_name).ended:
                self._left(f"{queue.model_name}: its channel stayed dead")
                self._drop(queue)

    def _left(self, text: str) -> None:
        if any(queue.waiting for queue in self._queues.values()):
            self._run.tally.because(Reason.UNFINISHED, text)

    def _drop_all(self) -> None:
        for queue in self._queues.values():
            self._drop(queue)

    def _drop(self, queue: Queue) -> None:
        while queue.waiting:
            self._count(queue.waiting.pop()[2], -1)
            self._run.closed()


def _place(queue: Queue) -> tuple[float, int]:
    """Smallest for the queue whose first job is the first in the manifest."""
    return queue.waiting[0][:2]


def _until(breaker: Breaker, now: float) -> float:
    if breaker.paused_until is None or breaker.probe is not None:
        return math.inf
    return max(SHORTEST_WAIT, breaker.paused_until - now)
