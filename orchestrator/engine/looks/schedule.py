"""When to look at a task whose end is expected: few looks, and the end seen soon after.

A look costs `worth` seconds of delay. The schedule of least cost follows from the last look
backwards: after each possible look the best next one is known (dynamic programming over a grid of
ages). For log-normal times of median 90 s and sigma 0.6 a worth of 0.8 gives 7.6 looks a task and
a mean delay of 5.9 s, a worth of 0.24 gives 13.5 looks and 3.3 s.
"""

from __future__ import annotations

import math
from functools import lru_cache

#: Ages in the grid, and how far it reaches, in standard deviations of the logarithm: one task in
#: two hundred takes longer.
_GRID = 300
_REACH = 2.6
#: How much dearer than the best so far a look may become before later ones are not tried.
_HOPELESS = 1.3
_AT_LEAST = 40
#: Spreads, and worths in median times, between which schedules hardly differ: one serves them all.
_ALIKE, _ALIKE_WORTHS = 0.05, 0.1


def schedule(mean: float, sigma: float, worth: float, *, after: float = 0.0) -> tuple[float, ...]:
    """Ages in seconds at which to look at a task, in order, until it hardly ever lasts longer.

    `mean` and `sigma` are of the logarithm of the seconds; `worth` is what a look is worth in
    seconds of delay; no look is due before the age `after`.
    """
    spread = max(round(sigma / _ALIKE), 1)
    following = _best_next(spread, round((math.log(worth) - mean) / _ALIKE_WORTHS))
    step = math.exp(mean) * _step(spread)
    looks = []
    place = min(round(after / step), _GRID)
    while place < _GRID:
        place = following[place]
        looks.append(place * step)
    return tuple(looks)


def _step(spread: int) -> float:
    """Median times from one age of the grid to the next."""
    return math.exp(_REACH * spread * _ALIKE) / _GRID


def _lasting(sigma: float, step: float) -> list[float]:
    """The share of tasks of median 1 that last longer than each age of the grid."""
    root = sigma * math.sqrt(2)
    later = [math.erfc(math.log(place * step) / root) / 2 for place in range(1, _GRID + 1)]
    return [1.0, *later]


@lru_cache(maxsize=256)
def _best_next(spread: int, worths: int) -> list[int]:
    """For each age of the grid at which a task still runs, the age of the look after it.

    Both are counted in steps of what is alike; times are in medians.
    """
    step, worth = _step(spread), math.exp(worths * _ALIKE_WORTHS)
    lasting = _lasting(spread * _ALIKE, step)
    # Mean delay of a look at b after one at a: the share that ends between them times b, less the
    # sum of the ages at which they end, which is the difference of `ended` at the two.
    area, ended = 0.0, [0.0]
    for place in range(1, _GRID + 1):
        area += (lasting[place - 1] + lasting[place]) / 2 * step
        ended.append(area - place * step * lasting[place])
    cost = [0.0] * (_GRID + 1)
    following = [_GRID] * (_GRID + 1)
    for place in range(_GRID - 1, -1, -1):
        here, gone = lasting[place], ended[place]
        least = math.inf
        for later in range(place + 1, _GRID + 1):
            delay = later * step * (here - lasting[later]) - (ended[later] - gone)
            total = worth * here + delay + cost[later]
            if total < least:
                least, following[place] = total, later
            elif total > least * _HOPELESS and later > place + _AT_LEAST:
                break
        cost[place] = least
    return following
