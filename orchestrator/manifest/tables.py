"""A table file's rows and where their cells stand, whatever the file's format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestrator.jobs import Problem
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.positions import Path

#: Columns with this beginning are parameters.
PARAM_COLUMN = "params."
#: The column that names a row.
ID_COLUMN = "id"


class Finder(Protocol):
    """Finds cells; made with a table, works only when asked."""

    def cell(self, row: int, column: str) -> tuple[int, int]:
        """Line and column, from 1, of a cell; of the row where it has no such cell."""

    def header(self, column: str) -> tuple[int, int]:
        """Line and column, from 1, of a column's name, where it first stands."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table file. Row n, from 0, is `rows[n]` in paths, and a cell `rows[n].COLUMN`."""

    #: The path as the user wrote it.
    file: str
    #: In the file's order.
    columns: tuple[str, ...]
    rows: list[dict[str, Data]]
    #: Whether cells are texts that may stand for numbers, as in CSV.
    is_text: bool
    finder: Finder
    #: Rows with problems of their own, which make no jobs.
    faulty: frozenset[int] = frozenset()
    problems: tuple[Problem, ...] = ()

    @property
    def sound(self) -> int:
        """The number of rows that make jobs."""
        return len(self.rows) - len(self.faulty)

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of `("rows", n, column)`, of a row, or of a column's name."""
        if len(path) < 3:
            first = path[1] if len(path) == 2 else 0
            return self.finder.cell(int(first), next(iter(self.columns), ""))
        row, column = int(path[1]), str(path[2])
        return self.finder.header(column) if key else self.finder.cell(row, column)
