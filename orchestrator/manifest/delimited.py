"""Where the cells of a CSV or TSV text stand, and which records are broken.

The `csv` module reads the values and keeps no positions. This scanner splits the text at the same
places; it runs only when a cell's position is asked for, or when the module gives up.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be read: from `start` to `end`, the beginning of a line."""

    #: Its number among the records.
    number: int
    start: int
    end: int
    #: The quote that is never closed, or the first text behind a closing quote.
    offset: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Cells:
    """Offsets of all cells by record; blank lines are left out."""

    #: By record: the offset of each cell's first character, its quote included. A broken record
    #: has one cell.
    records: list[list[int]]
    broken: tuple[Broken, ...]
    line_starts: list[int]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def sound(self, text: str) -> str:
        """The text without its broken records."""
        cuts = [(0, 0), *((one.start, one.end) for one in self.broken), (len(text), len(text))]
        return "".join(text[end:start] for (_start, end), (start, _end) in pairwise(cuts))


def scan(text: str, delimiter: str) -> Cells:
    """Find every cell of a text. A broken record ends with its line, so that the rest is read."""
    line_starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    cell = _cell_pattern(delimiter)
    records: list[list[int]] = []
    broken: list[Broken] = []
    record: list[int] = []
    offset = 0
    while offset <= len(text):
        match = cell.match(text, offset)
        assert match is not None, "the pattern matches any text"
        record.append(offset)
        if match["end"] is None:
            one = _broken(len(records), text, record[0], offset, match)
            broken.append(one)
            records.append(record[:1])
            record, offset = [], one.end
            continue
        if match["end"] != delimiter:
            if len(record) > 1 or match.end("body") > offset:
                records.append(record)
            record = []
        offset = match.end() if match["end"] else len(text) + 1
    return Cells(records, tuple(broken), line_starts)


def _broken(number: int, text: str, start: int, offset: int, match: re.Match[str]) -> Broken:
    """A quoted cell that does not end where a cell ends.

    Where it goes on over several lines, the quote that opens it is the one that was not closed.
    """
    is_closed = match["open"] is None and not _LINE_BREAK.search(match[0])
    blamed = match.end() if is_closed else offset
    line_break = _LINE_BREAK.search(text, blamed)
    end = line_break.end() if line_break else len(text) + 1
    return Broken(number, start, end, blamed, is_closed)


def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    """A cell and what ends it: the delimiter, a line break, or the end as an empty match.

    Without an `end`, the cell is broken: `open` holds a quoted text that never closes.
    """
    stop = re.escape(delimiter)
    quoted = r'"[^"]*+(?:""[^"]*+)*+'
    return re.compile(
        rf'(?P<body>{quoted}"|(?!")[^{stop}\r\n]*)(?P<end>{stop}|\r\n|\r|\n|\Z)'
        rf'|{quoted}"'
        rf"|(?P<open>{quoted}\Z)"
    )
