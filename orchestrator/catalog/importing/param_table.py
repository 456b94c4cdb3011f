"""The parameter table of a page, in either layout, if all of its rows are there for certain.

A page may be cut off anywhere. Rows count as whole only where the page goes on behind them with
what belongs there, and where no example request names a parameter that they lack. Otherwise there
is no table at all: a table that lacks a row would look complete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.draft import Doubt
from orchestrator.catalog.importing.examples import REFERENCES_FIELD
from orchestrator.catalog.importing.glued import Cells, looks_like_row, readings, starts
from orchestrator.catalog.importing.pipes import stray_rows
from orchestrator.catalog.nodes import FIELD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.catalog.importing.examples import Examples
    from orchestrator.catalog.importing.page import Page
    from orchestrator.catalog.importing.pipes import Grid
    from orchestrator.catalog.importing.request_table import RequestTable, Words
    from orchestrator.catalog.importing.typesetting import Typesetting

_COLUMNS = 7
#: What a row of the parameter table has in it, whatever its layout.
_WORDS_OF_ROWS = re.compile(r"select|number|(min|max|step) -?[0-9]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the parameter table."""

    line: int
    key: str
    #: All ways to read it, which share the key; none where it cannot be read.
    readings: tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class ParamTable:
    """The rows of a parameter table, and the lines that they and their header take."""

    rows: tuple[Row, ...]
    lines: frozenset[int]


