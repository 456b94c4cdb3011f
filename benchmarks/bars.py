"""Bars as SVG, readable in light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawing import COLOURS, bar, legend, picture, words

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL, _BAR = 220, 370
_THICK, _GAP = 17, 13


def bars(title: str, unit: str, series: Mapping[str, Mapping[str, float]]) -> str:
    """For each name a bar of each series, the longest as long as there is room.

    `series` are figures by name, by what they were measured with. Each bar has its figure behind
    it.
    """
    names = list(next(iter(series.values())))
    most = max(max(figures.values()) for figures in series.values())
    colours = dict(zip(series, COLOURS, strict=False))
    row = _THICK * len(series) + _GAP
    parts = legend(_LABEL + 5, 44, colours)
    for place, name in enumerate(names):
        top = 58 + row * place
        middle = top + _THICK * len(series) / 2 + 4.5
        parts.append(words(_LABEL - 8, middle, name, anchor="end"))
        for number, (what, figures) in enumerate(series.items()):
            y, width = top + _THICK * number, max(2.0, _BAR * figures[name] / most)
            parts += [
                bar(_LABEL, y, width, _THICK - 2, colours[what]),
                words(_LABEL + width + 6, y + 12.5, f"{figures[name]:,.0f} {unit}"),
            ]
    return picture(title, 58 + row * len(names), parts)
