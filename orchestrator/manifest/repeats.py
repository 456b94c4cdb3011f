"""Jobs that ask for the same as another one: each is paid for, which is seldom meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.manifest.signed_urls import unsigned

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from orchestrator.catalog.spec import Catalog, Model
    from orchestrator.jobs import JobSpec


class Repeats(NamedTuple):
    """How many jobs ask for the same as an earlier one, and the first of them."""

    number: int
    earlier: JobSpec
    later: JobSpec


def find_repeats(specs: Sequence[JobSpec], catalog: Catalog) -> Repeats | None:
    """The jobs that differ from an earlier one in nothing that decides the result; None for none.

    Takes of one job differ in their take. Most jobs have a prompt of their own, so that only few
    are looked at closely.
    """
    alike = _alike(specs)
    first: dict[Hashable, JobSpec] = {}
    number = 0
    pair = None
    for spec in specs if alike else ():
        if _glance(spec) not in alike:
            continue
        earlier = first.setdefault(_content(spec, catalog), spec)
        if earlier is not spec:
            number += 1
            pair = pair or (earlier, spec)
    return Repeats(number, *pair) if pair else None


def _alike(specs: Sequence[JobSpec]) -> set[int]:
    """What several jobs have in common at first glance."""
    seen: set[int] = set()
    alike: set[int] = set()
    for spec in specs:
        glance = _glance(spec)
        (alike if glance in seen else seen).add(glance)
    return alike


def _glance(spec: JobSpec) -> int:
    return hash((spec.model, spec.prompt, spec.take))


def _content(spec: JobSpec, catalog: Catalog) -> Hashable:
    """What decides the result, like the fingerprint, and much cheaper to make.

    A seed that is left out follows from all the rest, whatever the table says.
    """
    model = catalog.models[f"{spec.provider}/{spec.model}"]
    references = tuple(
        (one.kind, one.sha256 if one.url is None else unsigned(one.url)) for one in spec.references
    )
    return model.name, spec.prompt, spec.take, references, _params(spec, model)


def _params(spec: JobSpec, model: Model) -> Hashable:
    return tuple(
        spec.params.get(param.key, None if param.key == "seed" else param.default)
        for param in model.params
    )
