"""Statements over many rows at once.

Each execution of a statement lets go of the interpreter and has to get it back from an event loop
that is busy; one with many rows does so once. The numbers of rows are powers of two, so that the
connection's cache of compiled statements holds them all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

#: Most rows of one statement.
MOST_ROWS = 64


def insert_many(
    connection: sqlite3.Connection,
    table: str,
    names: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Insert rows, each with a value for each name. Names never come from outside."""
    for some in _portions(rows):
        connection.execute(_insert(table, names, len(some)), _flat(some))


def update_many(
    connection: sqlite3.Connection,
    table: str,
    names: tuple[str, ...],
    key: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Set the columns `names` of one row each: the values, and then the values of its key.

    Names never come from outside.
    """
    for some in _portions(rows):
        connection.execute(_update(table, names, key, len(some)), _flat(some))


def _portions(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows in portions of a power of two, the large ones first."""
    start, size = 0, MOST_ROWS
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


def _flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [value for row in rows for value in row]


@lru_cache(maxsize=1024)
def _insert(table: str, names: tuple[str, ...], rows: int) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {_marks(len(names), rows)}"  # noqa: S608


@lru_cache(maxsize=1024)
def _update(table: str, names: tuple[str, ...], key: tuple[str, ...], rows: int) -> str:
    settings = ", ".join(f"{name} = new.column{n}" for n, name in enumerate(names, start=1))
    keyed = enumerate(key, start=len(names) + 1)
    same = " AND ".join(f"{table}.{name} = new.column{n}" for n, name in keyed)
    values = _marks(len(names) + len(key), rows)
    return f"UPDATE {table} SET {settings} FROM (VALUES {values}) AS new WHERE {same}"  # noqa: S608


def _marks(columns: int, rows: int) -> str:
    """`(?, ?), (?, ?)` for two columns and two rows."""
    one = f"({', '.join('?' * columns)})"
    return ", ".join([one] * rows)
