"""The meters of an account: requests in a sliding window, and slots."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.engine.clock import Clock

#: How much longer than stated a window is kept, in seconds: a request arrives a little after it
#: was sent, and the limit has to hold where it arrives.
ARRIVAL_GUARD = 0.05

#: Shortest wait, in seconds: sums of small times need not come out even.
SHORTEST_WAIT = 0.001


class RateMeter:
    """At most `limit` requests in every window of `window` seconds, first come first served.

    A limit below one is the same as one in a window so much longer. A request takes its place
    when it is admitted and is dated when it is sent, so that what waits between the two (a
    durable intent, a connection) cannot squeeze the window. `spread` keeps requests at least half
    their mean distance apart, so that trouble is seen before many more are on their way.
    """

    def __init__(self, limit: float, window: float, clock: Clock, *, spread: bool = False) -> None:
        self._stated_window = window
        self._clock = clock
        self._next = -math.inf
        self.change(limit, spread=0.5 if spread else 0.0)
        self._sent: deque[float] = deque()
        self._unsent = 0
        self._turn = anyio.Lock(fast_acquire=True)
        self._dated = anyio.Event()

    def change(self, limit: float, *, spread: float) -> None:
        """Allow so many from now on, each at least `spread` of their mean distance after another.

        Evenly spread, at 1, they keep to any window of the same rate.
        """
        self._most = max(1, math.floor(limit))
        self._window = self._stated_window * max(1.0, 1 / limit) + ARRIVAL_GUARD
        gap = self._window / self._most * spread
        self._gap = gap if gap > SHORTEST_WAIT else 0.0

    @property
    def carried(self) -> int:
        """Requests of the latest window, those that have their place and are not sent included."""
        self._forget(self._clock.now())
        return len(self._sent) + self._unsent

    @property
    def span(self) -> float:
        """How long a request counts, in seconds."""
        return self._window

    def seed(self, ages: Iterable[float]) -> None:
        """Count requests that were sent so many seconds ago, by an earlier run."""
        now = self._clock.now()
        self._sent.extend(sorted(now - max(age, 0.0) for age in ages))

    async def admit(self) -> Place:
        """Wait for a place. It has to be given to `done`, whatever happens."""
        place = self.take()
        if place is not None:
            return place
        async with self._turn:
            while (wait := self._wait()) is not None:
                if self._dated.is_set():
                    self._dated = anyio.Event()
                with anyio.move_on_after(wait):
                    await self._dated.wait()
            return self._place()

    def take(self) -> Place | None:
        """A place where one is free at once and nobody waits for it, else None."""
        if self._turn.locked() or self._wait() is not None:
            return None
        return self._place()

    def _place(self) -> Place:
        self._unsent += 1
        self._next = self._clock.now() + self._gap
        return Place(self)

    def done(self, place: Place) -> None:
        """Give a place back; one that was sent counts on, one that was not is free again."""
        if not place.is_sent:
            self._unsent -= 1
            self._next = (self._sent[-1] if self._sent else -math.inf) + self._gap
            self._dated.set()

    def date(self) -> None:
        """Count a request from now on that had its place before."""
        self._unsent -= 1
        self._sent.append(self._clock.now())
        self._dated.set()

    def _wait(self) -> float | None:
        """Seconds until a place may be free; infinite while all are unsent, None where one is."""
        now = self._clock.now()
        self._forget(now)
        if now < self._next:
            return max(self._next - now, SHORTEST_WAIT)
        if len(self._sent) + self._unsent < self._most:
            return None
        if not self._sent:
            return math.inf
        return max(self._sent[0] + self._window - now, SHORTEST_WAIT)

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - self._window:
            self._sent.popleft()


@dataclass(slots=True)
class Place:
    """One admitted request's place in its window."""

    meter: RateMeter
    is_sent: bool = False

    def sent(self) -> None:
        """The request is on its way: it counts from now on."""
        if not self.is_sent:
            self.is_sent = True
            self.meter.date()


class Slots:
    """How many tasks may run at once. A restart may hold more than that until they end."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        #: Of those held, slots of creates of unknown outcome: nothing comes of them any more.
        self.lingering = 0

    @property
    def free(self) -> bool:
        """Whether a new task may start."""
        return self.held < self.most

    @property
    def exceeded(self) -> bool:
        """Whether more are held than may be: the bound moved, or a restart found more."""
        return self.held > self.most

    def take(self) -> None:
        """Hold one slot."""
        self.held += 1

    def give(self) -> None:
        """Let go of one slot."""
        self.held -= 1
        assert self.held >= 0, "a slot was given back twice"
