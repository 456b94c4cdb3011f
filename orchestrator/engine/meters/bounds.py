"""Bounds: how many tasks at once and how many creates a minute an account takes, found by trying.

Where the manifest states nothing, both begin low and grow by a quarter while the provider takes all
that is asked; a figure that the manifest states is where its bound begins, and its ceiling. Once
something was refused with 429, a bound goes back in small steps until hardly anything is refused,
and is tried a little higher now and then, ever more rarely. Refusals one after the other with
nothing taken between them are a storm, where as many tasks were taken of late: they say nothing
about a limit.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.engine.meters.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How much a bound grows in one step before anything was refused, and how much it moves after.
GROWTH, STEP = 1.25, 0.05
#: Creates that have to be taken at a bound before it grows: as many as the bound, and at least.
LEAST_ROUND = 3
#: Refusals after which a bound goes back.
DOUBTS = 2
#: Steps up with nothing refused after which a limit is no longer believed in.
RISES = 4
#: Refusals one after the other that are a storm.
STORM = 5
#: How many creates are remembered with their tasks, and how many of these have to have been taken
#: with as many tasks as a refused one, for the refusal to be about anything else.
MEMORY, REFUTED = 3000, 3
#: How often in a row a limit of tasks has to be met at one place to be certain.
CERTAIN = 5
#: How many creates that were taken tell what is taken lately.
LATELY = 50
#: How far below the limit that showed creates may be refused for their number, as a share of it.
TRUST = 0.8
#: Seconds until a limit that was found is tried again, at first and at most.
FIRST_TRIAL, LAST_TRIAL = 120.0, 3600.0
#: For how many days a limit that was met is remembered.
DAYS = 7
#: How far bounds grow by themselves.
MOST_TASKS, MOST_CREATES = 1000.0, 6000.0


class Load(NamedTuple):
    """What an account carried when a create was sent, that create included."""

    in_flight: float
    #: Creates in the last minute.
    creates_per_minute: float
    #: When it was sent, on the event loop's clock.
    at: float


class Change(NamedTuple):
    """A bound that moved, and why."""

    limit: str
    was: float
    now: float
    why: str


@dataclass(slots=True)
class Bound:
    """One figure, named as in the manifest's limits."""

    name: str
    #: What is asked for at most, now and ever.
    level: float
    ceiling: float
    #: The largest load that was taken.
    proved: float = 0.0
    #: The limit was met: from then on it is searched for in small steps.
    is_met: bool = False
    #: The limit was met in this run, and not only remembered.
    is_own: bool = False
    #: Creates that were taken, and refused, at this level.
    calm: int = 0
    doubts: int = 0
    #: When the limit is tried again, on the event loop's clock, and how long after that.
    trial_at: float = 0.0
    trial_wait: float = FIRST_TRIAL
    #: Steps up since anything was refused.
    rises: int = 0
    #: Where it stood before the limit was met.
    unmet: float = 0.0
    #: Where the limit was met last, and how often in a row there or above.
    found: float = 0.0
    confirmed: int = 0

    def is_full(self, load: float) -> bool:
        """Whether an account that carries this much is at the bound."""
        return load > self.level - max(1.0, self.level * STEP)

    def taken(self, load: float) -> None:
        """A create was taken under this load."""
        self.calm += self.is_full(load)
        self.proved = max(self.proved, load)

    def grow(self, now: float) -> bool:
        """Move up where all was taken for long enough; whether it did."""
        if self.level >= self.ceiling or self.calm < max(self.level, LEAST_ROUND):
            return False
        if self.is_met and now < self.trial_at:
            return False
        step = max(1.0, self.level * STEP) if self.is_met else max(1.0, self.level * (GROWTH - 1))
        self._move(self.level + step)
        self.rises += 1
        self.trial_at = now + self.trial_wait
        if self.rises >= RISES:
            self._believe_nothing()
        return True

    def shrink(self, load: float, now: float, *, is_first: bool) -> None:
        """A create was refused under this load, and the bound may be why.

        `is_first` says that a create was taken since the refusal before: it takes two such
        refusals to believe in a limit at all.
        """
        self.calm = 0
        if self.rises:
            # A step up was one too many.
            self.rises, self.trial_wait = 0, min(self.trial_wait * 2, LAST_TRIAL)
            self.doubts = DOUBTS
        self.trial_at = now + self.trial_wait
        self.doubts += is_first or self.is_met
        if self.doubts < DOUBTS:
            return
        self.is_own = True
        if self.is_met:
            level = min(self.level, load)
            self._move(level - max(1.0, level * STEP))
            is_same = self.level > self.found * (1 - STEP)
            self.found, self.confirmed = self.level, self.confirmed + 1 if is_same else 1
        else:
            self.is_met, self.unmet = True, self.level
            self._move(min(self.level, max(self.proved, load / 2), load))

    def acquit(self) -> None:
        """The refusals were about something else: go back to where they had not counted."""
        if self.is_met and self.is_own:
            level = max(self.level, self.unmet)
            self._believe_nothing()
            self._move(level)

    def _believe_nothing(self) -> None:
        """Whatever was met is no limit."""
        self.is_met = self.is_own = False
        self.unmet, self.rises, self.trial_wait = 0.0, 0, FIRST_TRIAL
        self.found, self.confirmed = 0.0, 0

    def _move(self, level: float) -> None:
        self.level = min(max(level, 1.0), self.ceiling)
        self.calm = self.doubts = 0


