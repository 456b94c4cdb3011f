"""One provider's account in one run: its meters, its pauses and the jobs that wait for it."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from orchestrator.engine.bounds import MOST_CREATES, MOST_TASKS, Bound, Bounds, Change, Load
from orchestrator.engine.expectations import Expectations
from orchestrator.engine.limits import SHORTEST_WAIT, RateMeter, Slots
from orchestrator.engine.pace import Pace
from orchestrator.engine.pauses import Breaker, Gate
from orchestrator.engine.tally import Reason
from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.catalog.spec import Model
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.run import Run
    from orchestrator.manifest.model import Limits
    from orchestrator.providers.base import Provider, Reply, Request

#: How many times what waits has to fit into the budget for the longest jobs to go first.
HEADROOM = 2
#: Tasks in a row that fail for a dead channel before their model is left alone.
DEAD_CHANNELS = 3


class Transport(Protocol):
    """How an account's requests are sent (see `providers.transport.Transport`)."""

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send one create, once."""

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        """Send a request that may be repeated freely."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be created for so many seconds, or until something changes."""

    seconds: float = math.inf


@dataclass(slots=True)
class Queue:
    """Jobs of one kind that wait to be created, as a heap: place in the manifest, row, attempt."""

    model_name: str
    waiting: list[tuple[float, int, OpenAttempt]] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """Meters and pauses of one account, and its jobs to create."""

    run: Run
    provider: Provider
    transport: Transport
    limits: Limits
    models: Mapping[str, Model]
    slots: Slots
    creates: RateMeter
    polls: RateMeter
    gate: Gate
    poll_gate: Gate
    #: Pauses the account after unknown creates.
    unknowns: Breaker
    #: Pauses a model whose channel is dead, by `provider/model`.
    channels: dict[str, Breaker] = field(default_factory=dict)
    #: A person has to act before anything can be created.
    halted: bool = False
    #: Creates on the wire.
    sending: int = 0
    #: More results wait for download than this: creates wait too.
    backlog: int = 0
    #: What is known of how long tasks take, and when to look at them.
    pace: Pace = field(init=False)
    #: What the account is known to take.
    bounds: Bounds = field(init=False)
    #: Task ids of this account that the run knows, with their rows.
    holders: dict[str, int] = field(default_factory=dict)
    #: Attempts whose tasks are watched, by task id.
    watched: dict[str, OpenAttempt] = field(default_factory=dict)
    #: Jobs to create by their kind (see `expectations`), each queue in the manifest's order.
    _queues: dict[str, Queue] = field(default_factory=dict)
    #: What all that wait there may cost and make, with every retry; unknown prices are nothing.
    _awaited: float = 0.0
    _creates: int = 0
    _woken: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.bounds = Bounds(
            self._bound("in_flight", self.limits.in_flight, MOST_TASKS),
            self._bound("creates_per_minute", self.limits.creates_per_minute, MOST_CREATES),
        )
        expectations = Expectations(self.models)
        self.pace = Pace(expectations, self.limits, self.run.clock, self.watched)

    def _bound(self, name: str, figure: float, most: float) -> Bound:
        return Bound(name, figure, figure if name in self.limits.stated else max(figure, most))

    def load(self) -> Load:
        """What the account carries, with the creates that are on the wire."""
        return Load(len(self.watched) + self.sending, self.creates.carried)

    def remember(self, bounds: Mapping[str, Any]) -> None:
        """Begin with the bounds that an earlier run found (see `Bounds.document`)."""
        self.bounds.remember(bounds, self.run.clock.now(), self.run.clock.wall())
        self._apply_bounds()

    def move(self, change: Change | None) -> None:
        """Let a bound count that moved, and say why."""
        if change is None:
            return
        self.run.journal.note(
            "limit",
            provider=self.provider.name,
            limit=change.limit,
            was=round(change.was, 1),
            now=round(change.now, 1),
            why=change.why,
        )
        self._apply_bounds()
        self.wake()

    def _apply_bounds(self) -> None:
        self.slots.most = max(1, math.floor(self.bounds.in_flight.level))
        self.creates.change(self.bounds.creates.level, spread=1.0 if self.bounds.is_even else 0.5)

    def wake(self) -> None:
        """Something changed that decides what may be created."""
        self._woken.set()

    async def woken(self, wait: Wait) -> None:
        """Wait until something changes, at most as long as told."""
        with anyio.move_on_after(wait.seconds):
            await self._woken.wait()

    def enqueue(self, attempt: OpenAttempt) -> None:
        """Have a job created; among those of its kind, in the manifest's order."""
        order = math.inf if attempt.position is None else attempt.position
        queue = self._queues.setdefault(self.pace.kind(attempt), Queue(attempt.model_name))
        heapq.heappush(queue.waiting, (order, attempt.row, attempt))
        self._await(attempt, 1)
        self.wake()

    def may_send(self, attempt: OpenAttempt) -> bool:
        """Whether a create that waited for its turn may still go: no pause began meanwhile."""
        breakers = (self.unknowns, self.channel(attempt.model_name))
        return all(not breaker.paused or breaker.probe == attempt.row for breaker in breakers)

    def channel(self, model_name: str) -> Breaker:
        """The breaker of one model."""
        if model_name not in self.channels:
            self.channels[model_name] = Breaker(DEAD_CHANNELS, self.limits.probe_after)
        return self.channels[model_name]

    def halt(self, reason: Reason, text: str) -> None:
        """End this account's creates: nothing works until a person acts."""
        self.halted = True
        self.run.tally.because(reason, f"{self.provider.name}: {text}")
        self.run.journal.note("halted", provider=self.provider.name, reason=reason, text=text)
        self.wake()

    def let_go(self, attempt: OpenAttempt) -> None:
        """End an attempt that told nothing of its account and model: its slot and probe go on."""
        self.unknowns.undecided(attempt.row)
        self.channel(attempt.model_name).undecided(attempt.row)
        self.give_slot(attempt)
        self.wake()

    def give_slot(self, attempt: OpenAttempt) -> None:
        """Let go of the attempt's slot, if it holds one."""
        if attempt.has_slot:
            attempt.has_slot = False
            self.slots.give()
            self.wake()

    def choose(self) -> OpenAttempt | Wait:
        """The next job to create, taken from its queue, or how long to wait.

        Jobs that cannot be created in this run any more are dropped on the way.
        """
        if self._woken.is_set():
            self._woken = anyio.Event()
        self._drop_ended()
        now = self.run.clock.now()
        self._queues = {kind: queue for kind, queue in self._queues.items() if queue.waiting}
        queues = list(self._queues.values())
        self.pace.jobs_wait = bool(queues)
        if not queues:
            return Wait()
        if not self.unknowns.admits(now):
            return Wait(_until(self.unknowns, now))
        ready = [queue for queue in queues if self.channel(queue.model_name).admits(now)]
        if not ready:
            return Wait(min(_until(self.channel(queue.model_name), now) for queue in queues))
        queue = min(ready, key=self._rank if self._has_headroom() else _place)
        if self._is_beyond_budget(queue.waiting[0][2]) or self._is_full():
            return Wait()
        attempt = heapq.heappop(queue.waiting)[2]
        self._await(attempt, -1)
        return attempt

    def _await(self, attempt: OpenAttempt, sign: int) -> None:
        most = 1 + (attempt.job.spec.retries if attempt.job is not None else 0)
        self._awaited += sign * most * (attempt.estimate or 0.0)
        self._creates += sign * most

    def _has_headroom(self) -> bool:
        """Whether the budget allows all that waits, even at a multiple of the estimates.

        Else the manifest's order decides which of it is sent.
        """
        budget, jobs = self.run.budget, self.run.budget.caps.jobs
        fits = budget.refusal(self.provider.name, HEADROOM * self._awaited, counts=False) is None
        return fits and (jobs is None or budget.attempts + HEADROOM * self._creates <= jobs)

    def _rank(self, queue: Queue) -> tuple[float, float, int]:
        """Smallest for the queue whose first job goes next.

        The longest jobs go first, so that none of them is left for the end, and those of which
        nothing is known yet before them.
        """
        position, row, attempt = queue.waiting[0]
        expected = self.pace.expected(attempt)
        return (-math.inf if expected is None else -expected, position, row)

    def _is_full(self) -> bool:
        """Whether a create has to wait for a slot, for downloads or for room on the disk."""
        behind = self.backlog > self.limits.downloads * 16
        return not self.slots.free or behind or self.run.no_room

    def _is_beyond_budget(self, attempt: OpenAttempt) -> bool:
        """Whether the budget does not allow this create now.

        While other attempts are open they may still turn out cheaper, so a job that does not fit
        waits; after that it ends the creates of this account: nothing overtakes it.
        """
        refusal = self.run.budget.refusal(
            attempt.provider, attempt.estimate, counts=is_new(attempt)
        )
        if refusal is not None and self.slots.held == self.slots.lingering:
            text = f"{self.provider.name}: {attempt.key} and what follows stay planned: {refusal}"
            self.run.tally.because(Reason.BUDGET, text)
            self._drop_all()
        return refusal is not None

    def _drop_ended(self) -> None:
        if self.run.stopping or self.halted:
            self._drop_all()
        if self.unknowns.ended:
            self._left(f"{self.provider.name}: creates kept ending unknown")
            self._drop_all()
        for queue in self._queues.values():
            if queue.waiting and self.channel(queue.model_name).ended:
                self._left(f"{queue.model_name}: its channel stayed dead")
                self._drop(queue)

    def _left(self, text: str) -> None:
        if any(queue.waiting for queue in self._queues.values()):
            self.run.tally.because(Reason.UNFINISHED, text)

    def _drop_all(self) -> None:
        for queue in self._queues.values():
            self._drop(queue)

    def _drop(self, queue: Queue) -> None:
        while queue.waiting:
            self._await(queue.waiting.pop()[2], -1)
            self.run.closed()


def _place(queue: Queue) -> tuple[float, int]:
    """Smallest for the queue whose first job is the first in the manifest."""
    return queue.waiting[0][:2]


def is_new(attempt: OpenAttempt) -> bool:
    """Whether creating this job starts an attempt that the ledger does not count yet."""
    return attempt.number == 0 or attempt.state is not State.PLANNED


def _until(breaker: Breaker, now: float) -> float:
    if breaker.paused_until is None or breaker.probe is not None:
        return math.inf
    return max(SHORTEST_WAIT, breaker.paused_until - now)


def open_account(
    run: Run, provider: Provider, transport: Transport, limits: Limits, models: Mapping[str, Model]
) -> Account:
    """An account with fresh meters, as the manifest's limits want them."""
    account = Account(
        run,
        provider,
        transport,
        limits,
        models,
        Slots(limits.in_flight),
        RateMeter(limits.creates_per_minute, 60.0, run.clock, spread=True),
        RateMeter(limits.polls_per_second, 1.0, run.clock),
        Gate(run.clock),
        Gate(run.clock),
        Breaker(limits.pause_after_unknown, limits.probe_after),
    )
    run.wakers.append(account.wake)
    return account
