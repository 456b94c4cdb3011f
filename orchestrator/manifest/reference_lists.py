"""A job's list of references: its variables, its check against the model, its problems' places."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.manifest.drafts import Entry
from orchestrator.manifest.local_files import LocalFiles
from orchestrator.manifest.reference_faults import ReferenceFault
from orchestrator.manifest.references import read_references
from orchestrator.manifest.scalars import as_text
from orchestrator.manifest.urls import is_url

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

    #: As a mapping; None stands for what is wrong already.
    value: Mapping[str, Data]
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
        references, faults = self._judge(model, [one.value for one in listed])
        whole = draft.place if entry is None else entry.place
        for fault in faults:
            if fault.code == "missing-reference" and "references" in draft.spoiled:
                continue
            place = whole if fault.number is None else _place(listed[fault.number], fault.field)
            tell = findings.warn if fault.is_warning else findings.report
            tell(place, fault.code, fault.message, fault.hint)
        return references if model is not None and len(references) == len(listed) else None

    def _judge(self, model: Model | None, written: list[Mapping[str, Data]]) -> _Outcome:
        question = ("" if model is None else model.name, json.dumps(written) if written else "")
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
    ]


def _filled(entry: Entry, fill: Callable[[Entry], Entry | None]) -> _Filled:
    if entry.value is None:
        return _Filled({}, entry.place, {})
    if not isinstance(entry.value, dict):
        one = fill(entry)
        if one is None:
            return _Filled({}, entry.place, {})
        text = as_text(one.value)
        return _Filled({"url" if is_url(text) else "path": text}, one.place, {})
    values: dict[str, Data] = {}
    places: dict[str, Place] = {}
    for name, value in entry.value.items():
        inner = Entry(value, entry.source, (*entry.path, name))
        made = fill(inner) if name in _TEXT_FIELDS and value is not None else inner
        values[name] = _value(name, made)
        places[name] = inner.place if made is None else made.place
    return _Filled(values, entry.place, places)


def _value(name: str, made: Entry | None) -> Data:
    if made is None or made.value is None:
        return None
    return as_text(made.value) if name in _TEXT_FIELDS else made.value


def _place(one: _Filled, name: str) -> Place:
    return one.fields.get(name, one.place)
