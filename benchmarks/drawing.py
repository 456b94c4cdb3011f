"""Shapes and words of a plot as SVG, readable in light and dark pages: dark ink on white."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 700
INK, FAINT, GRID = "#1f2328", "#59636e", "#d8dee4"
#: For the first, the second and the third series.
COLOURS = ("#4f6bed", "#c2571a", "#2f8f5b")


def picture(title: str, height: float, parts: Iterable[str]) -> str:
    """A whole file: a title over a white ground, and the parts."""
    lines = (
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img"'
            f' font-family="system-ui, sans-serif" font-size="13">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height:g}" rx="6" fill="#ffffff"/>',
        words(10, 22, title, weight=600),
        *parts,
        "</svg>",
        "",
    )
    return "\n".join(lines)


def words(
    x: float, y: float, text: str, *, anchor: str = "start", fill: str = INK, weight: int = 400,
    turned: bool = False,
) -> str:  # fmt: skip
    """A line of text; `turned` reads upwards."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="{fill}"{turn}>{escape(text)}</text>'
    )


def line(points: Iterable[tuple[float, float]], colour: str = GRID, width: float = 1) -> str:
    """Points, connected."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def dot(x: float, y: float, colour: str, radius: float = 4.5) -> str:
    """A point."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A bar that lies."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"'
        f' fill="{colour}"/>'
    )


def legend(x: float, y: float, colours: Mapping[str, str]) -> list[str]:
    """A dot and a name for each series, side by side; `y` is the words' base line."""
    parts: list[str] = []
    for name, colour in colours.items():
        parts += [dot(x, y - 4.5, colour), words(x + 10, y, name)]
        x += 34 + 6.8 * len(name)
    return parts
