"""Windows: whether refusals show a limit of creates, how long its window may be.

A service that takes so many creates in a window refuses the next one: refusals come at one count of
those before them, and hardly any create was taken with as many before it. The window's length is
not known, nor whether the service counts what it refuses, so all of that is tried. A limit of tasks
hardly ever looks so sharp from here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Lengths that a window may have, in seconds.
LENGTHS = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 30, 40, 45, 50, 60)
#: How many of the latest refusals have to come at one count, few or more; how far from each other
#: these counts may be; which share of the creates that were taken may have had as many before them.
FEW, MORE, NEAR, ABOVE = 3, 8, 0.05, 0.02
#: From how many refusals on the lowest and the highest count may be a matter of chance.
MANY = 6
#: How many creates are remembered, and of how many that were taken it is asked what was before
#: them, at most and at least. Limits of more than that in one window do not show.
MEMORY, ASKED, LEAST_TAKEN = 1200, 600, 12
#: How long before the refusals these were sent at most, in windows, and at least in seconds: a
#: limit may have been another one before.
BACK, LEAST_BACK = 20, 600.0


class Windows:
    """An account's creates of late: when each was sent, and what became of it."""

    def __init__(self) -> None:
        #: In order: what is not answered yet is only in the first.
        self._sent: list[float] = []
        self._taken: list[float] = []
        self._refused: list[float] = []
        #: Of those that were refused, the ones that came next to a create that was taken: what
        #: follows on each of them tells nothing new.
        self._firsts: list[float] = []
        self._is_calm = True

    def sent(self, at: float) -> None:
        """A create is sent at this moment."""
        _note(self._sent, at)

    def taken(self, at: float) -> None:
        """The create that was sent at this moment was taken."""
        _note(self._taken, at)
        self._is_calm = True

    def refused(self, at: float) -> None:
        """The create that was sent at this moment was refused."""
        _note(self._refused, at)
        if self._is_calm:
            self._is_calm = False
            _note(self._firsts, at)

    def rate(self) -> float | None:
        """Creates a minute that the latest refusals allow by themselves; None where they differ."""
        if len(self._firsts) < FEW:
            return None
        shown = [
            sharp
            for left_out in (self._refused, ())
            for length in LENGTHS
            for many in (FEW, MORE)
            if (sharp := self._sharp(left_out, length, many)) is not None
        ]
        return min(shown)[-1] if shown else None

    def _sharp(
        self, left_out: Sequence[float], length: float, many: int
    ) -> tuple[int, int, float] | None:
        """How sharp a limit shows in windows so long, by so many refusals; None where none does.

        The smallest tells most: how many creates were taken with as many before them, less the
        count itself, and the rate.
        """
        refused = self._firsts[-many:]
        if refused[-1] - refused[0] < length * 0.5:
            return None  # they tell of one window, and not of several
        counts = [self._before(at, length, left_out) for at in refused]
        newest = counts[-1]
        counts.sort()
        if len(counts) >= MANY:
            counts = counts[1:-1]
        least, most = counts[0], max(counts[-1], newest)
        if min(least, newest) <= 0 or most - min(least, newest) > NEAR * least:
            return None
        since = refused[0] - max(BACK * length, LEAST_BACK)
        taken = self._taken[max(bisect_left(self._taken, since), len(self._taken) - ASKED) :]
        if len(taken) < LEAST_TAKEN:
            return None
        allowed = int(max(2, ABOVE * len(taken)))
        above = (at for at in taken if self._before(at, length, left_out) >= least)
        found = sum(1 for _ in islice(above, allowed + 1))
        return (found, -least, 60.0 * least / length) if found <= allowed else None

    def _before(self, at: float, length: float, left_out: Sequence[float]) -> int:
        """How many creates, but those left out, are in the window that ends with this one."""
        return _within(self._sent, at, length) - _within(left_out, at, length)


def _within(moments: Sequence[float], at: float, length: float) -> int:
    """How many of these moments are in the window that ends at this one, without itself."""
    return bisect_left(moments, at) - bisect_right(moments, at - length)


def _note(moments: list[float], at: float) -> None:
    """Add a moment at its place, and forget the oldest from time to time."""
    insort(moments, at)
    if len(moments) >= 2 * MEMORY:
        del moments[:MEMORY]
