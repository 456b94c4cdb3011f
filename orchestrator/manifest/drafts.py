"""Jobs as they are written, with `defaults` and `prompts` worked in, before they multiply.

Every value keeps the place where it stands, so that a problem found in the ten-thousandth job still
points at the one line in `defaults` that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.manifest.identity import short_digest
from orchestrator.manifest.problems import Located, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.positions import Path

#: Fields that bring variables: where one is wrong, an unknown variable may be its consequence.
_BRING_VARIABLES = frozenset({"vars", "matrix", "rows"})
#: Fields from which a faulty entry or item is taken out alone.
_MAPPINGS = frozenset({"params", "vars", "matrix"})
_LISTS = frozenset({"prompts", "references"})


class Entry(NamedTuple):
    """A value and where it stands."""

    value: Data
    source: Located
    path: Path
    #: Whether it is a table's text, which may stand for a number.
    is_text: bool = False

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return Place(self.source, self.path)


@dataclass(frozen=True, slots=True)
class Draft:
    """A job, or one of its prompts: what its axes, rows and takes then multiply."""

    #: The mapping of the job, or of its prompt.
    place: Place
    #: Which of the manifest's jobs.
    number: int
    id: Entry
    #: Where there are `prompts`: the item's place in the identity.
    item: str | None
    #: Where the item's name stands.
    item_place: Place
    #: Whether there are further items, so that the key names this one.
    item_varies: bool
    #: Fields by name: `model`, `prompt`, `takes` and so on.
    fields: Mapping[str, Entry]
    params: Mapping[str, Entry]
    #: The parameters that stand in `defaults`.
    defaulted: frozenset[str]
    variables: Mapping[str, Entry]
    #: Whether something in the job is wrong already, so that what lacks may be its consequence.
    suspect: bool
    #: Whether all that brings variables is in order, so that an unknown one is a mistake.
    variables_known: bool

    def value(self, name: str, otherwise: Data) -> Data:
        """The value of a field, or what holds where it is left out."""
        entry = self.fields.get(name)
        return otherwise if entry is None else entry.value


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping of fields, what is wrong in it taken out."""

    fields: Mapping[str, Data]
    path: Path
    #: Names of fields that were wrong or unknown; `""` where one is missing.
    damaged: frozenset[str] = frozenset()


def sound_layer(value: Data, path: Path, faults: Sequence[Fault]) -> Layer:
    """A layer of a mapping, without the parts that have faults."""
    fields = dict(value) if isinstance(value, dict) else {}
    damaged = set()
    for fault in faults:
        damaged.add(str(fault.path[0]) if fault.path else "")
        if fault.path:
            _take_out(fields, fault.path)
    return Layer(fields, path, frozenset(damaged))


def _take_out(fields: dict[str, Data], path: Path) -> None:
    name = str(path[0])
    inner = fields.get(name)
    if name in _MAPPINGS and len(path) > 1 and isinstance(inner, dict):
        fields[name] = {key: value for key, value in inner.items() if key != path[1]}
    elif name in _LISTS and len(path) > 1 and isinstance(inner, list):
        # None keeps the numbers of the items that follow.
        fields[name] = [None if n == path[1] else item for n, item in enumerate(inner)]
    else:
        fields.pop(name, None)


def drafts_of(
    source: Located,
    number: int,
    job: Layer,
    defaults: Layer,
    variables: Mapping[str, Entry],
) -> Iterator[Draft]:
    """The drafts of one job: one, or one for each of its prompts."""
    items = job.fields.get("prompts")
    if items is None:
        yield _draft(source, number, (job, defaults), variables, None, Place(source, job.path))
        return
    for position, item in enumerate(items):
        if item is None:
            continue
        path = (*job.path, "prompts", position)
        own = Layer(item, path) if isinstance(item, dict) else Layer({}, path)
        name, place = _item_name(source, item, path)
        draft = _draft(source, number, (own, job, defaults), variables, name, place)
        if not isinstance(item, dict):
            fields = {**draft.fields, "prompt": Entry(item, source, path)}
            draft = replace(draft, fields=fields)
        yield replace(draft, item_varies=len(items) > 1)


def _item_name(source: Located, item: Data, path: Path) -> tuple[str, Place]:
    if isinstance(item, str):
        return short_digest(item), Place(source, path)
    if "id" in item:
        return str(item["id"]), Place(source, (*path, "id"))
    return short_digest(str(item.get("prompt", ""))), Place(source, path)


def _draft(
    source: Located,
    number: int,
    layers: tuple[Layer, ...],
    variables: Mapping[str, Entry],
    item: str | None,
    item_place: Place,
) -> Draft:
    job = layers[-2]
    fields: dict[str, Entry] = {}
    params: dict[str, Entry] = {}
    inner: dict[str, Entry] = dict(variables)
    for layer in reversed(layers):
        for name, value in layer.fields.items():
            path = (*layer.path, name)
            if name == "params":
                params.update(_entries(source, value, path))
            elif name == "vars":
                inner.update(_entries(source, value, path))
            else:
                fields[name] = Entry(value, source, path)
    defaults_path = layers[-1].path
    job_id = job.fields.get("id")
    shown_id = job_id if isinstance(job_id, str) else f"job {number + 1}"
    return Draft(
        place=Place(source, layers[0].path),
        number=number,
        id=Entry(shown_id, source, (*job.path, "id")),
        item=item,
        item_place=item_place,
        item_varies=False,
        fields=fields,
        params=params,
        defaulted=frozenset(
            key for key, entry in params.items() if entry.path[:-2] == defaults_path
        ),
        variables=inner,
        suspect=any(layer.damaged for layer in layers),
        variables_known=not any(layer.damaged & _BRING_VARIABLES for layer in layers),
    )


def _entries(source: Located, values: Mapping[str, Data], path: Path) -> dict[str, Entry]:
    return {key: Entry(value, source, (*path, key)) for key, value in values.items()}