class RowsMissing(Exception):
    """Rows may be missing, or stand where nobody knows whose they are; `doubt` says where."""

    def __init__(self, line: int, reason: str) -> None:
        self.doubt = Doubt(line, "params", reason)
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the page around its parameter table."""

    page: Page
    grids: list[Grid]
    requests: tuple[RequestTable, ...]
    examples: Examples
    words: Words


def header_lines(around: Surroundings) -> list[int]:
    """The lines of glued headers of parameter tables.

    A parameter table has the columns of the request table and two more before the last one. So
    its header is the same text with something put in, and a row follows.
    """
    known = {table.header for table in around.requests if isinstance(table.header, str)}
    return [
        number
        for number in around.page.filled
        for header in known
        if _is_widened(around.page.line(number), header)
        and (below := around.page.after(number)) is not None
        and any(starts(around.page.line(below)))
    ]


def find_param_table(around: Surroundings, style: Typesetting) -> ParamTable:
    """The parameter table; one without rows where the page is whole and shows that there are none.

    Raises RowsMissing where no table can be given.
    """
    found = [*_piped(around), *_glued(around, style)]
    _refuse_strays(around, found)
    if not found:
        _check_that_none_is_needed(around)
        return ParamTable((), frozenset())
    first, *others = found
    for table in others:
        if [row.readings for row in table.rows] != [row.readings for row in first.rows]:
            raise RowsMissing(min(table.lines), "a second parameter table differs from the first.")
    keys = [row.key for row in first.rows]
    if len(set(keys)) < len(keys):
        raise RowsMissing(min(first.lines), "two rows describe one parameter.")
    _prove_whole(around, keys, max(first.lines))
    return ParamTable(first.rows, frozenset().union(*(table.lines for table in found)))


def _is_widened(line: str, header: str) -> bool:
    """Whether a line is the header with something put in before the last column."""
    if len(line) <= len(header):
        return False
    return any(
        line.startswith(header[:place]) and line.endswith(header[place:])
        for place in range(1, len(header))
    )


# --- between pipes -----------------------------------------------------------------------------


def _piped(around: Surroundings) -> Iterator[ParamTable]:
    headers = [table.header for table in around.requests if isinstance(table.header, tuple)]
    for grid in around.grids:
        if not any(_is_param_header(grid.header, header) for header in headers):
            continue
        if not any(grid.header[:4] == header[:4] for header in headers):
            raise RowsMissing(grid.line, "the columns do not stand in the order that is known.")
        if len(grid.header) != _COLUMNS:
            raise RowsMissing(grid.line, f"the table has {len(grid.header)} columns, not 7.")
        if not grid.rows:
            raise RowsMissing(grid.line, "the parameter table has no rows.")
        rows = tuple(_piped_row(line, cells) for line, cells in grid.rows)
        yield ParamTable(rows, frozenset(grid.lines))


def _is_param_header(header: tuple[str, ...], request: tuple[str, ...]) -> bool:
    """Whether it begins and ends like that of the request table and has more columns."""
    ends = (header[:2], header[-1:]) == (request[:2], request[-1:])
    return ends and len(header) > len(request)


def _piped_row(line: int, cells: tuple[str, ...]) -> Row:
    if len(cells) != _COLUMNS:
        raise RowsMissing(line, f"the row has {len(cells)} cells, not 7.")
    if not FIELD_NAME.fullmatch(cells[0]):
        raise RowsMissing(line, f"`{cells[0]}` is no name of a parameter.")
    return Row(line, cells[0], (Cells(*cells),))


# --- without dividers --------------------------------------------------------------------------


def _glued(around: Surroundings, style: Typesetting) -> Iterator[ParamTable]:
    page = around.page
    for header in header_lines(around):
        rows: list[Row] = []
        number = page.after(header)
        while number is not None and (row := _glued_row(around, number, style)) is not None:
            rows.append(row)
            number = page.after(number)
        if not rows:
            raise RowsMissing(header, "the rows below cannot be read.")
        # A last line that is no row may be the first half of one.
        if number is None or number >= page.last:
            reason = "the page ends at the parameter table, so rows may be missing."
            raise RowsMissing(page.last, reason)
        yield ParamTable(tuple(rows), frozenset([header, *(row.line for row in rows)]))


def _glued_row(around: Surroundings, number: int, style: Typesetting) -> Row | None:
    """The row on a line, None where it holds none."""
    line = around.page.line(number)
    found = tuple(readings(line, around.words, style))
    following = tuple(word for word in around.words.cells() if word)
    keys = {cells.key for cells in found} or {
        key for key, _, rest in starts(line) if rest.startswith(following)
    }
    if not keys:
        return None
    named = {key for key in keys if around.examples.values(key)} or keys
    if len(named) > 1:
        raise RowsMissing(number, f"the parameter may be called {' or '.join(sorted(named))}.")
    (key,) = named
    return Row(number, key, tuple(cells for cells in found if cells.key == key))


# --- what would show that rows are missing -----------------------------------------------------


def _refuse_strays(around: Surroundings, found: list[ParamTable]) -> None:
    """Raise RowsMissing for a line that looks like a row and belongs to no table."""
    tables = (table.lines for table in found)
    known = around.examples.lines.union(*tables, *(table.lines for table in around.requests))
    for number in (*stray_rows(around.page, around.grids), *_glued_strays(around, known)):
        # The last line may be the first half of another table's header.
        if number != around.page.last:
            raise RowsMissing(number, "this looks like a row, but stands apart from a table.")


def _glued_strays(around: Surroundings, known: frozenset[int]) -> Iterator[int]:
    if any(isinstance(table.header, str) for table in around.requests):
        for number in around.page.filled:
            if number not in known and looks_like_row(around.page.line(number), around.words):
                yield number


def _check_that_none_is_needed(around: Surroundings) -> None:
    """A model without parameters has an example that says so, and no word of a row anywhere."""
    if not around.requests:
        raise RowsMissing(around.page.last, "no table of request fields was found.")
    if not around.examples.requests:
        raise RowsMissing(around.page.last, "no parameter table was found.")
    _prove_whole(around, (), around.page.last)
    known = around.examples.lines.union(*(table.lines for table in around.requests))
    for number in around.page.filled:
        if number not in known and _WORDS_OF_ROWS.search(around.page.line(number)):
            raise RowsMissing(number, "this may be a row of a table in a layout that is not known.")


def _prove_whole(around: Surroundings, keys: Sequence[str], last: int) -> None:
    """Raise RowsMissing unless the page itself shows that no row is lost behind line `last`.

    An example does that names the last parameter; so does the section about references, which
    stands behind the table. Any other text could be a footer below what was cut off, and the rest
    of an example one from behind a part that is lost.
    """
    page, requests = around.page, around.examples.requests
    behind = any(
        REFERENCES_FIELD in page.line(number)
        and (number in around.examples.lines or not page.line(number).lstrip().startswith('"'))
        for number in page.filled
        if number > last
    )
    named = {key: request.line for request in reversed(requests) for key in request.params}
    shown = keys[-1] in named or (behind and around.words.no is not None) if keys else True
    if not shown:
        raise RowsMissing(page.last, "the page ends before it shows that these are all rows.")
    for key, line in {**around.examples.named, **named}.items():
        if key not in keys:
            raise RowsMissing(line, f"the example names `{key}`, which no row describes.")
