"""Axes and tables that change nothing: all their jobs would be one generation, paid many times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.manifest import templates
from orchestrator.manifest.multiply import PARAM_AXIS
from orchestrator.manifest.names import listed, meant_by
from orchestrator.manifest.problems import Place
from orchestrator.manifest.tables import ID_COLUMN, PARAM_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.catalog.spec import Catalog, Model
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.multiply import Axis, Grid
    from orchestrator.manifest.positions import Path
    from orchestrator.manifest.problems import Findings
    from orchestrator.manifest.tables import Table

#: Fields in which a variable can stand.
_WITH_VARIABLES = ("prompt", "model", "references")
#: What an axis is called that is meant to do nothing but multiply.
_LIKE_TAKES = frozenset({"take", "takes", "repeat", "repeats", "count", "variant", "variation"})


@dataclass(frozen=True, slots=True)
class _Idle:
    """An axis or a table on which nothing in one draft depends."""

    place: Place
    #: What it is called in a message.
    what: str
    message: str
    hint: str
    #: Whether some of its jobs differ nevertheless.
    is_warning: bool = False


def report_idle(grids: Sequence[Grid], catalog: Catalog, findings: Findings) -> None:
    """Report the axes and tables of one job on which nothing depends.

    What none of the job's prompts uses is reported once, where it stands. What only some of them
    use is reported at each of the others.
    """
    found = [(grid, list(_idle(grid, catalog))) for grid in grids if grid.axes or grid.table]
    if not found:
        return
    having = Counter(path for grid, _several in found for path in _paths(grid))
    idle = Counter(one.place.path for _grid, several in found for one in several)
    for grid, several in found:
        for one in several:
            if one.is_warning:
                findings.warn(one.place, "unused-variable", one.message, one.hint)
            elif idle[one.place.path] == having[one.place.path]:
                findings.report(one.place, "unused-axis", one.message, one.hint)
            else:
                message = f"{one.what} changes nothing in this prompt"
                hint = "use it here as other prompts of the job do, or write a job of its own"
                prompt = grid.draft.fields.get("prompt")
                place = grid.draft.place if prompt is None else prompt.place
                findings.report(place, "unused-axis", message, hint)


def _paths(grid: Grid) -> Iterator[Path]:
    """The paths of a grid's axes and of its table."""
    for axis in grid.axes:
        yield _axis_place(axis, grid).path
    if grid.table is not None:
        yield grid.draft.fields["rows"].path


def variables_used(grid: Grid) -> frozenset[str]:
    """Every variable that some text of the draft asks for."""
    draft = grid.draft
    texts: list[object] = [
        *(draft.fields[name].value for name in _WITH_VARIABLES if name in draft.fields),
        *(entry.value for entry in draft.params.values()),
        *(entry.value for axis in grid.axes if not axis.is_variable for entry in axis.values),
    ]
    return frozenset(name for text in texts for name in _names_in(text))


def _names_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from templates.names_in(value)
    elif isinstance(value, list):
        for item in value:
            yield from _names_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _names_in(item)


# --- what is idle ------------------------------------------------------------------------------


def _idle(grid: Grid, catalog: Catalog) -> Iterator[_Idle]:
    used = variables_used(grid)
    unknown = used - _known(grid)
    # Where one of them could not be read, nobody knows what it would have used.
    is_readable = not grid.draft.spoiled.intersection(_WITH_VARIABLES)
    for axis in grid.axes:
        times = 0 if grid.table is None else _rows_that_replace(axis, grid.table)
        if grid.table is not None and times:
            yield _replaced(axis, grid, grid.table, times)
        elif (
            axis.is_variable
            and axis.name not in used
            and is_readable
            # A misspelled variable is reported where it stands, and names the axis.
            and not any(meant_by(name, [axis.name]) for name in unknown)
        ):
            yield _unused_axis(axis, grid, used, catalog)
    if grid.table is not None and is_readable and not unknown and not _is_used(grid.table, used):
        yield _unused_table(grid, grid.table)


def _known(grid: Grid) -> set[str]:
    columns = grid.table.columns if grid.table is not None else ()
    return {*grid.draft.variables, *(axis.name for axis in grid.axes), *columns}


