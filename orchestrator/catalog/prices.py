"""What one generation is expected to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Model

#: `exact`: the user stated it. `estimated`: the table's base price, which a parameter may change
#: or the provider may have raised since; the create's reply is the truth. `unknown`: no price.
Precision = Literal["exact", "estimated", "unknown"]


def price(model: Model, stated: Mapping[str, float]) -> tuple[float | None, Precision]:
    """The price of one generation in `model.unit`, and how far it can be trusted.

    `stated` holds the manifest's `prices`, by `provider/model` or by `provider`: the more specific
    one wins, and both win over the table. An unknown price is None, never 0.
    """
    for name in (model.name, model.provider):
        if name in stated:
            return stated[name], "exact"
    return (None, "unknown") if model.price is None else (model.price, "estimated")


def described_price(model: Model) -> str:
    """The table's price in words, such as `57 credits a generation (FIXED)` or `unknown`."""
    if model.price is None:
        return "unknown"
    billing = f" ({model.billing})" if model.billing else ""
    return f"{model.price:g} {model.unit} a generation{billing}"
