"""A job's list of references: its variables, its check against the model, its problems' places."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.manifest.drafts import Entry
from orchestrator.manifest.local_files import LocalFiles
from orchestrator.manifest.references import ReferenceFault, read_references

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.catalog.spec import Model
    from orchestrator.jobs import Reference
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.drafts import Draft
    from orchestrator.manifest.problems import Findings, Place

#: Fields of a reference in which variables are filled in.
_TEXT_FIELDS = ("path", "url", "name")

_Outcome = tuple[tuple["Reference", ...], tuple[ReferenceFault, ...]]


@dataclass(frozen=True, slots=True)
class _Filled:
    """One reference with its variables filled in, and where its parts stand."""

    value: str | Mapping[str, Data]
    place: Place
    #: Places of a mapping's fields.
    fields: Mapping[str, Place]


@dataclass(slots=True)
class ReferenceLists:
    """Reads each distinct list of references of a model once."""

    #: The folder that paths are relative to.
    base: Path
    _files: LocalFiles = field(default_factory=LocalFiles)
    _known: dict[tuple[str, str], _Outcome] = field(default_factory=dict)

    def read(
        self,
        entry: Entry | None,
        model: Model | None,
        fill: Callable[[Entry], Entry | None],
        draft: Draft,
        findings: Findings,
    ) -> tuple[Reference, ...] | None:
        """A job's references; None where there were problems."""
        listed = [] if entry is None else [_filled(inner, fill) for inner in _items(entry)]
        written = [one for one in listed if one is not None]
        if model is None or len(written) < len(listed):
            return None
        outcome = self._judge(model, [one.value for one in written])
        whole = draft.place if entry is None else entry.place
        for fault in outcome[1]:
            if fault.code == "missing-reference" and draft.suspect:
                continue
            place = whole if fault.number is None else _place(written[fault.number], fault.field)
            tell = findings.warn if fault.is_warning else findings.report
            tell(place, fault.code, fault.message, fault.hint)
        return None if any(not fault.is_warning for fault in outcome[1]) else outcome[0]

    def _judge(self, model: Model, written: list[str | Mapping[str, Data]]) -> _Outcome:
        question = (model.name, json.dumps(written, sort_keys=True))
        if question not in self._known:
            self._known[question] = read_references(written, model, self.base, self._files)
        return self._known[question]


def _items(entry: Entry) -> list[Entry]:
    """The references of a list, or the one reference that stands alone on an axis."""
    if not isinstance(entry.value, list):
        return [entry]
    return [
        Entry(value, entry.source, (*entry.path, number))
        for number, value in enumerate(entry.value)
        if value is not None
    ]


def _filled(entry: Entry, fill: Callable[[Entry], Entry | None]) -> _Filled | None:
    if not isinstance(entry.value, dict):
        one = fill(entry)
        return None if one is None else _Filled(str(one.value), one.place, {})
    fields = {
        name: Entry(value, entry.source, (*entry.path, name)) for name, value in entry.value.items()
    }
    made = {name: fill(inner) if name in _TEXT_FIELDS else inner for name, inner in fields.items()}
    known = {name: inner for name, inner in made.items() if inner is not None}
    if len(known) < len(made):
        return None
    values = {
        name: str(inner.value) if name in _TEXT_FIELDS else inner.value
        for name, inner in known.items()
    }
    places = {name: inner.place for name, inner in known.items()}
    return _Filled(values, entry.place, places)


def _place(one: _Filled, name: str) -> Place:
    return one.fields.get(name, one.place)
