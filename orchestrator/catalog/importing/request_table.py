"""The table of request fields, which stands on every page and is the same for all models.

Its rows are known beforehand: the field `model` is required and `client_request_id` is not. So it
tells how this page, in whatever language, writes "yes" and "no", and how its tables begin.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.figures import DASHES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestrator.catalog.importing.page import Page
    from orchestrator.catalog.importing.pipes import Grid

#: The fields of a create's body, with the type that the page gives them.
_TYPES: Mapping[str, str] = {
    "model": "string",
    "prompt": "string",
    "params": "object",
    "client_request_id": "string",
}
_COLUMNS = 5
#: A model's id, as tables take it.
MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ID_GOES_ON = re.compile(r"[a-z0-9._-]")
#: The longest "yes" or "no" that is believed.
_LONGEST_WORD = 24


@dataclass(frozen=True, slots=True)
class Words:
    """How a page writes whether a field is required; both words are None where not certain."""

    yes: str | None = None
    no: str | None = None
    #: Whether the column is empty for certain: then it says nothing of any field.
    empty: bool = False

    def cells(self) -> tuple[str, ...]:
        """What may stand in the column of a row: none where that is not certain at all."""
        if self.yes is not None and self.no is not None:
            return (self.yes, self.no, "-", "")
        return ("-", "") if self.empty else ()


@dataclass(frozen=True, slots=True)
class RequestTable:
    """What the table of request fields tells about its page."""

    #: The header's line number, and its text: glued, or the cells of a grid.
    line: int
    header: str | tuple[str, ...]
    #: How it writes whether a field is required.
    words: Words
    #: The model's id as its row has it, None where glued cells do not show it.
    model: str | None
    #: What is said of the prompt, with its line number; None without that row.
    prompt: tuple[int, str] | None
    #: The descriptions of all rows.
    descriptions: tuple[str, ...]
    #: The numbers of all its lines.
    lines: frozenset[int]


def find_request_tables(
    page: Page, grids: list[Grid], model_ids: Collection[str]
) -> list[RequestTable]:
    """The tables of request fields on a page, in both layouts; one, unless the page repeats it.

    `model_ids` are the texts that may be the model's id.
    """
    piped = [_from_grid(grid) for grid in grids if _is_request_grid(grid)]
    return [*piped, *_glued(page, model_ids)]


def _is_request_grid(grid: Grid) -> bool:
    named = {cells[0]: cells[1] for _, cells in grid.rows if len(cells) == _COLUMNS}
    return len(grid.header) == _COLUMNS and named.items() >= {
        ("model", "string"),
        ("params", "object"),
    }


def _from_grid(grid: Grid) -> RequestTable:
    rows = {cells[0]: (n, cells) for n, cells in grid.rows if len(cells) == _COLUMNS}
    required = {key: cells[2] for key, (_, cells) in rows.items()}
    model = rows["model"][1][3]
    return RequestTable(
        line=grid.line,
        header=grid.header,
        words=_words(required),
        model=model if MODEL_ID.fullmatch(model) else None,
        prompt=(rows["prompt"][0], rows["prompt"][1][4]) if "prompt" in rows else None,
        descriptions=tuple(cells[4] for _, cells in rows.values()),
        lines=frozenset(grid.lines),
    )


def _glued(page: Page, model_ids: Collection[str]) -> list[RequestTable]:
    """The tables without dividers: their rows begin with a field and its type."""
    starts = {key + type_: key for key, type_ in _TYPES.items()}
    begun = re.compile("|".join(starts))
    tables = []
    for number in page.filled:
        header = page.before(number)
        if page.line(number).startswith("modelstring") and header is not None:
            rows: dict[str, tuple[int, str]] = {}
            row: int | None = number
            while row is not None and (match := begun.match(page.line(row))):
                rows[starts[match[0]]] = (row, page.line(row)[match.end() :])
                row = page.after(row)
            tables.append(_from_rows(page, header, rows, model_ids))
    return tables


def _from_rows(
    page: Page, header: int, rows: Mapping[str, tuple[int, str]], model_ids: Collection[str]
) -> RequestTable:
    yes, model, model_text = _model_row(rows["model"][1], model_ids)
    required = {} if yes is None else {"model": yes}
    # In the other rows the default is empty, so the first dash ends the word.
    split = {key: text.partition("-")[::2] for key, (_, text) in rows.items() if key != "model"}
    texts = [model_text, *(text for _, text in split.values())]
    return RequestTable(
        line=header,
        header=page.line(header),
        words=_words(required | {key: word for key, (word, _) in split.items()}),
        model=model,
        prompt=(rows["prompt"][0], split["prompt"][1]) if "prompt" in rows else None,
        descriptions=tuple(text for text in texts if text),
        lines=frozenset([header, *(number for number, _ in rows.values())]),
    )


def _model_row(text: str, model_ids: Collection[str]) -> tuple[str | None, str | None, str]:
    """The cell of "yes", the model's id, and the description that follow each other there."""
    for model in sorted(model_ids, key=len, reverse=True):
        before, found, after = text.partition(model)
        if found and (not before or _word(before)) and not _ID_GOES_ON.match(after):
            return before, model, after
    return None, None, ""


def _word(text: str) -> str | None:
    """The text, if it can be a "yes" or a "no": letters of any script, and nothing else."""
    if not text or len(text) > _LONGEST_WORD or text in DASHES:
        return None
    fits = all(unicodedata.category(char)[0] in "LM" or char in " '\u2019" for char in text)
    return text if fits else None


def _words(required: Mapping[str, str]) -> Words:
    """The words, by the cells of the column; none of them where the rows contradict each other.

    `model` is required and `client_request_id` is not. `params` may be, where one of the parameters
    is.
    """
    cells = [required.get(key) for key in ("model", "client_request_id")]
    if cells == ["", ""]:
        return Words(empty=True)
    yes, no = (_word(cell or "") for cell in cells)
    if yes is None or no is None or yes == no or required.get("params", no) not in (yes, no):
        return Words()
    return Words(yes, no)
