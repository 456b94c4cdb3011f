"""What a manifest says about accounts: limits, budget and prices."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from orchestrator.manifest.durations import seconds
from orchestrator.manifest.model import PROVIDER_LIMITS, Budget, Limits
from orchestrator.manifest.names import model_meant, unknown_name_hint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.positions import Path
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
    for value, place in (
        (document.get("limits"), root.below("limits")),
        (caps, root.below("budget", "credits")),
    ):
        for name in _unknown(value, providers):
            hint = unknown_name_hint(name, providers)
            if name in _LIMITS:
                hint = f"limits stand by provider: `{providers[-1]}: {{{name}: …}}`"
            what = f"no provider is called `{name}`"
            to.report(place.below(name, key=True), "unknown-provider", what, hint)
    _check_prices(document.get("prices"), catalog, root.below("prices"), to)
    for part in ("limits", "budget", "prices"):
        _check_finite(document.get(part), root.below(part), to)


def is_limit_of_no_provider(path: Path, catalog: Catalog) -> bool:
    """Whether a limit stands where a provider should: its name is the mistake, not its value."""
    return (
        len(path) == 2
        and path[0] == "limits"
        and path[1] in _LIMITS
        and path[1] not in catalog.providers()
    )


def _check_prices(value: Data, catalog: Catalog, place: Place, to: Findings) -> None:
    providers = catalog.providers()
    for name in _unknown(value, (*providers, *catalog.models)):
        is_model = "/" in name or bool(model_meant(name, catalog))
        what = "model" if is_model else "provider"
        message = f"no {what} is called `{name}`"
        hint = unknown_name_hint(name, providers, in_full=True)
        if catalog.candidates(name):
            message = f"the price of `{name}` does not say at which provider"
        if is_model:
            hint = f"did you mean `{model_meant(name, catalog)}`?"
        to.report(place.below(name, key=True), f"unknown-{what}", message, hint)


def _unknown(value: Data, known: Iterable[str]) -> list[str]:
    return [name for name in value if name not in known] if isinstance(value, dict) else []


def _check_finite(value: Data, place: Place, to: Findings) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_finite(inner, place.below(name), to)
    elif isinstance(value, float) and not math.isfinite(value):
        to.report(place, "not-finite", "this is no finite number", "leave it out")
