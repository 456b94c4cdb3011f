"""What a provider's own list says about its models, whatever form it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Facts of a model that a list may tell, as JSON documents name them.
FACTS = ("price", "billing", "prompt_limit", "availability", "modes", "references")


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a provider's list. Facts that were not told, or not read, are None."""

    #: The id on the wire.
    model: str
    #: Price of one generation, in credits.
    price: float | None = None
    #: How it is billed, in the provider's word.
    billing: str | None = None
    #: The longest prompt, in characters.
    prompt_limit: int | None = None
    #: The provider's word for whether it can be used, such as `available`.
    availability: str | None = None
    #: The provider's words for what a generation may start from.
    modes: tuple[str, ...] | None = None
    #: What the modes that could be read start from: `text`, kinds of references, or `reference`
    #: where the kind is not told.
    inputs: frozenset[str] = frozenset()
    #: The kinds of files that it takes; empty where it takes none.
    references: tuple[str, ...] | None = None
    #: Facts that stand there and could not be read, each with the reason.
    unread: Mapping[str, str] | None = None

    @property
    def is_available(self) -> bool | None:
        """Whether the provider makes videos with it now; None where it does not say."""
        return None if self.availability is None else self.availability.lower() == AVAILABLE


#: The word for a model that can be used.
AVAILABLE = "available"


@dataclass(frozen=True, slots=True)
class Listing:
    """A provider's list of its models, in its order."""

    models: tuple[Listed, ...]
    #: Why a model that is missing here may exist all the same; None where the list is whole.
    cut: str | None = None
