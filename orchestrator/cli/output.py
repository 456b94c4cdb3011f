"""Printing: data to stdout, everything else to stderr, colour only where it is wanted."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

SCHEMA_VERSION = 1

#: Columns that prose is folded at, and that the titles before it take.
_WIDTH = 80
_TITLE = 7

#: How a problem and its weight are coloured on a terminal.
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout, in UTF-8; lone surrogates become escapes."""
    write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write_text(text: str) -> None:
    r"""Write data to stdout in UTF-8, whatever the locale; lone surrogates become `\udXXX`."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def say(text: str = "") -> None:
    """Print a line of a table or of prose for people on stdout."""
    click.echo(printable(text))


def say_entry(title: str, text: str) -> None:
    """Print `title  text` on stdout, folded at 80 columns with the text aligned."""
    indent = " " * (len(f"{title:<{_TITLE}}") + 1)
    folded = textwrap.fill(
        f"{title:<{_TITLE}} {printable(text)}",
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo(folded)


def tell(text: str, kind: str = "", where: str = "") -> None:
    """Print to stderr; `kind` (`warning`, `note`) and a place in a file stand before the text."""
    words = printable(text)
    if kind:
        words = f"{coloured(f'{kind}:', kind, sys.stderr)} {words}"
    click.echo(printable(where) + words, err=True)


def coloured(text: str, kind: str, stream: TextIO) -> str:
    """The text in the colour of its kind, where the stream shows colour."""
    return click.style(text, fg=_COLOURS[kind], bold=True) if shows_colour(stream) else text


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
    """Print a table on stdout: aligned plain text, or through rich where colour is wanted."""
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    if shows_colour(sys.stdout):
        _print_rich(columns, cells)
        return
    lines = [[column.title for column in columns], *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def _print_rich(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(
            Text(column.title), justify="right" if column.right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False, markup=False, emoji=False, soft_wrap=False).print(table)


def amount_or_unknown(amount: float | None) -> str:
    """An amount of credits, `unknown` where nobody knows it."""
    from orchestrator.plan.cost import amount as written

    return "unknown" if amount is None else written(amount)


def some(names: Sequence[str], most: int = 3) -> str:
    """A few names and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