class Bounds:
    """Both bounds of one account."""

    def __init__(self, in_flight: Bound, creates: Bound) -> None:
        self.in_flight = in_flight
        self.creates = creates
        #: Refusals since a create was last taken, and the bounds as they were before these.
        self._refusals = 0
        self._before: tuple[Bound, Bound] | None = None
        self._windows = Windows()
        #: The limit of creates that showed last.
        self._shown = 0.0
        #: With how many tasks creates were taken of late.
        self._tasks: deque[float] = deque(maxlen=MEMORY)
        #: Creates have to keep an even distance: short windows are kept to as well then.
        self.is_even = False

    def sent(self, load: Load) -> None:
        """A create is sent under this load."""
        self._windows.sent(load.at)

    def taken(self, load: Load, now: float) -> list[Change]:
        """A create was taken: perhaps more is now."""
        self._refusals = 0
        self._windows.taken(load.at)
        self._tasks.append(load.in_flight)
        self.in_flight.taken(load.in_flight)
        self.creates.taken(load.creates_per_minute)
        for bound in (self.in_flight, self.creates):
            was = bound.level
            if bound.grow(now):
                # Only one is tried at a time, so that a refusal says which it was.
                self.troubled()
                why = "the limit is tried again" if bound.is_met else "all was taken"
                return [Change(bound.name, was, bound.level, why)]
        return []

    def throttled(self, load: Load, now: float) -> list[Change]:
        """A create was refused with 429: perhaps less is asked for from now on."""
        self._windows.refused(load.at)
        if self.in_flight.is_met and load.in_flight > self.in_flight.level + 1:
            return []  # it was under way when the bound moved
        self._refusals += 1
        if self._refusals == 1:
            self._before = replace(self.in_flight), replace(self.creates)
        if self._refusals >= STORM:
            return self._restore() if load.in_flight <= max(self._lately(), default=0) else []
        if not self.is_even:
            self.is_even = True
            level = self.creates.level
            return [Change(self.creates.name, level, level, "429: creates keep an even distance")]
        before = replace(self.in_flight), replace(self.creates)
        bound, much = self._blamed(load)
        bound.shrink(much, now, is_first=self._refusals == 1)
        if bound is self.creates and bound.is_met and not before[1].is_met:
            self.in_flight.acquit()
        elif bound is self.in_flight and self.creates.level <= TRUST * self._shown:
            self.creates.acquit()
        return self._changes(before, f"429 at {much:g}", acquitted="it was about the other")

    def _changes(
        self, before: tuple[Bound, Bound], why: str, *, acquitted: str = ""
    ) -> list[Change]:
        """What moved, with its reason; `acquitted` is that of a bound that went up meanwhile."""
        return [
            Change(now.name, was.level, now.level, acquitted if now.level > was.level else why)
            for was, now in zip(before, (self.in_flight, self.creates), strict=True)
            if now.level != was.level
        ]

    def _blamed(self, load: Load) -> tuple[Bound, float]:
        """The bound that a refusal is about, and how much was too much for it.

        It is about tasks, unless a limit of creates shows (see `windows`), as many tasks were taken
        before, and their limit was not met again and again at one place. A limit of creates that
        was met is near wherever that many were sent.
        """
        with_as_many = sum(tasks >= load.in_flight for tasks in self._tasks)
        if with_as_many >= REFUTED and self.in_flight.confirmed < CERTAIN:
            rate = self._windows.rate()
            if rate is not None:
                self._shown = rate
                return self.creates, rate
            is_near = self.creates.is_full(load.creates_per_minute)
            if self.creates.is_own and is_near and self.creates.level > TRUST * self._shown:
                return self.creates, load.creates_per_minute
        return self.in_flight, load.in_flight

    def _lately(self) -> list[float]:
        """With how many tasks the last creates were taken."""
        return list(self._tasks)[-LATELY:]

    def _restore(self) -> list[Change]:
        """Forget what a storm seemed to say."""
        if self._before is None:
            return []
        was = replace(self.in_flight), replace(self.creates)
        (self.in_flight, self.creates), self._before = self._before, None
        why = f"{STORM} refusals in a row are no limit"
        return self._changes(was, why, acquitted=why)

    def troubled(self) -> None:
        """Something else went wrong: nothing grows before a round has gone well again."""
        self.in_flight.calm = self.creates.calm = 0

    def document(self, at: float) -> dict[str, float]:
        """The limits that this run met, as JSON, for later runs; empty where it met none.

        `at` is the wall time. Where tasks were too many, what was concluded about creates is left
        out: it hangs together with how long the tasks took.
        """
        met = [bound for bound in (self.in_flight, self.creates) if bound.is_met and bound.is_own]
        return {"at": at, met[0].name: met[0].level} if met else {}

    def remember(self, document: Mapping[str, Any], now: float, wall: float) -> None:
        """Begin near the limits that an earlier run met; what makes no sense is left out.

        Each day halves how far that is from where a run begins by itself; after a week it is
        forgotten. `now` is of the event loop's clock.
        """
        days = (wall - (_figure(document.get("at")) or 0.0)) / 86_400
        for bound in (self.in_flight, self.creates):
            level = _figure(document.get(bound.name))
            if level is None or not 0 <= days <= DAYS:
                continue
            level = bound.level + (max(level, 1.0) - bound.level) / 2**days
            bound.level = min(level, bound.ceiling)
            bound.is_met = True
            bound.trial_at = now + bound.trial_wait
            self.is_even = True


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < math.inf else None
