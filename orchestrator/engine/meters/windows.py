"""Windows: whether refusals show a limit of creates, how long its window may be.

A service that takes so many creates in a window refuses the next one: refusals come at one count of
those before them, and hardly any create was taken with as many before it. The window's length is
not known, nor whether the service counts what it refuses, so all of that is tried. How many tasks
are open never looks so sharp from here, since an end is seen late.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Lengths that a window may have, in seconds; at one between two of them, the nearest tells enough.
LENGTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)
#: How many refusals have to come at one count, how far from each other these may be, and how many
#: creates may have been taken with as many before them.
SHARP, NEAR, MOST_ABOVE = 3, 0.05, 2
#: How many creates are remembered, and of how many that were taken it is asked what was before
#: them, at most and at least.
MEMORY, ASKED, LEAST_TAKEN = 1200, 600, 30


class Windows:
    """An account's creates of late: when each was sent, and what became of it."""

    def __init__(self) -> None:
        #: In order: what is not answered yet is only in the first.
        self._sent: list[float] = []
        self._taken: list[float] = []
        self._refused: list[float] = []

    def sent(self, at: float) -> None:
        """A create is sent at this moment."""
        _note(self._sent, at)

    def taken(self, at: float) -> None:
        """The create that was sent at this moment was taken."""
        _note(self._taken, at)

    def refused(self, at: float) -> None:
        """The create that was sent at this moment was refused."""
        _note(self._refused, at)

    def rate(self) -> float | None:
        """Creates a minute that the latest refusals allow by themselves; None where they differ."""
        if len(self._refused) < SHARP or len(self._taken) < LEAST_TAKEN:
            return None
        found = [
            (above, -least, 60.0 * least / length)
            for refused in (self._refused, ())
            for length in LENGTHS
            for least in self._agreed(refused, length)
            if (above := self._above(refused, length, least)) <= MOST_ABOVE
        ]
        return min(found)[2] if found else None

    def _agreed(self, left_out: Sequence[float], length: float) -> list[int]:
        """The count at which the latest refusals came, if they agree on one."""
        counts = [self._before(at, length, left_out) for at in self._refused[-SHARP:]]
        least = min(counts)
        return [least] if least > 0 and max(counts) - least <= NEAR * least else []

    def _above(self, left_out: Sequence[float], length: float, least: int) -> int:
        """How many creates were taken with at least so many before them."""
        return sum(self._before(at, length, left_out) >= least for at in self._taken[-ASKED:])

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
