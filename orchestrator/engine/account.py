"""One provider's account in one run: its meters, its pauses and what it is known to take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.engine.looks.expectations import Expectations
from orchestrator.engine.looks.pace import Pace
from orchestrator.engine.meters.bounds import MOST_CREATES, MOST_TASKS, Bound, Bounds, Change, Load
from orchestrator.engine.meters.limits import RateMeter, Slots
from orchestrator.engine.meters.pauses import Breaker, Gate
from orchestrator.engine.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.catalog.spec import Model
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.run import Run
    from orchestrator.engine.tally import Reason
    from orchestrator.manifest.model import Limits
    from orchestrator.providers.base import Provider, Reply, Request

#: Tasks in a row that fail for a dead channel before their model is left alone.
DEAD_CHANNELS = 3


class Transport(Protocol):
    """How an account's requests are sent (see `providers.transport.Transport`)."""

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send one create, once."""

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        """Send a request that may be repeated freely."""


@dataclass(slots=True)
class Account:
    """Meters and pauses of one account."""

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
    #: How long tasks take, as far as that is known, and when to look at them.
    expectations: Expectations = field(init=False)
    pace: Pace = field(init=False)
    #: Jobs to create.
    waiting: Waiting = field(init=False)
    #: What the account is known to take.
    bounds: Bounds = field(init=False)
    #: Task ids of this account that the run knows, with their rows.
    holders: dict[str, int] = field(default_factory=dict)
    #: Attempts whose tasks are watched, by task id.
    watched: dict[str, OpenAttempt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bounds = Bounds(
            self._bound("in_flight", self.limits.in_flight, MOST_TASKS),
            self._bound("creates_per_minute", self.limits.creates_per_minute, MOST_CREATES),
        )
        self.expectations = Expectations(self.models)
        self.waiting = Waiting(self)
        self.pace = Pace(self.expectations, self.limits, self.run.clock, self.watched, self.waiting)

    def _bound(self, name: str, figure: float, most: float) -> Bound:
        return Bound(name, figure, figure if name in self.limits.stated else max(figure, most))

    def send(self) -> Load:
        """What the account carries with the create that is sent now, and those on the wire."""
        tasks = len(self.watched) + self.sending
        load = Load(tasks, self.creates.carried, self.run.clock.now())
        self.bounds.sent(load)
        return load

    def remember(self, bounds: Mapping[str, Any]) -> None:
        """Begin with the bounds that an earlier run found (see `Bounds.document`)."""
        self.bounds.remember(bounds, self.run.clock.now(), self.run.clock.wall())
        self._apply_bounds()

    def move(self, changes: Sequence[Change]) -> None:
        """Let bounds count that moved, and say why."""
        if not changes:
            return
        for change in changes:
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
        self.waiting.wake()

    def enqueue(self, attempt: OpenAttempt) -> None:
        """Have a job created."""
        self.waiting.add(attempt)

    @property
    def is_full(self) -> bool:
        """Whether a create has to wait for a slot, for downloads or for room on the disk."""
        behind = self.backlog > self.limits.downloads * 16
        return not self.slots.free or behind or self.run.no_room

    def may_send(self, attempt: OpenAttempt) -> bool:
        """Whether a create that waited may still go: no pause began and no bound fell meanwhile."""
        breakers = (self.unknowns, self.channel(attempt.model_name))
        paused = any(breaker.paused and breaker.probe != attempt.row for breaker in breakers)
        return not (paused or self.slots.exceeded)

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
