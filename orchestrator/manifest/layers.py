"""The mappings that a job is made of, without what is wrong in them.

Only the smallest part that is wrong is taken out, so that one mistake hides no other.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.positions import Path

#: Fields that bring variables: where one is wrong, an unknown variable may be its consequence.
BRINGS_VARIABLES = frozenset({"vars", "matrix", "rows"})
#: What an unreadable mapping might have brought.
EVERYTHING = frozenset({"model", "prompt", "references", "params", "vars"})
#: What a matrix that cannot be read might have brought.
_OF_A_MATRIX = frozenset({"model", "references", "params"})


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping of fields. None stands inside them where a part was wrong, a null among these."""

    fields: Mapping[str, Data]
    path: Path
    #: Names of fields, and of variables, that something wrong may have kept out.
    spoiled: frozenset[str] = frozenset()
    #: What is wrong in the items of `prompts`, by number, as seen from the item.
    item_faults: Mapping[int, tuple[Fault, ...]] | None = None
    #: Whether it is a prompt that stands alone, as a text.
    is_text: bool = False


def sound_layer(value: Data, path: Path, faults: Sequence[Fault]) -> Layer:
    """A layer of a mapping, without the parts that have faults."""
    if not faults:
        return Layer(value if isinstance(value, dict) else {}, path)
    if not isinstance(value, dict):
        return Layer({}, path, EVERYTHING)
    fields = deepcopy(value)
    spoiled: set[str] = set()
    of_items: dict[int, list[Fault]] = {}
    for fault in faults:
        if fault.path[:1] == ("prompts",) and len(fault.path) > 2:
            inner = replace(fault, path=fault.path[2:])
            of_items.setdefault(int(fault.path[1]), []).append(inner)
        else:
            spoiled |= _spoiled_by(fault)
            _take_out(fields, fault)
    spoiled |= _spoiled_in_matrix(fields)
    sound = {name: inner for name, inner in fields.items() if inner is not None}
    return Layer(sound, path, frozenset(spoiled), {n: tuple(f) for n, f in of_items.items()})


def items_of(job: Layer) -> Iterator[tuple[int, Layer]]:
    """A layer for each item of a job's `prompts` that is not wrong altogether, by its number."""
    faults = job.item_faults or {}
    for number, item in enumerate(job.fields["prompts"]):
        if item is not None:
            path = (*job.path, "prompts", number)
            if isinstance(item, dict):
                yield number, sound_layer(item, path, faults.get(number, ()))
            else:
                yield number, Layer({"prompt": item}, path, is_text=True)


def _spoiled_by(fault: Fault) -> set[str]:
    """The names of what may be missing because of a fault."""
    first = str(fault.path[0]) if fault.path else ""
    if len(fault.path) < 2:
        return {first, *fault.names, *(["prompt"] if first == "prompts" else [])}
    if first in {"params", "vars"}:
        return {str(fault.path[1])} | ({first} & {"params"})
    return {first} & {"references"}


def _take_out(fields: dict[str, Data], fault: Fault) -> None:
    """Put None where a fault is. What a missing key makes incomplete stays."""
    if fault.code == "missing-key" or not fault.path:
        return
    inner: Data = fields
    for step in fault.path[:-1]:
        inner = inner[step] if inner is not None else None
    if fault.path == ("references",) and isinstance(fields["references"], str):
        # A single reference is meant as a list of one.
        fields["references"] = [fields["references"]]
    elif inner is not None:
        inner[fault.path[-1]] = None


def _spoiled_in_matrix(fields: dict[str, Data]) -> set[str]:
    """What the axes without any sound value would have brought; they are taken out."""
    matrix = fields.get("matrix", {})
    if matrix is None:
        return {"matrix", *_OF_A_MATRIX}
    lost = [name for name, axis in matrix.items() if not any(v is not None for v in axis or ())]
    for name in lost:
        del matrix[name]
    return {name.partition(".")[0] for name in lost} | set(lost)
