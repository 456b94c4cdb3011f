"""Pace: when to look at a task next, by what is expected of it or by fixed times."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from orchestrator.engine.looks.schedule import schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.clock import Clock
    from orchestrator.engine.looks.expectations import Expectations, Spread
    from orchestrator.ledger.store import Ended
    from orchestrator.manifest.model import Limits

#: What a look is worth, in seconds of delay: while jobs wait for slots and looks are to spare, and
#: otherwise.
EAGER, CALM = 0.24, 0.78
#: Looks at each task that an eager schedule has to have, and what share of the account's looks
#: they may be.
EAGER_LOOKS, SHARE = 12, 0.99
#: Shortest time between two looks at a task, and longest before the first, in seconds; later ones
#: may be half of the task's age longer.
SHORTEST_GAP, PATIENCE = 0.25, 60.0
#: A schedule is made again after so many times as many ended tasks, or so many more.
GROWTH, RENEWAL = 1.25, 50
#: One new task in so many is looked at early although none is expected to end by then; a task that
#: failed early has so many of the next ones looked at.
SAMPLE, WARY = 3, 10


class Pace:
    """One account's looks."""

    def __init__(
        self,
        expectations: Expectations,
        limits: Limits,
        clock: Clock,
        watched: Sized,
        waiting: Sized,
    ) -> None:
        self._expectations = expectations
        self._limits = limits
        self._clock = clock
        #: The account's watched tasks, and its jobs that wait to be created.
        self._watched, self._waiting = watched, waiting
        self._schedules: dict[tuple[str, float], tuple[int, tuple[float, ...]]] = {}
        self._new = 0
        self._wary = 0

    def remember(self, ended: Iterable[Ended]) -> None:
        """Learn from earlier runs (see `Expectations.remember`)."""
        self._expectations.remember(ended)

    def expected(self, attempt: OpenAttempt) -> float | None:
        """How long the attempt's task is expected to take, in seconds; None where too few ended."""
        spread = self._spread(attempt)
        return None if spread is None else spread.expected

    def first(self, attempt: OpenAttempt) -> float:
        """Seconds until the first look at a new task."""
        soon = self._limits.poll_after
        ages = () if "poll_after" in self._limits.stated else self._ages(attempt)
        if not ages:
            return soon
        self._new += 1
        self._wary = max(0, self._wary - 1)
        is_sample = self._wary > 0 or self._new % SAMPLE == 0
        return self._capped(soon if is_sample else max(soon, ages[0]), 0.0)

    def following(self, attempt: OpenAttempt) -> float:
        """Seconds until the next look at a task that was just seen running."""
        now = self._clock.now()
        attempt.looked_at = now
        age = attempt.age + now - attempt.watched_since
        ages = self._ages(attempt)
        place = bisect_right(ages, age + SHORTEST_GAP)
        if place == len(ages):
            return self._limits.poll_every
        return self._capped(ages[place] - age, age)

    def ended(self, attempt: OpenAttempt) -> float | None:
        """Learn from a task that was just seen to have brought a result; how long it took.

        It ended between the last two looks. Nothing is learned of a task that an earlier run
        began, whose create was repeated, or that ended with its create: None.
        """
        now = self._clock.now()
        was_watched = 0.0 < attempt.watched_since < now and not attempt.age
        if not was_watched or attempt.first_sent_at != attempt.last_sent_at:
            return None
        since = max(attempt.looked_at, attempt.watched_since)
        seconds = (since + now) / 2 - attempt.watched_since
        self._expectations.learn(self.kind(attempt), seconds)
        return seconds

    def failed(self, attempt: OpenAttempt) -> None:
        """A task was seen to have failed: where that was early, the next ones may as well."""
        if self._clock.now() - attempt.watched_since <= 2 * self._limits.poll_after:
            self._wary = WARY

    def _capped(self, seconds: float, age: float) -> float:
        """No longer than stated, nor than is bearable where what is expected is quite wrong."""
        seconds = min(seconds, max(self._limits.poll_every, PATIENCE + age / 2))
        if "poll_every" in self._limits.stated:
            return min(seconds, self._limits.poll_every)
        return seconds

    def kind(self, attempt: OpenAttempt) -> str:
        """What the attempt's task is compared with (see `expectations`)."""
        if attempt.kind is None:
            params = attempt.job.params if attempt.job is not None else None
            attempt.kind = self._expectations.kind(attempt.model_name, params)
        return attempt.kind

    def _spread(self, attempt: OpenAttempt) -> Spread | None:
        return self._expectations.spread(self.kind(attempt))

    def _ages(self, attempt: OpenAttempt) -> tuple[float, ...]:
        """Ages at which to look; none where nothing is expected."""
        spread = self._spread(attempt)
        if spread is None:
            return ()
        worth = EAGER if self._is_eager(spread) else CALM
        known = (self.kind(attempt), worth)
        fitted, ages = self._schedules.get(known, (0, ()))
        if spread.count >= min(fitted * GROWTH, fitted + RENEWAL):
            ages = schedule(spread.mean, spread.sigma, worth, after=self._limits.poll_after)
            self._schedules[known] = (spread.count, ages)
        return ages

    def _is_eager(self, spread: Spread) -> bool:
        """Whether a delay keeps others waiting, and the account's looks suffice for more."""
        needed = len(self._watched) * EAGER_LOOKS / spread.expected
        return bool(self._waiting) and needed <= self._limits.polls_per_second * SHARE
