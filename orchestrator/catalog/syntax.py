"""What is wrong with a text that is no YAML, at the place to mend, with the next step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from orchestrator.catalog.guesses import Spot, Told, second_colon, told_by_what_precedes
from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

#: What YAML takes; everything else is a control character or half of a pair.
_UNPRINTABLE = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_LINE_BREAK = re.compile("\r\n|\r|\n")

_QUOTE = "the quote that opens here is never closed"
_COLON = "a key needs a colon and a space behind it"
_ESCAPE = "a backslash in double quotes begins an escape, and this is none"
_INDENT = "indent with spaces"
_QUOTES = "put the text in quotes"


def unreadable_text(file: str, before: str, encoding: str) -> Problem:
    """Bytes that are no text; `before` is all text up to them."""
    name = "UTF-16" if encoding == "utf-16" else "UTF-8"
    line, column = _end_of(before)
    text = f"the bytes here are no {name} text"
    return Problem(file, line, column, "", "bad-encoding", text, "save the file as UTF-8")


def broken_syntax(file: str, text: str, error: yaml.YAMLError) -> Problem:
    """The parser's complaint in plain words."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unprintable(file, text)
    assert isinstance(error, yaml.MarkedYAMLError)
    complaint = f"{error.context or ''} {error.problem or ''}"
    lines = _LINE_BREAK.split(text)
    stopped = _spot(lines, error.problem_mark or error.context_mark)
    begun = _spot(lines, error.context_mark or error.problem_mark)
    told = Told(stopped, error.problem or "", "")
    for words, explain in _COMPLAINTS:
        if words in complaint:
            told = explain(begun, stopped)
            break
    line, column = told.spot.line + 1, told.spot.column + 1
    return Problem(file, line, column, "", "yaml-syntax", told.message, told.hint)


def _spot(lines: list[str], mark: yaml.Mark | None) -> Spot:
    return Spot(lines, mark.line, mark.column) if mark is not None else Spot(lines, 0, 0)


def _here(message: str, hint: str) -> Callable[[Spot, Spot], Told]:
    """Blame the place where the parser stopped."""
    return lambda _begun, stopped: Told(stopped, message, hint)


def _at_beginning(message: str, hint: str) -> Callable[[Spot, Spot], Told]:
    """Blame the beginning of what the parser was reading."""
    return lambda begun, _stopped: Told(begun, message, hint)


def _beginning_with(begun: Spot, _stopped: Spot) -> Told:
    return Told(begun, f"a text cannot begin with `{begun.character}`", _QUOTES)


def _no_token(_begun: Spot, stopped: Spot) -> Told:
    if stopped.character == "\t":
        return Told(stopped, "a tab stands where spaces are needed", _INDENT)
    return Told(stopped, f"a text cannot begin with `{stopped.character}`", _QUOTES)


def _no_list_item(_begun: Spot, stopped: Spot) -> Told:
    hint = "begin items with a dash, and indent the fields of one item alike"
    otherwise = Told(stopped, "this line is no item of the list above it", hint)
    return told_by_what_precedes(stopped) or otherwise


def _no_key(_begun: Spot, stopped: Spot) -> Told:
    hint = "indent the keys of one mapping alike, and the items of one list"
    otherwise = Told(stopped, "this line does not fit the lines above it", hint)
    return told_by_what_precedes(stopped) or otherwise


def _not_closed(begun: Spot, stopped: Spot) -> Told:
    """A list or a mapping in brackets that does not end, or in which a comma lacks."""
    closing = "]" if begun.character == "[" else "}"
    if begun.line != stopped.line:
        message = f"the {begun.character} that opens here is never closed, or a comma is missing"
        return told_by_what_precedes(stopped) or Told(begun, message, f"close it with {closing}")
    message = f"a comma or the closing {closing} is missing"
    hint = "separate items with commas, and put a text that holds brackets in quotes"
    return told_by_what_precedes(stopped) or Told(stopped, message, hint)


_COMPLAINTS: tuple[tuple[str, Callable[[Spot, Spot], Told]], ...] = (
    ("cannot start any token", _no_token),
    ("tab character", _here("a tab stands where spaces are needed", _INDENT)),
    ("while scanning a quoted scalar", _at_beginning(_QUOTE, "close it, or double it inside")),
    ("could not find expected ':'", _at_beginning(_COLON, "write `key: value`")),
    ("mapping values are not allowed", lambda _begun, stopped: second_colon(stopped)),
    ("expected ',' or", _not_closed),
    ("while parsing a block mapping", _no_key),
    ("while parsing a block collection", _no_list_item),
    ("escape", _here(_ESCAPE, "double it, or use single quotes")),
    ("hexdecimal", _here(_ESCAPE, "double it, or use single quotes")),
    (
        "while scanning a block scalar",
        _here(
            "text stands behind the > or | on its line",
            "begin the text on the next line, or put it in quotes",
        ),
    ),
    (
        "sequence entries are not allowed",
        _here(
            "a list cannot begin behind a key on its line",
            "put a text that begins with a dash in quotes, or begin the list on the next line",
        ),
    ),
    (
        "while scanning a plain scalar",
        _here("a colon stands in a text between brackets", "put the text in quotes"),
    ),
    ("while scanning a directive", _beginning_with),
    ("while scanning an alias", _beginning_with),
    ("while scanning an anchor", _beginning_with),
    ("a tag", _beginning_with),
    ("mapping keys are not allowed", lambda _begun, stopped: _beginning_with(stopped, stopped)),
    (
        "while parsing a flow node",
        _here("a value is missing here", "write it, or remove the comma"),
    ),
    ("while parsing a block node", lambda _begun, stopped: _beginning_with(stopped, stopped)),
    ("<document start>", _no_key),
)


def _unprintable(file: str, text: str) -> Problem:
    match = _UNPRINTABLE.search(text)
    start = match.start() if match else 0
    line, column = _end_of(text[:start])
    name = f"U+{ord(text[start]):04X}" if match else "control"
    message = f"the character {name} cannot stand in a YAML file"
    hint = 'write it as an escape, such as "\\e", or remove it'
    return Problem(file, line, column, "", "bad-character", message, hint)


def _end_of(text: str) -> tuple[int, int]:
    """Line and column, from 1, right after a text."""
    lines = _LINE_BREAK.split(text)
    return len(lines), len(lines[-1]) + 1
