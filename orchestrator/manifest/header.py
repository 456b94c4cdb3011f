"""What a manifest says about accounts: limits, budget and prices."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from orchestrator.catalog.suggest import nearest
from orchestrator.manifest.durations import seconds
from orchestrator.manifest.model import PROVIDER_LIMITS, Budget, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.problems import Findings, Place

_DURATIONS = frozenset(
    {"poll_after", "poll_every", "create_timeout", "give_up_after", "probe_after"}
)
_LIMITS = frozenset(limit.name for limit in fields(Limits)) - {"stated"}


def read_limits(stated: Data, catalog: Catalog) -> Mapping[str, Limits]:
    """The limits of every provider of the catalogue; what does not fit its type is passed over."""
    by_provider = stated if isinstance(stated, dict) else {}
    return {name: _limits(name, by_provider.get(name)) for name in catalog.providers()}


def _limits(provider: str, stated: Data) -> Limits:
    usual = PROVIDER_LIMITS.get(provider, Limits())
    changes: dict[str, Data] = {
        name: seconds(str(value)) if name in _DURATIONS else value
        for name, value in (stated.items() if isinstance(stated, dict) else ())
        if name in _LIMITS
    }
    return replace(usual, **changes, stated=frozenset(changes))


def read_budget(stated: Data) -> Budget:
    """The budget; no caps where it is left out."""
    if not isinstance(stated, dict):
        return Budget()
    return Budget(credits=dict(stated.get("credits") or {}), jobs=stated.get("jobs"))


def check_names(document: Mapping[str, Data], catalog: Catalog, root: Place, to: Findings) -> None:
    """Report providers and models that the catalogue does not know, and numbers without an end."""
    budget = document.get("budget")
    caps = budget.get("credits") if isinstance(budget, dict) else None
    providers = catalog.providers()
    _check_keys(document.get("limits"), providers, root.below("limits"), to)
    _check_keys(caps, providers, root.below("budget", "credits"), to)
    names = (*providers, *catalog.models)
    _check_keys(document.get("prices"), names, root.below("prices"), to)
    for part in ("limits", "budget", "prices"):
        _check_finite(document.get(part), root.below(part), to)


def _check_keys(value: Data, known: Iterable[str], place: Place, to: Findings) -> None:
    names = list(known)
    for name in value if isinstance(value, dict) else ():
        if name in names:
            continue
        guess = nearest(name, names)
        hint = f"did you mean `{guess}`?" if guess else f"known: {', '.join(names)}"
        code = "unknown-model" if "/" in name else "unknown-provider"
        what = "model" if "/" in name else "provider"
        to.report(place.below(name, key=True), code, f"no {what} is called `{name}`", hint)


def _check_finite(value: Data, place: Place, to: Findings) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_finite(inner, place.below(name), to)
    elif isinstance(value, float) and not math.isfinite(value):
        to.report(place, "not-finite", "this is no finite number", "leave the limit out")
