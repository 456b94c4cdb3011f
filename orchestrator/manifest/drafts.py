"""Jobs as they are written, with `defaults` and `prompts` worked in, before they multiply.

Every value keeps the place where it stands, so that a problem found in the ten-thousandth job still
points at the one line in `defaults` that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.manifest.identity import short_digest
from orchestrator.manifest.layers import BRINGS_VARIABLES, Layer, items_of
from orchestrator.manifest.problems import Located, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.positions import Path


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


class Draft(NamedTuple):
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
    #: The parameters as they stand in `defaults`, whether or not others win over them.
    defaulted: Mapping[str, Entry]
    variables: dict[str, Entry]
    #: Fields, and variables, that something wrong kept out: they are not missing.
    spoiled: frozenset[str]
    #: Whether all that brings variables could be read, so that an unknown one is a mistake.
    variables_known: bool

    def value(self, name: str, otherwise: Data) -> Data:
        """The value of a field, or what holds where it is left out."""
        entry = self.fields.get(name)
        return otherwise if entry is None else entry.value


@dataclass(frozen=True, slots=True)
class Shared:
    """What all jobs of a manifest start from."""

    source: Located
    #: As in a draft.
    fields: Mapping[str, Entry]
    params: Mapping[str, Entry]
    variables: Mapping[str, Entry]
    spoiled: frozenset[str]


def shared_by_all(
    source: Located, defaults: Layer, variables: Layer, spoiled: frozenset[str]
) -> Shared:
    """What jobs start from, of the manifest's `defaults` and `vars`."""
    fields: dict[str, Entry] = {}
    params: dict[str, Entry] = {}
    known: dict[str, Entry] = {}
    for layer in (replace(variables, fields={"vars": variables.fields}, path=()), defaults):
        _lay(source, layer, fields, params, known)
    return Shared(source, fields, params, known, defaults.spoiled | spoiled)


def drafts_of(number: int, job: Layer, shared: Shared) -> Iterator[Draft]:
    """The drafts of one job: one, or one for each of its prompts."""
    items = job.fields.get("prompts")
    place = Place(shared.source, job.path)
    if items is None:
        yield _draft(number, (job,), shared, None, place)
        return
    for position, own in items_of(job):
        name, step = _item_name(position, own)
        draft = _draft(number, (job, own), shared, name, place.below("prompts", position, *step))
        yield draft._replace(item_varies=len(items) > 1)


def _item_name(position: int, item: Layer) -> tuple[str, tuple[str, ...]]:
    """An item's place in the identity, and the step from the item to where that stands."""
    if "id" in item.fields:
        return str(item.fields["id"]), ("id",)
    prompt = item.fields.get("prompt")
    # Without a prompt, which is a problem of its own, it is like no other.
    return (f"prompt {position}" if prompt is None else short_digest(prompt)), ()


def _draft(
    number: int, layers: tuple[Layer, ...], shared: Shared, item: str | None, item_place: Place
) -> Draft:
    job, source = layers[0], shared.source
    fields, params, variables = dict(shared.fields), dict(shared.params), dict(shared.variables)
    spoiled = shared.spoiled
    for layer in layers:
        _lay(source, layer, fields, params, variables)
        spoiled |= layer.spoiled
    job_id = job.fields.get("id")
    return Draft(
        place=Place(source, layers[-1].path),
        number=number,
        id=Entry(job_id or f"job {number + 1}", source, (*job.path, "id")),
        item=item,
        item_place=item_place,
        item_varies=False,
        fields=fields,
        params=params,
        defaulted=shared.params,
        variables=variables,
        spoiled=spoiled,
        variables_known=not spoiled & BRINGS_VARIABLES,
    )


def _lay(
    source: Located,
    layer: Layer,
    fields: dict[str, Entry],
    params: dict[str, Entry],
    variables: dict[str, Entry],
) -> None:
    """Put a layer over what is below it."""
    for name, value in layer.fields.items():
        path = (*layer.path, name)
        if name == "params":
            params.update(_entries(source, value, path))
        elif name == "vars":
            variables.update(_entries(source, value, path))
        else:
            # The prompt of an item that is a text stands where the item stands.
            fields[name] = Entry(value, source, path if not layer.is_text else layer.path)


def _entries(source: Located, values: Mapping[str, Data], path: Path) -> dict[str, Entry]:
    return {
        key: Entry(value, source, (*path, key))
        for key, value in values.items()
        # What was wrong was taken out.
        if value is not None
    }
