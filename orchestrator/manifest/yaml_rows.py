"""Rows of YAML files: a list of mappings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.manifest.problems import Place, problem_at
from orchestrator.manifest.source import Source, parse
from orchestrator.manifest.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.jobs import Problem
    from orchestrator.manifest.data import Data


@dataclass(frozen=True, slots=True)
class _Finder:
    source: Source
    #: By row: its number in the file's list.
    item_of: list[int]

    def cell(self, row: int, column: str) -> tuple[int, int]:
        """See `Finder`."""
        item = self.item_of[row] if row < len(self.item_of) else 0
        cells = self.source.value[item] if self.item_of else {}
        return self.source.locate((item, column) if column in cells else (item,))

    def header(self, column: str) -> tuple[int, int]:
        """See `Finder`. The key in the first row that has it."""
        for item in self.item_of:
            if column in self.source.value[item]:
                return self.source.locate((item, column), key=True)
        return 1, 1


def read_yaml_rows(text: str, file: str) -> Table:
    """The rows of a YAML text. Raises SourceError where it cannot be read."""
    source = parse(text, file)
    problems = list(source.problems)
    rows: list[dict[str, Data]] = []
    item_of: list[int] = []
    faulty: set[int] = set()
    if not isinstance(source.value, list) or not source.value:
        message = "the table is no list of rows"
        place = Place(source, ())
        problems.append(problem_at(place, "wrong-type", message, "begin each row with a dash"))
    else:
        for number, item in enumerate(source.value):
            found = list(_item_problems(source, number, item))
            problems.extend(found)
            if isinstance(item, dict):
                if found:
                    faulty.add(len(rows))
                rows.append(item)
                item_of.append(number)
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    finder = _Finder(source, item_of)
    return Table(file, columns, rows, False, finder, frozenset(faulty), tuple(problems))


def _item_problems(source: Source, number: int, item: Data) -> Iterator[Problem]:
    if not isinstance(item, dict):
        yield problem_at(
            Place(source, (number,)), "wrong-type", "a row is a mapping from columns to cells"
        )
        return
    for name, cell in item.items():
        if isinstance(cell, dict | list):
            message = "a cell is text, a number, true, false or null"
            yield problem_at(Place(source, (number, name)), "wrong-type", message)
