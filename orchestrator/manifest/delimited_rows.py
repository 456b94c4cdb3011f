"""Rows of CSV and TSV files."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.jobs import Problem
from orchestrator.manifest.delimited import Cells, scan
from orchestrator.manifest.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class _Finder:
    """Cells of a text; record 0 is the header."""

    text: str
    delimiter: str
    header_names: tuple[str, ...]

    @cached_property
    def cells(self) -> Cells:
        return scan(self.text, self.delimiter)

    def at(self, record: int, number: int) -> tuple[int, int]:
        """The cell of this number, the record's first where it has fewer."""
        if record >= len(self.cells.records):
            return 1, 1
        offsets = self.cells.records[record]
        return self.cells.position(offsets[number if number < len(offsets) else 0])

    def cell(self, row: int, column: str) -> tuple[int, int]:
        """See `Finder`."""
        return self.at(row + 1, self._number(column))

    def header(self, column: str) -> tuple[int, int]:
        """See `Finder`."""
        return self.at(0, self._number(column))

    def _number(self, column: str) -> int:
        return self.header_names.index(column) if column in self.header_names else 0


def read_delimited(text: str, file: str, delimiter: str) -> Table:
    """The rows of a CSV or TSV text."""
    try:
        records = [record for record in _records(text, delimiter) if record]
    except csv.Error:
        return _broken(text, file, delimiter)
    names = tuple(name.strip() for name in records[0]) if records else ()
    finder = _Finder(text, delimiter, names)
    rows = [dict(zip(names, record, strict=False)) for record in records[1:]]
    columns = tuple(dict.fromkeys(name for name in names if name))
    problems = tuple(_problems(file, finder, records))
    faulty = frozenset(n for n, record in enumerate(records[1:]) if len(record) != len(names))
    return Table(file, columns, rows, True, finder, faulty, problems)


def _records(text: str, delimiter: str) -> Iterator[Sequence[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _broken(text: str, file: str, delimiter: str) -> Table:
    finder = _Finder(text, delimiter, ())
    offset = finder.cells.broken
    line, column = (1, 1) if offset is None else finder.cells.position(offset)
    message = "a quoted cell is not closed, is too long, or goes on after its closing quote"
    hint = 'write a quote inside a quoted cell twice: ""'
    problem = Problem(file, line, column, "", "csv-syntax", message, hint)
    return Table(file, (), [], is_text=True, finder=finder, problems=(problem,))


def _problems(file: str, finder: _Finder, records: list[Sequence[str]]) -> Iterator[Problem]:
    def problem(record: int, number: int, path: str, code: str, message: str, hint: str) -> Problem:
        line, column = finder.at(record, number)
        return Problem(file, line, column, path, code, message, hint)

    if len(records) < 2:
        hint = "the first line names the columns, each further line is a row"
        yield problem(0, 0, "", "empty", "the table has no rows", hint)
    yield from _header_problems(finder.header_names, problem)
    width = len(finder.header_names)
    for number, record in enumerate(records[1:]):
        if len(record) != width:
            message = f"the row has {len(record)} cells, the header {width}"
            hint = "put a cell that holds the separator in quotes"
            surplus = width if len(record) > width else 0
            yield problem(number + 1, surplus, f"rows[{number}]", "ragged-row", message, hint)


def _header_problems(
    names: tuple[str, ...], problem: Callable[[int, int, str, str, str, str], Problem]
) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if not name:
            yield problem(0, number, "", "empty", "the column has no name", "name it or remove it")
        elif name in names[:number]:
            message = f"the column `{name}` stands here a second time"
            yield problem(0, number, name, "duplicate-key", message, "rename one of them")
