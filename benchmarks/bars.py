"""Bars as SVG, readable in light and dark pages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL, _BAR, _ROW = 230, 360, 28


def bars(title: str, unit: str, figures: Mapping[str, float]) -> str:
    """A bar for each figure, the longest as long as there is room, with its figure behind it."""
    most = max(figures.values())
    height = 34 + _ROW * len(figures)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {height}" role="img"'
            f' font-family="system-ui, sans-serif" font-size="13">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="700" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="600" fill="#1f2328">{escape(title)}</text>',
    ]
    for place, (name, figure) in enumerate(figures.items()):
        top = 32 + _ROW * place
        width = max(2.0, _BAR * figure / most)
        lines += [
            (
                f'<text x="{_LABEL - 8}" y="{top + 15}" text-anchor="end" fill="#1f2328">'
                f"{escape(name)}</text>"
            ),
            f'<rect x="{_LABEL}" y="{top}" width="{width:.1f}" height="20" rx="3" fill="#4f6bed"/>',
            (
                f'<text x="{_LABEL + width + 6:.1f}" y="{top + 15}" fill="#1f2328">'
                f"{figure:,.0f} {escape(unit)}</text>"
            ),
        ]
    return "\n".join([*lines, "</svg>", ""])
