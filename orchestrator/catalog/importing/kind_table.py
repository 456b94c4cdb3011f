"""The table of kinds of references with their sizes and MIME types, in either layout."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.figures import DASHES, narrow, size
from orchestrator.catalog.spec import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.catalog.importing.page import Page
    from orchestrator.catalog.importing.pipes import Grid

_KIND = "|".join(KINDS)
#: Subtypes of media types. What is none of them may be the half of one.
_SUBTYPES = re.compile(
    r"avif|bmp|gif|heic|heif|jpeg|png|svg\+xml|tiff|webp"
    "|3gpp|mp4|mpeg|ogg|quicktime|webm|x-m4v|x-matroska|x-msvideo"
    "|aac|flac|m4a|opus|wav|wave|x-flac|x-m4a|x-wav"
)
_MIME_TYPE = rf"(?:{_KIND})/[a-z0-9.+-]+"
_MIME_TYPES = re.compile(rf"{_MIME_TYPE}(?:, {_MIME_TYPE})*")
_GLUED = re.compile(rf"({_KIND})(-|[0-9]+ ?[A-Za-z\u0410-\u044f]{{2,3}}?)(-|{_MIME_TYPES.pattern})")


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind; what its cells do not tell is None."""

    line: int
    kind: str
    #: None where the cell has no size that can be read; 0 where a dash says that there is none.
    max_bytes: int | None
    #: None where the cell has something else; empty where a dash says that there are none.
    mime_types: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class KindTable:
    """The rows of one table of kinds."""

    #: The header's line number.
    line: int
    rows: tuple[KindRow, ...]

    @property
    def lines(self) -> range:
        """The numbers of all its lines."""
        return range(self.line, self.rows[-1].line + 1)


def find_kind_tables(page: Page, grids: list[Grid]) -> list[KindTable]:
    """All tables of kinds on a page; one, unless the page repeats it."""
    return [*_piped(grids), *_glued(page)]


def _piped(grids: list[Grid]) -> Iterator[KindTable]:
    for grid in grids:
        names = {cells[0] for _, cells in grid.rows if cells}
        if len(grid.header) == 3 and names and names <= {*KINDS}:
            rows = [_row(line, *(*cells, "", "")[:3]) for line, cells in grid.rows if cells]
            yield KindTable(grid.line, tuple(rows))


def _glued(page: Page) -> Iterator[KindTable]:
    found = {n: match for n in page.filled if (match := _GLUED.fullmatch(narrow(page.line(n))))}
    for number in found:
        header = page.before(number)
        if header is not None and header not in found:
            rows: list[KindRow] = []
            row: int | None = number
            while row is not None and row in found:
                rows.append(_row(row, *found[row].groups()))
                row = page.after(row)
            if row is not None and page.line(row).startswith(","):
                # The list of types goes on there.
                rows[-1] = replace(rows[-1], mime_types=None)
            yield KindTable(header, tuple(rows))


def _row(line: int, kind: str, size_cell: str, types_cell: str) -> KindRow:
    types = types_cell.split(", ") if _MIME_TYPES.fullmatch(types_cell) else []
    known = bool(types) and all(_SUBTYPES.fullmatch(type_.partition("/")[2]) for type_ in types)
    return KindRow(
        line,
        kind,
        0 if size_cell in DASHES else size(size_cell),
        tuple(types) if known or types_cell in DASHES else None,
    )
