"""Rows of CSV and TSV files."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.jobs import Problem
from orchestrator.manifest.delimited import Cells, scan
from orchestrator.manifest.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What separates cells in files that are called CSV or TSV.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_EXTENSIONS = {"commas": ".csv", "tabs": ".tsv"}

_NOT_CLOSED = "the quote that opens here is never closed"
_AFTER_QUOTE = "text stands behind the closing quote"
_DOUBLE = 'write a quote inside a quoted cell twice: ""'


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
    """The rows of a CSV or TSV text, as far as they can be read."""
    finder = _Finder(text, delimiter, ())
    try:
        records = _records(text, delimiter)
        problems: tuple[Problem, ...] = ()
    except csv.Error:
        records, problems = _sound_records(finder, file)
        if not records or not records[0]:
            return Table(file, (), [], True, finder, problems=problems)
    names = tuple(name.strip() for name in records[0]) if records else ()
    finder = _Finder(text, delimiter, names)
    wrong = _other_separator(file, finder)
    if wrong is not None:
        return Table(file, (), [], True, finder, problems=(*problems, wrong))
    rows = [dict(zip(names, record, strict=False)) for record in records[1:]]
    columns = tuple(dict.fromkeys(name for name in names if name))
    problems += tuple(_problems(file, finder, records))
    faulty = frozenset(n for n, record in enumerate(records[1:]) if len(record) != len(names))
    return Table(file, columns, rows, True, finder, faulty, problems)


def _records(text: str, delimiter: str) -> list[Sequence[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [record for record in reader if record]


def _sound_records(finder: _Finder, file: str) -> tuple[list[Sequence[str]], tuple[Problem, ...]]:
    """The records of a text, broken ones without cells, and what is wrong with these.

    There are no records where a cell is longer than the `csv` module takes.
    """
    cells = finder.cells
    problems = tuple(_broken_problems(file, cells))
    try:
        records = _records(cells.sound(finder.text), finder.delimiter)
    except csv.Error:
        return [], (*problems, _too_long(file, finder.text, cells))
    numbers = {one.number for one in cells.broken}
    sound = iter(records)
    total = len(records) + len(numbers)
    return [() if number in numbers else next(sound) for number in range(total)], problems


# --- what is wrong -----------------------------------------------------------------------------


def _too_long(file: str, text: str, cells: Cells) -> Problem:
    offsets = [*(offset for record in cells.records for offset in record), len(text)]
    most = csv.field_size_limit()
    start = next((start for start, end in pairwise(offsets) if end - start > most), 0)
    line, column = cells.position(start)
    message = f"the cell is longer than {most} characters"
    return Problem(file, line, column, "", "csv-syntax", message, "shorten it")


def _broken_problems(file: str, cells: Cells) -> Iterator[Problem]:
    for one in cells.broken:
        line, column = cells.position(one.offset)
        message = _AFTER_QUOTE if one.is_closed else _NOT_CLOSED
        hint = _DOUBLE if one.is_closed else f"close it; {_DOUBLE}"
        yield Problem(file, line, column, "", "csv-syntax", message, hint)


def _other_separator(file: str, finder: _Finder) -> Problem | None:
    """A header that is one name to this delimiter, and several to another."""
    names, own = finder.header_names, _SEPARATORS[finder.delimiter]
    found = [name for sign, name in _SEPARATORS.items() if len(names) == 1 and sign in names[0]]
    if not found:
        return None
    line, column = finder.at(0, 0)
    message = f"the columns are separated by {found[0]}, and read as one: `{names[0][:60]}`"
    extension = _EXTENSIONS.get(found[0])
    hint = f"separate them with {own}" + (f", or call the file {extension}" if extension else "")
    return Problem(file, line, column, "", "csv-syntax", message, hint)


def _problems(file: str, finder: _Finder, records: list[Sequence[str]]) -> Iterator[Problem]:
    if len(records) < 2:
        hint = "the first line names the columns, each further line is a row"
        line, column = finder.at(0, 0)
        yield Problem(file, line, column, "", "empty", "the table has no rows", hint)
    yield from _header_problems(file, finder)
    yield from _width_problems(file, finder, [len(record) for record in records[1:]])


def _header_problems(file: str, finder: _Finder) -> Iterator[Problem]:
    names = finder.header_names
    for number, name in enumerate(names):
        line, column = finder.at(0, number)
        if not name:
            message, hint = f"column {number + 1} has no name", "name it or remove it"
            yield Problem(file, line, column, "", "empty", message, hint)
        elif name in names[:number]:
            message = f"the column `{name}` stands here a second time"
            yield Problem(file, line, column, name, "duplicate-key", message, "rename one of them")


def _width_problems(file: str, finder: _Finder, widths: list[int]) -> Iterator[Problem]:
    """Rows of another width than the header's; broken rows have none."""
    wanted = len(finder.header_names)
    found = [width for width in widths if width]
    if len(found) > 1 and set(found) == {found[0]} != {wanted}:
        # Where all rows are alike, the header is the one to mend.
        line, column = finder.at(0, found[0])
        message = f"the header has {_counted(wanted)}, each row has {_counted(found[0])}"
        hint = "name every column, and no more"
        yield Problem(file, line, column, "", "ragged-row", message, hint)
        return
    for number, width in enumerate(widths):
        if width not in {0, wanted}:
            yield _ragged(file, finder, number, width)


def _counted(cells: int) -> str:
    return f"{cells} cell" if cells == 1 else f"{cells} cells"


def _ragged(file: str, finder: _Finder, number: int, cells: int) -> Problem:
    width = len(finder.header_names)
    line, column = finder.at(number + 1, width if cells > width else 0)
    message = f"row {number + 1} has {_counted(cells)}, the header has {width}"
    hint = "put a cell that holds the separator in quotes"
    if cells < width:
        hint = "write the separators of empty cells too"
    return Problem(file, line, column, f"rows[{number}]", "ragged-row", message, hint)
