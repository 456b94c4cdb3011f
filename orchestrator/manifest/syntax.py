"""What is wrong with a text that is no YAML, at the place to mend, with the next step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

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
    mark, message, hint = error.problem_mark or error.context_mark, error.problem or "", ""
    for words, explain in _COMPLAINTS:
        if words in complaint:
            at_context, message, hint = explain(_character(text, mark))
            mark = (error.context_mark or mark) if at_context else mark
            break
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(file, line, column, "", "yaml-syntax", message, hint)


#: Whether to point at what the parser was in rather than where it stopped, the message, the hint.
_Explanation = tuple[bool, str, str]


def _first_character(character: str) -> _Explanation:
    if character == "\t":
        return False, "a tab stands where spaces are needed", "indent with spaces"
    hint = "put the text in quotes"
    return False, f"a text cannot begin with `{character}`", hint


def _fixed(at_context: bool, message: str, hint: str) -> Callable[[str], _Explanation]:
    return lambda _character: (at_context, message, hint)


_COMPLAINTS: tuple[tuple[str, Callable[[str], _Explanation]], ...] = (
    ("cannot start any token", _first_character),
    ("tab character", _fixed(False, "a tab stands where spaces are needed", "indent with spaces")),
    ("while scanning a quoted scalar", _fixed(True, _QUOTE, "close it, or double it inside")),
    ("could not find expected ':'", _fixed(True, _COLON, "write `key: value`")),
    (
        "mapping values are not allowed",
        _fixed(
            False,
            "a second colon stands in this value, or the line is indented too far",
            "put a text that holds a colon and a space in quotes",
        ),
    ),
    (
        "expected ',' or ']'",
        _fixed(False, "a comma or the closing ] is missing", "the list opens before this place"),
    ),
    (
        "expected ',' or '}'",
        _fixed(False, "a comma or the closing } is missing", "the mapping opens before this place"),
    ),
    (
        "while parsing a block mapping",
        _fixed(
            False,
            "this line does not fit the lines above it",
            "indent the keys of one mapping alike, and put text after a closing quote inside it",
        ),
    ),
    (
        "while parsing a block collection",
        _fixed(False, "this line is no item of the list above it", "begin items with a dash"),
    ),
)


def _character(text: str, mark: yaml.Mark | None) -> str:
    """The character at a mark; a space where the text has ended."""
    if mark is None:
        return " "
    lines = _LINE_BREAK.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line[mark.column] if mark.column < len(line) else " "


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
