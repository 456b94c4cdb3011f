"""A draft times its axes and rows: every job that it stands for, with its name."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, slots=True)
class Combination:
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
    #: Axis name to the number of the value.
    choices: Mapping[str, int]
    #: The number of the row, and its `id` cell or its beginning.
    row_number: int | None
    row_place: Place | None


def axes_of(draft: Draft) -> tuple[Axis, ...]:
    """The axes of a draft's matrix, in the manifest's order."""
    matrix = draft.fields.get("matrix")
    if matrix is None:
        return ()
    return tuple(
        Axis(
            name,
            tuple(
                Entry(value, matrix.source, (*matrix.path, name, n))
                for n, value in enumerate(values)
            ),
            tuple(_axis_text(value) for value in values),
        )
        for name, values in matrix.value.items()
    )


def _axis_text(value: Data) -> str:
    """An axis value in the identity: a reference by its name, path or URL."""
    if isinstance(value, list):
        return ",".join(_axis_text(item) for item in value)
    if isinstance(value, dict):
        return str(value.get("name") or value.get("path") or value.get("url"))
    return as_text(value)


def combinations(
    draft: Draft, axes: tuple[Axis, ...], table: Table | None
) -> Iterator[Combination]:
    """All combinations, in the manifest's order: the last axis turns fastest, rows faster still."""
    rows = range(len(table.rows)) if table is not None else (None,)
    faulty = table.faulty if table is not None else frozenset()
    first = [slug(draft.id.value)]
    if draft.item is not None and draft.item_varies:
        first.append(slug(draft.item))
    for choice in product(*(range(len(axis.values)) for axis in axes)):
        chosen = [(axis, axis.values[n]) for axis, n in zip(axes, choice, strict=True)]
        texts = {axis.name: axis.texts[n] for axis, n in zip(axes, choice, strict=True)}
        varying = [texts[axis.name] for axis in axes if len(axis.values) > 1]
        parts = [*first, axes_part(varying)] if varying else first
        fields, params, variables = _with_axes(draft, chosen)
        numbers = {axis.name: n for axis, n in zip(axes, choice, strict=True)}
        for number in rows:
            if number in faulty:
                continue
            row = _Row.none() if table is None or number is None else _row(table, number)
            yield Combination(
                draft=draft,
                key="/".join([*parts, slug(row.name)] if len(rows) > 1 else parts),
                axes=texts,
                row=row.name if table is not None else None,
                fields=fields,
                params={**params, **row.params} if row.params else params,
                variables=ChainMap(row.cells, variables) if row.cells else variables,
                choices=numbers,
                row_number=number,
                row_place=row.place,
            )


def _with_axes(
    draft: Draft, chosen: list[tuple[Axis, Entry]]
) -> tuple[Mapping[str, Entry], Mapping[str, Entry], dict[str, Entry]]:
    fields, params, variables = dict(draft.fields), dict(draft.params), dict(draft.variables)
    for axis, entry in chosen:
        if axis.name.startswith(PARAM_AXIS):
            params[axis.name.removeprefix(PARAM_AXIS)] = entry
        elif not axis.is_variable:
            fields[axis.name] = entry
        if not isinstance(entry.value, dict | list):
            variables[axis.name] = entry
    return fields, params, variables


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table as a job sees it."""

    name: str
    cells: dict[str, Entry]
    params: dict[str, Entry]
    place: Place | None

    @staticmethod
    def none() -> _Row:
        """The row of a job that has none."""
        return _Row("", {}, {}, None)


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
