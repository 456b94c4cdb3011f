"""When an account or a model is left alone: short waits after trouble, long ones between probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from orchestrator.engine.meters.limits import SHORTEST_WAIT

if TYPE_CHECKING:
    from orchestrator.engine.clock import Clock

#: Longest wait that a `Retry-After` is obeyed for, in seconds.
LONGEST_RETRY_AFTER = 300.0
#: First and longest wait after trouble without a `Retry-After`, in seconds.
FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0
#: Longest time between two probes, in seconds, and how many in vain end the creates.
LONGEST_PROBE_WAIT = 1800.0
PROBES = 5


class Gate:
    """Holds requests back after trouble and lets one through to see whether it is over.

    However many requests were under way when the trouble began, they count as one; however many
    wait, one at a time tries. So an outage or a storm of 429 costs a handful of requests.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Counts the changes between trouble and peace: a ticket of an earlier one says nothing.
        self._epoch = 0
        self._troubles = 0
        self._troubled_since = 0.0
        self._closed_until = 0.0
        #: What the latest trouble was, in words; empty without trouble.
        self.why = ""
        #: The ticket of the one request that tries while there is trouble.
        self._trying: int | None = None
        self._changed = anyio.Event()
        self._turn = anyio.Lock(fast_acquire=True)

    @property
    def closed_for(self) -> float:
        """Seconds for which nothing passes yet; 0 while open."""
        return max(0.0, self._closed_until - self._clock.now()) if self._troubles else 0.0

    @property
    def troubled_for(self) -> float:
        """Seconds since the trouble began that is not over yet; 0 without trouble."""
        return self._clock.now() - self._troubled_since if self._troubles else 0.0

    def ticket(self) -> int | None:
        """A ticket where a request may go at once, else None."""
        return None if self._troubles or self._turn.locked() else self._epoch

    async def passage(self) -> int:
        """Wait until a request may go, in turn; gives a ticket to say with how it went."""
        ticket = self.ticket()
        if ticket is not None:
            return ticket
        async with self._turn:
            while self._troubles:
                if (wait := self.closed_for) > 0:
                    await self._clock.sleep(max(wait, SHORTEST_WAIT))
                elif self._trying is not None:
                    await self._changed.wait()
                else:
                    self._trying = self._epoch
                    break
            return self._epoch

    def stands(self, ticket: int) -> bool:
        """Whether a request with this ticket may still go: no trouble began meanwhile."""
        return ticket == self._epoch

    def trouble(self, ticket: int, retry_after: float | None = None, *, why: str = "") -> None:
        """Close after a request that met trouble.

        `retry_after` is what the provider asked for, in seconds; `why` is for people.
        """
        now = self._clock.now()
        asked = None if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        if ticket == self._epoch:
            if not self._troubles:
                self._troubled_since = now
            self._troubles += 1
            self.why = why
            backoff = min(FIRST_BACKOFF * 2 ** min(self._troubles - 1, 16), LONGEST_BACKOFF)
            self._closed_until = now + max(backoff, asked or 0.0)
            self.withdraw(ticket)
            self._epoch += 1
        elif asked is not None and self._troubles:
            self._closed_until = max(self._closed_until, now + asked)

    def fine(self, ticket: int) -> None:
        """Open after a request that went well, if it started after the latest trouble."""
        if ticket == self._epoch and self._troubles:
            self._troubles = 0
            self.why = ""
            self.withdraw(ticket)
            self._epoch += 1

    def withdraw(self, ticket: int) -> None:
        """The request of this ticket says nothing, or nothing more: another one may try."""
        if ticket == self._trying:
            self._trying = None
            self._changed.set()
            self._changed = anyio.Event()


@dataclass(slots=True)
class Breaker:
    """Pauses after so many failures in a row, then probes, ever more rarely, and gives up.

    `threshold` failures pause for `probe_after` seconds; then one attempt is let through. Each
    probe in vain doubles the wait, up to 30 minutes; after five, creates end.
    """

    threshold: int
    probe_after: float
    in_a_row: int = 0
    probes: int = 0
    #: Monotonic time of the next probe; None while nothing is paused.
    paused_until: float | None = None
    #: The row whose attempt is the probe.
    probe: int | None = None

    @property
    def ended(self) -> bool:
        """Whether creates ended for this run."""
        return self.probes >= PROBES

    @property
    def paused(self) -> bool:
        """Whether creates wait for a probe."""
        return self.paused_until is not None

    def admits(self, now: float) -> bool:
        """Whether an attempt may start now."""
        if self.ended:
            return False
        return self.paused_until is None or (self.probe is None and now >= self.paused_until)

    def started(self, row: int) -> None:
        """An attempt starts: while paused, it is the probe."""
        if self.paused:
            self.probe = row

    def succeeded(self) -> None:
        """Something went well: the pause is over."""
        self.in_a_row, self.probes, self.paused_until, self.probe = 0, 0, None, None

    def failed(self, row: int, now: float) -> bool:
        """Count a failure; true where it begins or prolongs a pause."""
        if self.paused:
            if row != self.probe:
                return False
            self.probes += 1
            self.probe = None
        else:
            self.in_a_row += 1
            if self.in_a_row < self.threshold:
                return False
        self.paused_until = now + min(self.probe_after * 2**self.probes, LONGEST_PROBE_WAIT)
        return True

    def undecided(self, row: int) -> None:
        """The attempt of this row tells nothing: if it was the probe, another one may be."""
        if row == self.probe:
            self.probe = None
