"""Medians with the least and the most beside names, as SVG."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.drawing import COLOURS, FAINT, dot, legend, line, picture, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.axes import Axis

_LEFT, _WIDTH, _ROW, _TOP = 270, 395, 52, 62


def spans(title: str, axis: Axis, rows: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """For each name and each kind of figure a dot at the median, a line from least to most.

    `rows` are the figures by kind, by name; what follows a name's first comma goes below it.
    """
    kinds = list(next(iter(rows.values())))
    colours = dict(zip(kinds, COLOURS, strict=False))
    floor = _TOP + _ROW * len(rows)
    parts = legend(_LEFT + 5, 46, colours)
    for mark in axis.marks:
        x = _place(axis, mark)
        parts += [
            line([(x, _TOP), (x, floor + 5)]),
            words(x, floor + 19, f"{mark:.2f}", anchor="middle", fill=FAINT),
        ]
    for place, (name, kinds_of) in enumerate(rows.items()):
        middle = _TOP + _ROW * (place + 0.5)
        above, _, below = name.partition(", ")
        parts += [
            words(_LEFT - 14, middle - 4, above, anchor="end"),
            words(_LEFT - 14, middle + 13, below, anchor="end", fill=FAINT),
        ]
        for number, (kind, figures) in enumerate(kinds_of.items()):
            y = middle + 16 * (number - (len(kinds) - 1) / 2)
            parts += _span(axis, y, colours[kind], figures)
    parts.append(words(_LEFT + _WIDTH / 2, floor + 38, axis.label, anchor="middle", fill=FAINT))
    return picture(title, floor + 50, parts)


def _span(axis: Axis, y: float, colour: str, figures: Sequence[float]) -> list[str]:
    ends = [(_place(axis, min(figures)), y), (_place(axis, max(figures)), y)]
    median = _place(axis, statistics.median(figures))
    return [line(ends, colour, 2), dot(median, y, colour)]


def _place(axis: Axis, value: float) -> float:
    return _LEFT + _WIDTH * axis.share(value)
