"""Bounds: how many tasks at once and how many creates a minute an account takes, found by trying.

Where the manifest states nothing, both begin low and grow by a quarter while the provider takes all
that is asked; a figure that the manifest states is where its bound begins, and its ceiling. Once
something was refused with 429, a bound goes back in small steps until hardly anything is refused,
and is tried a little higher now and then, ever more rarely. Refusals one after the other with
nothing taken between them are a storm: they say nothing about a limit.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

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
#: How many creates that were taken are remembered, to tell which bound a refusal is about; how many
#: refusals have to come at one figure, and how many creates may have been taken above it.
MEMORY, SHARP, MOST_ABOVE = 600, 3, 2
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
            self.is_met, self.trial_wait = False, FIRST_TRIAL
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
        else:
            self.is_met = True
            self._move(min(self.level, max(self.proved, load / 2), load))

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
        #: How many creates there had been in the minute before each that was taken of late, of
        #: those that were taken and of all, and how many tasks.
        self._taken: deque[tuple[float, float, float]] = deque(maxlen=MEMORY)
        #: The numbers of creates before the latest refusals.
        self._refused: deque[tuple[float, float]] = deque(maxlen=SHARP)
        #: When creates were taken in the last minute.
        self._minute: deque[float] = deque()
        #: Creates have to keep an even distance: short windows are kept to as well then.
        self.is_even = False

    def taken(self, load: Load, now: float) -> Change | None:
        """A create was taken: perhaps more is now."""
        self._refusals = 0
        self._taken.append((self._lately(now), load.creates_per_minute, load.in_flight))
        self._minute.append(now)
        self.in_flight.taken(load.in_flight)
        self.creates.taken(load.creates_per_minute)
        for bound in (self.in_flight, self.creates):
            was = bound.level
            if bound.grow(now):
                # Only one is tried at a time, so that a refusal says which it was.
                self.troubled()
                why = "the limit is tried again" if bound.is_met else "all was taken"
                return Change(bound.name, was, bound.level, why)
        return None

    def throttled(self, load: Load, now: float) -> Change | None:
        """A create was refused with 429: perhaps less is asked for from now on."""
        if self.in_flight.is_met and load.in_flight > self.in_flight.level + 1:
            return None  # it was under way when the bound moved
        self._refusals += 1
        if self._refusals == 1:
            self._before = replace(self.in_flight), replace(self.creates)
        if self._refusals >= STORM:
            return self._restore()
        if not self.is_even:
            self.is_even = True
            level = self.creates.level
            return Change(self.creates.name, level, level, "429: creates keep an even distance")
        bound, much = self._blamed(load, now)
        was = bound.level
        bound.shrink(much, now, is_first=self._refusals == 1)
        if bound.level == was:
            return None
        return Change(bound.name, was, bound.level, f"429 at {much:g}")

    def _blamed(self, load: Load, now: float) -> tuple[Bound, float]:
        """The bound that a refusal is about.

        A limit of creates is sharp: refusals come at one figure, and hardly any create was ever
        taken above it, whether the service counts what it refuses or not. How many tasks are open
        is less certain, since an end is seen late; so all that is not sharp is about tasks, and so
        is what comes with more of them than were ever taken.
        """
        paces = (self._lately(now), load.creates_per_minute)
        self._refused.append(paces)
        taken_before = sum(tasks >= load.in_flight for _, _, tasks in self._taken) > MOST_ABOVE
        if taken_before and any(self._is_sharp(counted) for counted in range(len(paces))):
            return self.creates, load.creates_per_minute
        return self.in_flight, load.in_flight

    def _is_sharp(self, counted: int) -> bool:
        refused = [paces[counted] for paces in self._refused]
        least = min(refused)
        above = sum(paces[counted] > least for paces in self._taken)
        near = max(refused) - least <= least * STEP
        return len(refused) == SHARP and near and above <= MOST_ABOVE

    def _lately(self, now: float) -> int:
        """Creates that were taken in the last minute, and one."""
        while self._minute and self._minute[0] <= now - 60.0:
            self._minute.popleft()
        return 1 + len(self._minute)

    def _restore(self) -> Change | None:
        """Forget what a storm seemed to say."""
        if self._before is None:
            return None
        was = self.in_flight.level, self.creates.level
        (self.in_flight, self.creates), self._before = self._before, None
        for bound, level in zip((self.in_flight, self.creates), was, strict=True):
            if bound.level != level:
                why = f"{STORM} refusals in a row are no limit"
                return Change(bound.name, level, bound.level, why)
        return None

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
