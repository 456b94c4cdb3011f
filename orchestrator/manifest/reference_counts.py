"""Whether a model takes so many references, and these kinds together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.manifest.reference_faults import ReferenceFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.catalog.spec import ReferenceRules


def count_fault(
    kinds: Mapping[int, str | None], listed: int, model: str, rules: ReferenceRules
) -> Iterator[ReferenceFault]:
    """The first reference that is too many, or the one that lacks.

    `kinds` maps the number of each reference that the model could take to its kind, None where the
    kind is not known; `listed` counts what the job lists, whether or not the model could take it.
    """
    if listed < rules.min_files:
        message = f"{model} needs a reference"
        yield ReferenceFault(None, "", "missing-reference", message, rules.rule)
    for count, number in enumerate(kinds, start=1):
        if not _fits(list(kinds.values())[:count], rules):
            message = f"{model} does not take this reference beside the others"
            yield ReferenceFault(number, "", "too-many-references", message, rules.rule)
            return


def _fits(kinds: Sequence[str | None], rules: ReferenceRules) -> bool:
    """Whether some combination has room for all, those of unknown kind in what others leave."""
    counts = Counter(kind for kind in kinds if kind is not None)
    return len(kinds) <= rules.max_files and any(
        len(kinds) <= sum(allowed.values())
        and all(count <= allowed.get(kind, 0) for kind, count in counts.items())
        for allowed in rules.combinations
    )
