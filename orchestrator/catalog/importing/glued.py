"""Rows whose cells run into each other: every way in which such a line can be read.

`seednumberNo-1min -1 / max 5-Seed` has to be taken apart without dividers, and `-` may be an empty
cell or a minus sign. All readings that fit the columns are found; a fact is certain where they
agree on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.figures import NUMBER, RANGE, narrow
from orchestrator.catalog.importing.option_ends import SEPARATOR, may_be_option, split_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.catalog.importing.request_table import Words
    from orchestrator.catalog.importing.typesetting import Typesetting

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE = re.compile(r"(?=(select|number|text))")
_DESCRIPTION = r"(?P<description>[^ ].*)"
_NUMBER_CELLS = re.compile(rf"(?P<default>-|{NUMBER})(?P<range>-|{RANGE})-{_DESCRIPTION}")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a row of the parameter table, as text."""

    key: str
    type: str
    required: str
    default: str
    range: str
    #: None where it is not certain how far they go.
    options: str | None
    description: str


def readings(line: str, words: Words, page: Typesetting) -> Iterator[Cells]:
    """All ways to read a line as a row of the parameter table; none for another line."""
    for key, type_, rest in starts(line):
        for required in words.cells():
            if rest.startswith(required):
                for tail in _TAILS[type_](rest[len(required) :], page):
                    cells = Cells(key, type_, required, *tail)
                    if required not in ("", "-") or _is_likely(cells):
                        yield cells


def _is_likely(cells: Cells) -> bool:
    """Whether a row without the word is worth a thought, where its cells begin with that word.

    Without this, any `No---What to avoid` could also have the default `No`, or `No-`. Before a
    figure, the last dash could be a minus sign of the description.
    """
    if cells.type != "text":
        return True
    ends_with_dash = cells.default != "-" and cells.default.endswith("-")
    return not ends_with_dash and not re.match("-[^0-9]", cells.description)


def starts(line: str) -> Iterator[tuple[str, str, str]]:
    """Each split of a line into a key, a type, and the rest."""
    for match in _TYPE.finditer(line):
        key = line[: match.start()]
        if _KEY.fullmatch(key):
            yield key, match[1], line[match.end(1) :]


def looks_like_row(line: str, words: Words) -> bool:
    """Whether a line begins like a row, of whatever type: a name, then the word or two dashes."""
    following = [re.escape(word) for word in (words.yes, words.no) if word is not None]
    return bool(re.match(rf"{_KEY.pattern}(?:{'|'.join([*following, '--'])})", line))


#: Default, range, options and description.
_Tail = tuple[str, str, str | None, str]


def _number_tail(tail: str, _page: Typesetting) -> Iterator[_Tail]:
    # Full-width figures are as long as plain ones, so places stay.
    match = _NUMBER_CELLS.fullmatch(narrow(tail))
    if match:
        yield match["default"], match["range"], "-", tail[match.start("description") :]


def _select_tail(tail: str, page: Typesetting) -> Iterator[_Tail]:
    for match in re.finditer("-", tail):
        default, text = tail[: match.start()], tail[match.end() :]
        if not default or default != default.strip() or SEPARATOR in default:
            continue
        stated = None if default == "-" else default
        if stated is not None and not may_be_option(text, stated):
            continue
        split = split_options(text, stated, page)
        if split is not None:
            yield default, "-", SEPARATOR.join(split[0]), split[1]
        elif text:
            yield default, "-", None, text


def _text_tail(tail: str, _page: Typesetting) -> Iterator[_Tail]:
    for match in re.finditer("(?=--)", tail):
        default, description = tail[: match.start()], tail[match.start() + 2 :]
        if default == default.strip() != "" and description == description.strip() != "":
            yield default, "-", "-", description


_TAILS: dict[str, Callable[[str, Typesetting], Iterator[_Tail]]] = {
    "select": _select_tail,
    "number": _number_tail,
    "text": _text_tail,
}
