"""A draft times its axes and rows: every job that it stands for, with its name."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.manifest.drafts import Draft, Entry
from orchestrator.manifest.identity import axes_part, digest_of_cells, slug
from orchestrator.manifest.scalars import as_text
from orchestrator.manifest.tables import ID_COLUMN, PARAM_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.problems import Place
    from orchestrator.manifest.tables import Table

#: Axes with this beginning are parameters.
PARAM_AXIS = "params."


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a matrix."""

    name: str
    values: tuple[Entry, ...]
    texts: tuple[str, ...]

    @property
    def is_variable(self) -> bool:
        """Whether the axis is neither the model, nor the references, nor a parameter."""
        return self.name not in {"model", "references"} and not self.name.startswith(PARAM_AXIS)


class Grid(NamedTuple):
    """A draft with all that multiplies it, takes aside."""

    draft: Draft
    axes: tuple[Axis, ...]
    #: None where the job has no rows, or where they cannot be read.
    table: Table | None

    @property
    def jobs(self) -> int:
        """How many jobs there are, takes included."""
        number = int(self.draft.value("takes", 1)) * (len(self.table.rows) if self.table else 1)
        for axis in self.axes:
            number *= len(axis.values)
        return number


class Combination(NamedTuple):
    """One of a draft's jobs, takes aside: a choice on every axis and a row."""

    draft: Draft
    #: Key without the take.
    key: str
    #: Axis name to value as text, in the manifest's order.
    axes: Mapping[str, str]
    #: The row's place in the identity.
    row: str | None
    #: `model`, `prompt` and `references`, as far as they are given.
    fields: Mapping[str, Entry]
    params: Mapping[str, Entry]
    variables: Mapping[str, Entry]
    #: Axis name to the value that was chosen.
    choices: Mapping[str, Entry]
    #: The number of the row, and its `id` cell or its beginning.
    row_number: int | None
    row_place: Place | None


def axes_of(draft: Draft) -> tuple[Axis, ...]:
    """The axes of a draft's matrix, in the manifest's order, with the values that are sound."""
    matrix = draft.fields.get("matrix")
    if matrix is None:
        return ()
    return tuple(_axis(matrix, name, values) for name, values in matrix.value.items())


def _axis(matrix: Entry, name: str, values: list[Data]) -> Axis:
    path = (*matrix.path, name)
    entries = [Entry(value, matrix.source, (*path, n)) for n, value in enumerate(values)]
    sound = tuple(entry for entry in entries if entry.value is not None)
    return Axis(name, sound, tuple(axis_text(entry.value) for entry in sound))


def axis_text(value: Data) -> str:
    """An axis value in the identity: a reference by its name, path or URL."""
    if isinstance(value, list):
        return ",".join(axis_text(item) for item in value)
    if isinstance(value, dict):
        return str(value.get("name") or value.get("path") or value.get("url"))
    return as_text(value)


def combinations(grid: Grid) -> Iterator[Combination]:
    """All combinations, in the manifest's order: the last axis turns fastest, rows faster still."""
    draft, axes, table = grid.draft, grid.axes, grid.table
    rows = range(len(table.rows)) if table is not None else (None,)
    faulty = table.faulty if table is not None else frozenset()
    first = slug(draft.id.value)
    if draft.item is not None and draft.item_varies:
        first = f"{first}/{slug(draft.item)}"
    for chosen in product(*(tuple(zip(axis.values, axis.texts, strict=True)) for axis in axes)):
        texts = {axis.name: text for axis, (_entry, text) in zip(axes, chosen, strict=True)}
        choices = {axis.name: entry for axis, (entry, _text) in zip(axes, chosen, strict=True)}
        varying = [texts[axis.name] for axis in axes if len(axis.values) > 1]
        key = f"{first}/{axes_part(varying)}" if varying else first
        fields, params, variables = _with_axes(draft, axes, choices)
        for number in rows:
            if number in faulty:
                continue
            row = _NO_ROW if table is None or number is None else _row(table, number)
            yield Combination(
                draft=draft,
                key=f"{key}/{slug(row.name)}" if len(rows) > 1 else key,
                axes=texts,
                row=row.name if table is not None else None,
                fields=fields,
                params={**params, **row.params} if row.params else params,
                variables=ChainMap(row.cells, variables) if row.cells else variables,
                choices=choices,
                row_number=number,
                row_place=row.place,
            )


def _with_axes(
    draft: Draft, axes: tuple[Axis, ...], choices: Mapping[str, Entry]
) -> tuple[Mapping[str, Entry], Mapping[str, Entry], dict[str, Entry]]:
    """Fields, parameters and variables with a choice on every axis."""
    if not axes:
        return draft.fields, draft.params, draft.variables
    fields, params, variables = dict(draft.fields), dict(draft.params), dict(draft.variables)
    for axis in axes:
        entry = choices[axis.name]
        if axis.name.startswith(PARAM_AXIS):
            params[axis.name.removeprefix(PARAM_AXIS)] = entry
        elif not axis.is_variable:
            fields[axis.name] = entry
        if not isinstance(entry.value, dict | list):
            variables[axis.name] = entry
    return fields, params, variables


class _Row(NamedTuple):
    """One row of a table as a job sees it."""

    name: str
    cells: dict[str, Entry]
    params: dict[str, Entry]
    place: Place | None


#: The row of a job that has none.
_NO_ROW = _Row("", {}, {}, None)


def _row(table: Table, number: int) -> _Row:
    cells = {
        name: Entry(cell, table, ("rows", number, name), table.is_text)
        for name, cell in table.rows[number].items()
    }
    params = {
        name.removeprefix(PARAM_COLUMN): entry
        for name, entry in cells.items()
        if name.startswith(PARAM_COLUMN) and entry.value not in ("", None)
    }
    own = as_text(cells[ID_COLUMN].value) if ID_COLUMN in cells else ""
    texts = {name: as_text(entry.value) for name, entry in cells.items()}
    place = Entry(None, table, ("rows", number, ID_COLUMN) if own else ("rows", number)).place
    return _Row(own or digest_of_cells(texts), cells, params, place)
