"""Printing: data to stdout, everything else to stderr, colour only where it is wanted."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

SCHEMA_VERSION = 1

#: Columns that prose is folded at, at most, and that the titles before it take.
_WIDTH = 80
_TITLE = 7
#: Columns that the last cells of a table need, where they are folded.
_LEAST_FOLD = 24

#: How a problem and its weight are coloured on a terminal.
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout, in UTF-8; lone surrogates become escapes."""
    write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def plain_numbers(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The value with every whole number as such: 246 where Python has 246.0."""
    match value:
        case dict():
            return {name: plain_numbers(item) for name, item in value.items()}
        case list() | tuple():
            return [plain_numbers(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def write_text(text: str) -> None:
    r"""Write data to stdout in UTF-8, whatever the locale; lone surrogates become `\udXXX`."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def say(text: str = "") -> None:
    """Print a line of a table or of prose for people on stdout."""
    click.echo(printable(text))


def say_prose(text: str) -> None:
    """Print a sentence on stdout; on a terminal it is folded between its words."""
    for line in _prose(printable(text), sys.stdout):
        click.echo(line)


def _prose(text: str, stream: TextIO) -> list[str]:
    """A sentence in lines no wider than a terminal, which would break words; else in one."""
    width = terminal_width(stream)
    if width is None:
        return [text]
    return [line for part in text.split("\n") for line in _folded(part, max(width, _LEAST_FOLD))]


def say_entry(title: str, text: str) -> None:
    """Print `title  text` on stdout, folded at 80 columns or less with the text aligned."""
    indent = " " * (len(f"{title:<{_TITLE}}") + 1)
    room = min(terminal_width(sys.stdout) or _WIDTH, _WIDTH) - len(indent)
    for number, line in enumerate(_folded(printable(text), max(room, _LEAST_FOLD))):
        click.echo(f"{indent if number else f'{title:<{_TITLE}} '}{line}")


def _folded(text: str, room: int) -> list[str]:
    """The text in lines of so many columns; a longer word, such as a path, stays whole."""
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def tell(text: str, kind: str = "", where: str = "") -> None:
    """Print to stderr; `kind` (`warning`, `note`) and a place in a file stand before the text.

    What has a kind is prose, which a terminal gets folded between its words; other text may be a
    command to be pasted, and stays one line.
    """
    words = printable(text)
    if not kind:
        click.echo(printable(where) + words, err=True)
        return
    title = f"{kind}:"
    lines = "\n".join(_prose(f"{printable(where)}{title} {words}", sys.stderr))
    before, _, after = lines.partition(title)
    click.echo(f"{before}{coloured(title, kind, sys.stderr)}{after}", err=True)


def coloured(text: str, kind: str, stream: TextIO) -> str:
    """The text in the colour of its kind, where the stream shows colour."""
    return click.style(text, fg=_COLOURS[kind], bold=True) if shows_colour(stream) else text


def near(path: Path) -> Path:
    """A path as somebody who stands here would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def terminal_width(stream: TextIO) -> int | None:
    """How many columns a terminal has; None where the stream is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def printable(text: str) -> str:
    """The text without what a terminal would act on; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def shows_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which colour and motion are wanted."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    #: Numbers stand on the right.
    right: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout, as wide as it is; on a terminal, no wider than that."""
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    head, *lines = table_lines(columns, cells, terminal_width(sys.stdout))
    click.echo(click.style(head, bold=True) if shows_colour(sys.stdout) else head)
    for line in lines:
        click.echo(line)


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None = None
) -> list[str]:
    """A table in lines, the titles first.

    Where `room`, in columns, is too little, the last cells are folded; where that is not enough
    either, each row stands in lines of its own below its first cell.
    """
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
    if room is not None and sum(widths) + 2 * (len(widths) - 1) > room:
        left = room - sum(widths[:-1]) - 2 * (len(widths) - 1)
        if left < _LEAST_FOLD:
            return _stacked(titles, rows, room)
        widths[-1] = left
    return [line for cells in [titles, *rows] for line in _row_lines(columns, cells, widths)]


def _row_lines(
    columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]
) -> Iterator[str]:
    """One row of a table; its last cell is folded where it is longer than its column."""
    *first, last = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(columns, cells, widths, strict=True)
    )
    start = "".join(f"{cell}  " for cell in first)
    for number, line in enumerate(_folded(last, widths[-1])):
        yield f"{' ' * len(start) if number else start}{line}".rstrip()


def _stacked(titles: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """Each row as its first cell and, below it, the others with their titles."""
    longest = max(map(len, titles[1:]))
    lines = [titles[0]]
    for first, *others in rows:
        lines.append(first)
        for title, cell in zip(titles[1:], others, strict=True):
            folded = _folded(cell, max(room - longest - 4, _LEAST_FOLD))
            lines.append(f"  {title:<{longest}}  {folded[0]}")
            lines += [f"{' ' * (longest + 4)}{line}" for line in folded[1:]]
    return lines


def amount_or_unknown(amount: float | None) -> str:
    """An amount of credits, `unknown` where nobody knows it."""
    from orchestrator.plan.cost import amount as written

    return "unknown" if amount is None else written(amount)


def some(names: Sequence[str], most: int = 3) -> str:
    """A few names and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
