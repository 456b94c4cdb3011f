"""Tables of Markdown: lines of cells between pipes, below a header and a rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.catalog.importing.page import Page

_RULE = re.compile(r"\|( ?:?-+:? ?\|)+")
#: A pipe that divides cells; one after a backslash is text.
_DIVIDER = re.compile(r"(?<!\\)\|")
#: What Markdown escapes by a backslash.
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()<>#+.!|~:-])")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of a page."""

    #: The header's line number.
    line: int
    header: tuple[str, ...]
    #: Line number and cells of each row, whether or not it has as many as the header.
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def lines(self) -> range:
        """The numbers of all its lines."""
        return range(self.line, (self.rows[-1][0] if self.rows else self.line + 1) + 1)


def find_grids(page: Page) -> list[Grid]:
    """All tables of a page, in its order. Empty lines do not end one: copies double them."""
    grids: list[Grid] = []
    numbers = page.filled
    rules = {number for number in numbers if _RULE.fullmatch(page.line(number))}
    headers = {
        number: following
        for number, following in pairwise(numbers)
        if following in rules and page.line(number).startswith("|")
    }
    for header, rule in headers.items():
        rows: list[tuple[int, tuple[str, ...]]] = []
        number = page.after(rule)
        while number is not None and number not in headers and page.line(number).startswith("|"):
            rows.append((number, cells(page.line(number))))
            number = page.after(number)
        grids.append(Grid(header, cells(page.line(header)), tuple(rows)))
    return grids


def stray_rows(page: Page, grids: list[Grid]) -> list[int]:
    """Numbers of the lines that look like rows and belong to no table."""
    known = {number for grid in grids for number in grid.lines}
    return [n for n in page.filled if n not in known and page.line(n).startswith("|")]


def cells(line: str) -> tuple[str, ...]:
    """The cells of a line between pipes, without Markdown's escapes and marks of code.

    There are none where the line does not end with a pipe: then its last cell may be cut.
    """
    parts = _DIVIDER.split(line)
    if len(parts) < 3 or parts[0].strip() or parts[-1].strip():
        return ()
    return tuple(_plain(part.strip()) for part in parts[1:-1])


def _plain(cell: str) -> str:
    return _ESCAPED.sub(r"\1", cell.replace("`", ""))
