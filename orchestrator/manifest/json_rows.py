"""Rows of JSON Lines files: one object a line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from orchestrator.jobs import Problem
from orchestrator.manifest.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.manifest.data import Data

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_SPACE = re.compile(r"[ \t]*")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(frozen=True, slots=True)
class _Finder:
    lines: list[str]
    #: By row: the number of its line, from 0.
    line_of: list[int]

    def cell(self, row: int, column: str) -> tuple[int, int]:
        """See `Finder`."""
        if row >= len(self.line_of):
            return 1, 1
        line = self.lines[self.line_of[row]]
        start = len(line) - len(line.lstrip(" \t"))
        found = {name: value for name, _key, value in entries(line)}
        return self.line_of[row] + 1, found.get(column, start) + 1

    def header(self, column: str) -> tuple[int, int]:
        """See `Finder`. The key in the first row that has it."""
        for number in self.line_of:
            for name, key, _value in entries(self.lines[number]):
                if name == column:
                    return number + 1, key + 1
        return 1, 1


def entries(line: str) -> Iterator[tuple[str, int, int]]:
    """Each key of the object in a line of valid JSON, with its offset and its value's."""
    at = line.index("{") + 1
    while True:
        key_at = _skip(line, at)
        if line[key_at] == "}":
            return
        name, at = _DECODER.raw_decode(line, key_at)
        value_at = _skip(line, line.index(":", at) + 1)
        yield name, key_at, value_at
        _value, at = _DECODER.raw_decode(line, value_at)
        at = _skip(line, at)
        if line[at] == "}":
            return
        at += 1


def _skip(line: str, at: int) -> int:
    match = _SPACE.match(line, at)
    assert match is not None, "the pattern matches any text"
    return match.end()


def read_json_lines(text: str, file: str) -> Table:
    """The rows of a JSON Lines text; blank lines are left out."""
    lines = _LINE_BREAK.split(text)
    rows: list[dict[str, Data]] = []
    line_of: list[int] = []
    faulty: set[int] = set()
    problems: list[Problem] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            row = _object(line)
        except (ValueError, RecursionError) as error:
            problems.append(_problem(file, number, line, error))
            continue
        found = list(_cell_problems(file, number, len(rows), line, row))
        if found:
            faulty.add(len(rows))
            problems.extend(found)
        rows.append(row)
        line_of.append(number)
    if not rows and not problems:
        problems.append(Problem(file, 1, 1, "", "empty", "the table has no rows"))
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    finder = _Finder(lines, line_of)
    return Table(file, columns, rows, False, finder, frozenset(faulty), tuple(problems))


def _object(line: str) -> dict[str, Data]:
    value = _DECODER.decode(line)
    if not isinstance(value, dict):
        raise json.JSONDecodeError("Expected an object", line, len(line) - len(line.lstrip(" \t")))
    if not _is_unicode(line, value):
        raise json.JSONDecodeError("Half of a pair of surrogates", line, 0)
    return value


def _is_unicode(line: str, value: dict[str, Data]) -> bool:
    """Escapes can write half a character, which no file and no request can hold."""
    if "\\u" not in line:
        return True
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _problem(file: str, number: int, line: str, error: Exception) -> Problem:
    start = len(line) - len(line.lstrip(" \t"))
    at, message = start, "the line is nested too deep"
    if isinstance(error, json.JSONDecodeError):
        at, message = error.pos, f"the line is no JSON: {error.msg[:1].lower()}{error.msg[1:]}"
    elif isinstance(error, ValueError):
        at, message = start, f"JSON has no {error}"
    return Problem(file, number + 1, at + 1, "", "json-syntax", message, "write one object a line")


def _cell_problems(
    file: str, number: int, row: int, line: str, cells: dict[str, Data]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, key_at, value_at in entries(line):
        path = f"rows[{row}].{name}"
        if name in seen:
            message = f"`{name}` stands here a second time"
            yield Problem(
                file, number + 1, key_at + 1, path, "duplicate-key", message, "keep one of them"
            )
        elif _is_nested(cells[name]):
            message = "a cell is text, a number, true, false or null"
            yield Problem(file, number + 1, value_at + 1, path, "wrong-type", message)
        seen.add(name)


def _is_nested(value: Data) -> bool:
    return isinstance(value, dict | list)
