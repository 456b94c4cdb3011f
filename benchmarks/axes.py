"""Points and lines over two axes as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.drawing import FAINT, GRID, dot, line, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Box(NamedTuple):
    """Where the ground of a plot lies; `y` counts downwards."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Axis:
    """What one axis says: its marks, the first and the last at its ends, and its unit."""

    label: str
    marks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along a value lies, 0 at the first mark, 1 at the last."""
        scale: Callable[[float], float] = math.log if self.logarithmic else float
        first, last = scale(self.marks[0]), scale(self.marks[-1])
        return (scale(value) - first) / (last - first) if last > first else 0.5


class Series(NamedTuple):
    """Points, connected, with words beside them."""

    colour: str
    points: Sequence[tuple[float, float]]
    #: What is said beside each point; none at all says nothing.
    said: Sequence[str] = ()
    #: The line through the points, where it is more than the points themselves.
    path: Sequence[tuple[float, float]] = ()
    radius: float = 4.5


def from_zero(most: float, steps: int = 5) -> list[float]:
    """Marks from 0 up to at least `most`, at most so many steps of 1, 2 or 5."""
    power = 10.0 ** math.floor(math.log10(most / steps))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit * steps >= most)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def around(least: float, most: float) -> list[float]:
    """Marks of 1, 2 or 5 and their tens, for a logarithmic axis: the first and last around both."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    marks = [10.0**power * unit for power in powers for unit in (1, 2, 5)]
    first = max(place for place, mark in enumerate(marks) if mark <= least)
    last = min(place for place, mark in enumerate(marks) if mark >= most)
    return marks[first : last + 1]


def plot(box: Box, x: Axis, y: Axis, series: Sequence[Series]) -> list[str]:
    """The axes with their grid, and the series in it."""
    parts = _upright(box, y) + _level(box, x)
    for one in series:
        places = _places(box, x, y, one.points)
        parts.append(line(_places(box, x, y, one.path or one.points), one.colour, 2))
        parts += [dot(a, b, one.colour, one.radius) for a, b in places]
        for (a, b), text in zip(places, one.said, strict=False):
            parts.append(words(a + 8, b - 7, text))
    return parts


def _places(
    box: Box, x: Axis, y: Axis, points: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    return [
        (box.left + box.width * x.share(a), box.top + box.height * (1 - y.share(b)))
        for a, b in points
    ]


def _upright(box: Box, y: Axis) -> list[str]:
    """The axis at the left: its grid, its figures and its name."""
    parts = []
    for mark in y.marks:
        height = box.top + box.height * (1 - y.share(mark))
        parts += [
            line([(box.left, height), (box.left + box.width, height)]),
            words(box.left - 8, height + 4.5, f"{mark:,.6g}", anchor="end", fill=FAINT),
        ]
    middle = box.top + box.height / 2
    parts.append(words(box.left - 44, middle, y.label, anchor="middle", fill=FAINT, turned=True))
    return parts


def _level(box: Box, x: Axis) -> list[str]:
    """The axis below: its ticks, its figures and its name."""
    floor = box.top + box.height
    parts = []
    for mark in x.marks:
        place = box.left + box.width * x.share(mark)
        parts += [
            line([(place, floor), (place, floor + 5)], GRID),
            words(place, floor + 19, f"{mark:,.6g}", anchor="middle", fill=FAINT),
        ]
    middle = box.left + box.width / 2
    parts.append(words(middle, floor + 38, x.label, anchor="middle", fill=FAINT))
    return parts
