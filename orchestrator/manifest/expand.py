"""Drafts → jobs: multiplied, named and resolved, each a `JobSpec`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.jobs import JobSpec
from orchestrator.manifest.builder import SourceError
from orchestrator.manifest.identity import identity_of
from orchestrator.manifest.idle import report_idle, variables_used
from orchestrator.manifest.missing_files import missing_hint
from orchestrator.manifest.multiply import Grid, axes_of, combinations
from orchestrator.manifest.names import meant_by
from orchestrator.manifest.problems import Place
from orchestrator.manifest.repeats import find_repeats
from orchestrator.manifest.rows import EXTENSIONS, is_table, read_table
from orchestrator.manifest.tables import ID_COLUMN, PARAM_COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path, PurePath

    from orchestrator.manifest.drafts import Draft
    from orchestrator.manifest.multiply import Combination
    from orchestrator.manifest.problems import Findings
    from orchestrator.manifest.resolve import Resolved, Resolver
    from orchestrator.manifest.tables import Table
    from orchestrator.manifest.uniqueness import Names

#: Most jobs of one manifest.
MAX_JOBS = 1_000_000


@dataclass(slots=True)
class Expander:
    """Expands a manifest's drafts in order, and remembers what must be unique among them."""

    #: The manifest's folder, and how the user wrote it.
    folder: Path
    shown_folder: PurePath
    resolver: Resolver
    findings: Findings
    names: Names
    jobs: int = 0
    _tables: dict[str, Table | None] = field(default_factory=dict)
    #: By name, what is told of a table that cannot be opened: a message and a hint.
    _missing: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: The columns that some job uses, by the table's name.
    _used: dict[str, set[str]] = field(default_factory=dict)

    def expand(self, drafts: tuple[Draft, ...]) -> Iterator[JobSpec]:
        """The jobs of one of the manifest's jobs, as far as it has no problems; these are told.

        There are several drafts where it has several prompts.
        """
        self.names.begin_job()
        grids = [self._grid(draft) for draft in drafts]
        # Of too many jobs, the first prompt stands for all.
        told = grids if sum(grid.jobs for grid in grids) <= MAX_JOBS else grids[:1]
        report_idle(told, self.resolver.catalog, self.findings)
        for grid in grids:
            is_named = self.names.id_is_free(grid.draft)
            if not self._number_is_bearable(grid):
                continue
            for one in combinations(grid):
                resolved = self.resolver.resolve(one)
                is_free = self.names.key_is_free(one)
                if is_named and is_free and resolved is not None:
                    yield from _takes(one, resolved)

    def tell_of_unused(self) -> None:
        """Warn of columns that no job uses; one that was meant as a parameter is a problem."""
        for name, used in self._used.items():
            table = self._tables.get(name)
            for column in table.columns if table is not None else ():
                if table is not None and not _is_useful(column, used):
                    self._tell_of_unused(Place(table, ("rows", 0, column), key=True), column)

    def tell_of_repeats(
        self, specs: Sequence[JobSpec], drafts: Callable[[str], tuple[Draft, ...]]
    ) -> None:
        """Warn, once, of jobs that ask for the same as another one.

        The specs are those of a manifest without problems; `drafts` makes those of an id again.
        """
        found = find_repeats(specs, self.resolver.catalog)
        if found is None:
            return
        earlier = self._place_of(found.earlier, drafts(found.earlier.id))
        line, _column = earlier.source.locate(earlier.path)
        same = f"`{found.later.key}` as `{found.earlier.key}` ({earlier.source.file}:{line})"
        message = (
            "1 job asks for the same as another one, and both are paid for"
            if found.number == 1
            else f"{found.number:,} jobs ask for the same as an earlier one, and each is paid for"
        )
        place = self._place_of(found.later, drafts(found.later.id))
        hint = "where several of the same are meant, `takes` of one job say so"
        self.findings.warn(place, "repeated-job", f"{message}: {same}", hint)

    def _place_of(self, spec: JobSpec, drafts: tuple[Draft, ...]) -> Place:
        """Where a job of these drafts stands: its row, its prompt, or its id."""
        draft, row_place = next(
            (draft, one.row_place)
            for draft in drafts
            for one in combinations(self._grid(draft))
            if spec.identity == _identity(one, spec.take)
        )
        return row_place or (draft.id.place if draft.item is None else draft.item_place)

    def _tell_of_unused(self, place: Place, column: str) -> None:
        beginning, point, rest = column.partition(".")
        if point and meant_by(beginning, ["params"]):
            message = f"the column `{column}` is neither a parameter nor used as a variable"
            hint = f"did you mean `{PARAM_COLUMN}{rest}`?"
            self.findings.report(place, "unknown-key", message, hint)
            return
        message = f"the column `{column}` is used nowhere"
        hint = f"write {{{{{column}}}}} to use it"
        if column in {"prompt", "model"}:
            hint = f'write `{column}: "{{{{{column}}}}}"` in the job to use it'
        elif any(model.param(column) for model in self.resolver.catalog.models.values()):
            hint = f"a column that is a parameter is called `{PARAM_COLUMN}{column}`"
        self.findings.warn(place, "unused-variable", message, hint)

    def _grid(self, draft: Draft) -> Grid:
        if "rows" not in draft.fields:
            return Grid(draft, axes_of(draft), None)
        table = self._table(draft)
        if table is None:
            # What its columns would have brought is not missing.
            spoiled = draft.spoiled | {"rows", "params"}
            draft = draft._replace(spoiled=spoiled, variables_known=False)
        grid = Grid(draft, axes_of(draft), table)
        self._used.setdefault(draft.fields["rows"].value, set()).update(variables_used(grid))
        return grid

    def _number_is_bearable(self, grid: Grid) -> bool:
        before = self.jobs
        self.jobs += grid.jobs
        if before <= MAX_JOBS < self.jobs:
            message = f"the manifest has more than {MAX_JOBS:,} jobs"
            self.findings.report(grid.draft.place, "too-many-jobs", message, "split it")
        return self.jobs <= MAX_JOBS

    # --- tables --------------------------------------------------------------------------------

    def _table(self, draft: Draft) -> Table | None:
        entry = draft.fields.get("rows")
        if entry is None:
            return None
        name = entry.value
        if not is_table(name):
            message = f"`{name}` is no table file"
            self.findings.report(
                entry.place, "bad-format", message, f"known: {', '.join(EXTENSIONS)}"
            )
            return None
        if name not in self._tables:
            self._tables[name] = self._read_table(name)
        if name in self._missing:
            self.findings.report(entry.place, "no-file", *self._missing[name])
        return self._tables[name]

    def _read_table(self, name: str) -> Table | None:
        try:
            table = read_table(self.folder / name, str(self.shown_folder / name))
        except SourceError as error:
            if error.problem.code == "no-file":
                self._missing[name] = error.problem.message, missing_hint(self.folder, name)
            else:
                self.findings.add(error.problem)
            return None
        for problem in table.problems:
            self.findings.add(problem)
        return table if table.sound else None


def _is_useful(column: str, used: set[str]) -> bool:
    return column in used or column == ID_COLUMN or column.startswith(PARAM_COLUMN)


def _identity(one: Combination, take: int) -> str:
    return identity_of(one.draft.id.value, one.draft.item, one.axes, one.row, take)


def _takes(one: Combination, resolved: Resolved) -> Iterator[JobSpec]:
    draft = one.draft
    takes = int(draft.value("takes", 1))
    tags = tuple(draft.value("tags", ()))
    for take in range(1, takes + 1):
        yield JobSpec(
            key=f"{one.key}/{take}" if takes > 1 else one.key,
            id=draft.id.value,
            identity=_identity(one, take),
            provider=resolved.model.provider,
            model=resolved.model.model,
            prompt=resolved.prompt,
            params=resolved.params,
            references=resolved.references,
            take=take,
            tags=tags,
            retries=int(draft.value("retries", 0)),
            on_refusal=draft.value("on_refusal", "skip"),
            axes=one.axes,
        )
