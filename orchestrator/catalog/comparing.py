"""The tables of a provider's models held against the provider's own list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.catalog.listing import AVAILABLE
from orchestrator.catalog.spec import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.catalog.listing import Listed, Listing
    from orchestrator.catalog.spec import Catalog, Model

#: What lists count prices in.
_UNIT = "credits"

#: A fact's value as JSON has it.
Fact = str | float | list[str] | None
#: `unread`: nothing differs, but not all could be compared.
Found = Literal["same", "differs", "gone", "unread"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that the table and the list tell differently."""

    #: One of `listing.FACTS`.
    fact: str
    table: Fact
    listed: Fact


@dataclass(frozen=True, slots=True)
class Compared:
    """One table against the list."""

    #: `provider/model`.
    model: str
    found: Found
    differences: tuple[Difference, ...]
    #: Facts that could not be compared, each with the reason; `listed` where the whole model is.
    unread: Mapping[str, str]


def compare(catalog: Catalog, provider: str, listing: Listing) -> tuple[Compared, ...]:
    """Each table of a provider against its list, in the catalogue's order."""
    by_id = {listed.model: listed for listed in listing.models}
    return tuple(
        _compared(model, by_id.get(model.model), listing.cut)
        for model in catalog.models.values()
        if model.provider == provider
    )


def without_table(catalog: Catalog, provider: str, listing: Listing) -> tuple[Listed, ...]:
    """The models of a provider's list that no table describes, in the list's order."""
    return tuple(
        listed for listed in listing.models if f"{provider}/{listed.model}" not in catalog.models
    )


def _compared(model: Model, listed: Listed | None, cut: str | None) -> Compared:
    if listed is None and cut is None:
        return Compared(model.name, "gone", (), {})
    if listed is None:
        reason = f"the model is not in what could be read of the list, but {cut}"
        return Compared(model.name, "unread", (), {"listed": reason})
    differences = tuple(_differences(model, listed))
    unread = {**dict(_untold(model, listed)), **(listed.unread or {})}
    if listed.price is not None and model.unit != _UNIT:
        unread["price"] = f"the list counts in {_UNIT}, the table in {model.unit}"
    found: Found = "differs" if differences else "unread" if unread else "same"
    return Compared(model.name, found, differences, unread)


def _differences(model: Model, listed: Listed) -> Iterator[Difference]:
    if listed.price is not None and model.unit == _UNIT and listed.price != model.price:
        yield Difference("price", model.price, listed.price)
    if listed.billing is not None and listed.billing.lower() != (model.billing or "").lower():
        yield Difference("billing", model.billing, listed.billing)
    if listed.prompt_limit is not None and listed.prompt_limit != model.prompt_limit:
        yield Difference("prompt_limit", model.prompt_limit, listed.prompt_limit)
    if listed.is_available is False:
        yield Difference("availability", AVAILABLE, listed.availability)
    if listed.modes and _modes_differ(model, listed):
        yield Difference("modes", _inputs(model), list(listed.modes))
    if listed.references is not None and list(listed.references) != _kinds(model):
        yield Difference("references", _kinds(model), list(listed.references))


def _modes_differ(model: Model, listed: Listed) -> bool:
    """Whether a mode is listed that the table does not know, or the other way round.

    `reference` stands for any kind. Where a mode could not be read, none is said to be missing.
    """
    has_text, kinds = "text" in _inputs(model), set(_kinds(model))
    told = listed.inputs - {"text"}
    named = told - {"reference"}
    if ("text" in listed.inputs and not has_text) or named - kinds or (told and not kinds):
        return True
    lacking = kinds - named if "reference" not in told else set()
    is_whole = "modes" not in (listed.unread or {})
    return is_whole and bool(lacking or (has_text and "text" not in listed.inputs))


def _untold(model: Model, listed: Listed) -> Iterator[tuple[str, str]]:
    """The facts that the list leaves out, of those that the table states."""
    stated = {
        "price": model.price,
        "billing": model.billing,
        "prompt_limit": model.prompt_limit,
        "availability": AVAILABLE,
        "modes": _inputs(model),
        "references": _kinds(model) or None,
    }
    for fact, value in stated.items():
        told = getattr(listed, fact)
        if value is not None and (told is None or (fact == "modes" and not told)):
            yield fact, "the list does not tell"


def _inputs(model: Model) -> list[str]:
    """What a generation may start from by the table: `text`, and kinds of references."""
    rules = model.references
    return (["text"] if rules is None or not rules.min_files else []) + _kinds(model)


def _kinds(model: Model) -> list[str]:
    taken = {rule.kind for rule in model.references.kinds} if model.references else set()
    return [kind for kind in KINDS if kind in taken]
