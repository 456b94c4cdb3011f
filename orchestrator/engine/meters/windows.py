"""Windows: whether refusals show a limit of creates, how long its window may be.

A service that takes so many creates in a window refuses the next one: refusals come at one count of
those before them, and hardly any create was taken with as many before it. The window's length is
not known, nor whether the service counts what it refuses, so all of that is tried. How many tasks
are open never looks so sharp from here, since an end is seen late.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque

#: Lengths that a window may have, in seconds; at one between two of them, the nearest tells enough.
LENGTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)
#: How many refusals have to come at one count, how far from each other these may be, and how many
#: creates may have been taken with as many before them.
SHARP, NEAR, MOST_ABOVE = 3, 0.05, 2
#: How many creates are remembered, and of how many of these it is asked what was before them.
MEMORY, ASKED = 1200, 600


class Windows:
    """An account's creates of late: when each was sent, and which of them were taken."""

    def __init__(self) -> None:
        #: In order.
        self._sent: list[float] = []
        self._taken: list[float] = []
        self._refused: deque[float] = deque(maxlen=SHARP)

    def taken(self, at: float) -> None:
        """A create that was sent at this moment was taken."""
        _note(self._taken, at)
        _note(self._sent, at)

    def refused(self, at: float) -> None:
        """One was refused."""
        self._refused.append(at)
        _note(self._sent, at)

    def rate(self) -> float | None:
        """Creates a minute that the latest refusals allow by themselves; None where they differ."""
        if len(self._refused) < SHARP:
            return None
        found = [
            (above, -least, 60.0 * least / length)
            for counted in (self._taken, self._sent)
            for length in LENGTHS
            for least in self._agreed(counted, length)
            if (above := self._above(counted, length, least)) <= MOST_ABOVE
        ]
        return min(found)[2] if found else None

    def _agreed(self, counted: list[float], length: float) -> list[int]:
        """The count at which the latest refusals came, if they agree on one."""
        counts = [_before(counted, at, length) for at in self._refused]
        least = min(counts)
        return [least] if least and max(counts) - least <= NEAR * least else []

    def _above(self, counted: list[float], length: float, least: int) -> int:
        """How many creates were taken with at least so many before them."""
        return sum(_before(counted, at, length) >= least for at in self._taken[-ASKED:])


def _before(moments: list[float], at: float, length: float) -> int:
    """How many of these moments are in the window that ends at this one, without itself."""
    return bisect_left(moments, at) - bisect_right(moments, at - length)


def _note(moments: list[float], at: float) -> None:
    """Add a moment at its place, and forget the oldest from time to time."""
    insort(moments, at)
    if len(moments) >= 2 * MEMORY:
        del moments[:MEMORY]