def _rows_that_replace(axis: Axis, table: Table) -> int:
    """The number of rows that have a cell of the axis's name, which wins over it."""
    is_column = axis.is_variable or axis.name.startswith(PARAM_COLUMN)
    if not is_column or axis.name not in table.columns:
        return 0
    # An empty cell leaves a parameter alone; for a variable it is an empty text.
    empty = () if axis.is_variable else ("", None)
    rows = (row for number, row in enumerate(table.rows) if number not in table.faulty)
    return sum(axis.name in row and row[axis.name] not in empty for row in rows)


def _is_used(table: Table, used: frozenset[str]) -> bool:
    return table.sound < 2 or any(
        name in used or name.startswith(PARAM_COLUMN) for name in table.columns
    )


# --- how it is told ----------------------------------------------------------------------------


def _axis_place(axis: Axis, grid: Grid) -> Place:
    matrix = grid.draft.fields["matrix"]
    return Place(matrix.source, (*matrix.path, axis.name), key=True)


def _has_single_braces(grid: Grid, name: str) -> bool:
    """Whether the prompt names a variable the way other tools do."""
    return f"{{{name}}}" in str(grid.draft.value("prompt", ""))


def _paid(times: int) -> str:
    return f", so the same generation would be paid {times} times" if times > 1 else ""


def _replaced(axis: Axis, grid: Grid, table: Table, times: int) -> _Idle:
    what = f"the axis `{axis.name}`"
    everywhere = times == table.sound
    rows = "every row" if everywhere else f"{times} of {table.sound} rows"
    message = f"a column of {table.file} wins over {what} in {rows}{_paid(len(axis.values))}"
    hint = "rename or remove one of them"
    return _Idle(_axis_place(axis, grid), what, message, hint, is_warning=not everywhere)


def _unused_table(grid: Grid, table: Table) -> _Idle:
    what = f"the table {table.file}"
    columns = [name for name in table.columns if name != ID_COLUMN] or [ID_COLUMN]
    message = f"no column of {table.file} is used{_paid(table.sound)}"
    hint = f"write {{{{{columns[0]}}}}} where a cell belongs; columns: {listed(table.columns)}"
    single = [name for name in columns if _has_single_braces(grid, name)]
    if single:
        hint = f"write {{{{{single[0]}}}}} in place of {{{single[0]}}}"
    return _Idle(grid.draft.fields["rows"].place, what, message, hint)


def _unused_axis(axis: Axis, grid: Grid, used: frozenset[str], catalog: Catalog) -> _Idle:
    what = f"the axis `{axis.name}`"
    times = len(axis.values)
    meant = _meant_axis(axis.name, used, _parameters_of(grid, catalog))
    hint = f"write {{{{{axis.name}}}}} where it belongs"
    if _has_single_braces(grid, axis.name):
        hint = f"write {{{{{axis.name}}}}} in place of {{{axis.name}}}"
    elif times > 1:
        hint += f"; several generations of the same are `takes: {times}`"
    if axis.name in {"prompt", "prompts"}:
        hint = "list them under `prompts`, without `matrix`"
    elif axis.name.lower().rstrip("s") in _LIKE_TAKES and not meant:
        hint = f"several generations of the same are `takes: {times}`, without an axis"
    elif meant:
        hint = f"did you mean `{meant}`?"
    message = f"{what} is used nowhere{_paid(times)}"
    return _Idle(_axis_place(axis, grid), what, message, hint)


def _meant_axis(name: str, used: frozenset[str], parameters: Mapping[str, Model]) -> str | None:
    """What an axis of this name was meant to be, where it looks like something."""
    beginning, point, rest = name.partition(".")
    if point and meant_by(beginning, ["params"]):
        return PARAM_AXIS + (meant_by(rest, parameters) or rest)
    candidates = ["model", "references", *used, *parameters]
    meant = name if name in parameters else meant_by(name, candidates)
    return meant if meant is None or meant not in parameters else PARAM_AXIS + meant


def _parameters_of(grid: Grid, catalog: Catalog) -> dict[str, Model]:
    """The parameters of the draft's models; of all models where it is not clear which."""
    entry = grid.draft.fields.get("model")
    names: list[Data] = [] if entry is None else [entry.value]
    names += [one.value for axis in grid.axes if axis.name == "model" for one in axis.values]
    models = [model for name in names for model in catalog.candidates(str(name))]
    return {
        param.key: model for model in models or catalog.models.values() for param in model.params
    }
