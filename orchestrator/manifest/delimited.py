"""Where the cells of a CSV or TSV text stand.

The `csv` module reads the values and keeps no positions. This scanner splits the text at the same
places; it runs only when a cell's position is asked for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Cells:
    """Offsets of all cells by record, blank lines left out."""

    #: By record: the offset of each cell's first character, its quote included.
    records: list[list[int]]
    #: The offset of a quote that is never closed, or of the first text behind a closing quote.
    broken: int | None
    line_starts: list[int]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1


def scan(text: str, delimiter: str) -> Cells:
    """Find every cell of a text."""
    line_starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    cell = _cell_pattern(delimiter)
    records: list[list[int]] = []
    record: list[int] = []
    broken = None
    offset = 0
    while offset <= len(text) and broken is None:
        match = cell.match(text, offset)
        assert match is not None, "the pattern matches any text"
        record.append(offset)
        if match["end"] is None:
            broken = offset if match["open"] is not None else match.end()
        elif match["end"] != delimiter:
            if len(record) > 1 or match.end("body") > offset:
                records.append(record)
            record = []
        offset = match.end() if match["end"] else len(text) + 1
    if record and broken is not None:
        records.append(record)
    return Cells(records, broken, line_starts)


def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    """A cell and what ends it: the delimiter, a line break, or the end as an empty match.

    Without an `end`, the cell is broken: `open` holds a quoted text that never closes.
    """
    stop = re.escape(delimiter)
    return re.compile(
        rf'(?P<body>"(?:[^"]|"")*"|(?!")[^{stop}\r\n]*)(?P<end>{stop}|\r\n|\r|\n|\Z)'
        r'|"(?:[^"]|"")*"'
        r'|(?P<open>"(?:[^"]|"")*\Z)'
    )
