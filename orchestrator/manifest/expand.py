"""Drafts → jobs: multiplied, named, resolved; colliding names are found before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.jobs import JobSpec
from orchestrator.manifest import templates
from orchestrator.manifest.builder import SourceError
from orchestrator.manifest.identity import RESERVED, identity_of, slug
from orchestrator.manifest.multiply import Axis, Combination, axes_of, combinations
from orchestrator.manifest.problems import Place
from orchestrator.manifest.rows import EXTENSIONS, is_table, read_table
from orchestrator.manifest.tables import ID_COLUMN, PARAM_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path, PurePath

    from orchestrator.manifest.drafts import Draft
    from orchestrator.manifest.problems import Findings
    from orchestrator.manifest.resolve import Resolved, Resolver
    from orchestrator.manifest.tables import Table

#: What sets a job apart from others of the same manifest job: its draft, its axes' values by
#: number, and the number of its row.
_Choice: TypeAlias = "tuple[Draft, Mapping[str, int], int | None]"

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
    jobs: int = 0
    #: Slug of an id to the number of the manifest's job that has it.
    _ids: dict[str, int] = field(default_factory=dict)
    _tables: dict[str, Table | None] = field(default_factory=dict)
    #: Within the job that is being expanded: key to what was chosen for it.
    _keys: dict[str, _Choice] = field(default_factory=dict)

    def expand(self, draft: Draft) -> Iterator[JobSpec]:
        """The jobs of a draft that have no problems; the problems are reported."""
        table = self._table(draft)
        is_named = self._id_is_free(draft)
        if "rows" in draft.fields and table is None:
            return
        axes = axes_of(draft)
        if not self._number_is_bearable(draft, axes, table):
            return
        self._warn_of_unused(draft, axes, table)
        for one in combinations(draft, axes, table):
            resolved = self.resolver.resolve(one)
            if is_named and self._key_is_free(one) and resolved is not None:
                yield from _takes(one, resolved)

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
            self._tables[name] = self._read_table(name, entry.place)
        return self._tables[name]

    def _read_table(self, name: str, place: Place) -> Table | None:
        try:
            table = read_table(self.folder / name, str(self.shown_folder / name))
        except SourceError as error:
            if error.problem.code == "no-file":
                hint = "paths are relative to the manifest"
                self.findings.report(place, "no-file", error.problem.message, hint)
            else:
                self.findings.add(error.problem)
            return None
        for problem in table.problems:
            self.findings.add(problem)
        return table if table.rows else None

    # --- names ---------------------------------------------------------------------------------

    def _id_is_free(self, draft: Draft) -> bool:
        name = slug(draft.id.value)
        other = self._ids.setdefault(name, draft.number)
        if other != draft.number:
            message = f"the id `{draft.id.value}` names two jobs (as `{name}`)"
            hint = "ids that differ only in letter case or Unicode form are one"
            self.findings.report(draft.id.place, "key-collision", message, hint)
        elif name in RESERVED:
            message = f"the id `{draft.id.value}` is reserved for files of edited jobs"
            self.findings.report(draft.id.place, "key-collision", message, "choose another")
            return False
        return other == draft.number

    def begin_job(self) -> None:
        """Forget the keys of the job before: ids keep the keys of different jobs apart."""
        self._keys.clear()

    def _key_is_free(self, one: Combination) -> bool:
        choice = (one.draft, one.choices, one.row_number)
        other = self._keys.setdefault(one.key, choice)
        if other is choice:
            return True
        place, what = _what_collides(one, other)
        message = f"{what} gives two jobs one key"
        hint = "values that differ only in letter case or Unicode form are one"
        self.findings.report(place, "key-collision", message, hint)
        return False

    # --- guards and warnings -------------------------------------------------------------------

    def _number_is_bearable(
        self, draft: Draft, axes: tuple[Axis, ...], table: Table | None
    ) -> bool:
        number = int(draft.value("takes", 1)) * (len(table.rows) if table else 1)
        for axis in axes:
            number *= len(axis.values)
        self.jobs += number
        if self.jobs > MAX_JOBS:
            message = f"the manifest has more than {MAX_JOBS:,} jobs"
            self.findings.report(draft.place, "too-many-jobs", message, "split it")
        return self.jobs <= MAX_JOBS

    def _warn_of_unused(self, draft: Draft, axes: tuple[Axis, ...], table: Table | None) -> None:
        used = _variables_used(draft, axes)
        for axis in axes:
            if axis.is_variable and axis.name not in used:
                matrix = draft.fields["matrix"]
                place = Place(matrix.source, (*matrix.path, axis.name), key=True)
                self._warn_unused(place, f"the axis `{axis.name}`")
        for column in table.columns if table is not None else ():
            if column not in used and column != ID_COLUMN and not column.startswith(PARAM_COLUMN):
                assert table is not None, "it has columns"
                place = Place(table, ("rows", 0, column), key=True)
                self._warn_unused(place, f"the column `{column}`")

    def _warn_unused(self, place: Place, what: str) -> None:
        hint = "jobs that differ in nothing else are the same"
        self.findings.warn(place, "unused-variable", f"{what} is used nowhere", hint)


def _what_collides(one: Combination, other: _Choice) -> tuple[Place, str]:
    """The last choice in which two jobs with one key differ, and what it is."""
    draft, choices, row_number = other
    if one.draft is not draft:
        return one.draft.item_place, "this prompt"
    if one.row_number != row_number:
        return one.row_place or one.draft.place, "this row"
    names = [name for name in one.choices if one.choices[name] != choices[name]]
    matrix = one.draft.fields["matrix"]
    return matrix.place.below(names[-1], one.choices[names[-1]]), "this value"


def _variables_used(draft: Draft, axes: tuple[Axis, ...]) -> frozenset[str]:
    """Every variable that some text of the draft asks for."""
    texts: list[object] = [
        *(
            draft.fields[name].value
            for name in ("prompt", "model", "references")
            if name in draft.fields
        ),
        *(entry.value for entry in draft.params.values()),
        *(entry.value for axis in axes if not axis.is_variable for entry in axis.values),
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


def _takes(one: Combination, resolved: Resolved) -> Iterator[JobSpec]:
    draft = one.draft
    takes = int(draft.value("takes", 1))
    tags = tuple(draft.value("tags", ()))
    for take in range(1, takes + 1):
        yield JobSpec(
            key=f"{one.key}/{take}" if takes > 1 else one.key,
            id=draft.id.value,
            identity=identity_of(draft.id.value, draft.item, one.axes, one.row, take),
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
