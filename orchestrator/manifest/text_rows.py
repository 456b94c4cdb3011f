"""Rows of plain text files: one prompt a line, as the variable `line`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.jobs import Problem
from orchestrator.manifest.tables import Table

_LINE_BREAK = re.compile(r"\r\n|\r|\n")

#: The variable that holds a line.
LINE = "line"


@dataclass(frozen=True, slots=True)
class _Finder:
    #: By row: line and column, from 1.
    positions: list[tuple[int, int]]

    def cell(self, row: int, column: str) -> tuple[int, int]:
        """See `Finder`. A line is one cell."""
        assert column in {LINE, ""}, "there is no other column"
        return self.positions[row] if row < len(self.positions) else (1, 1)

    def header(self, column: str) -> tuple[int, int]:
        """See `Finder`."""
        return self.cell(0, column)


def read_lines(text: str, file: str) -> Table:
    """The rows of a text; empty lines are left out, and spaces around a line are not its own."""
    rows: list[dict[str, str]] = []
    positions: list[tuple[int, int]] = []
    for number, line in enumerate(_LINE_BREAK.split(text)):
        if line.strip():
            rows.append({LINE: line.strip()})
            positions.append((number + 1, len(line) - len(line.lstrip()) + 1))
    hint = "write one prompt a line"
    problems = () if rows else (Problem(file, 1, 1, "", "empty", "the table has no rows", hint),)
    finder = _Finder(positions)
    return Table(file, (LINE,), rows, is_text=True, finder=finder, problems=problems)
