"""What to do about a name that is not known: the one that was probably meant, and all others."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.catalog.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.catalog.spec import Catalog

#: Names in one message; further ones are counted.
_MOST_LISTED = 10
#: A shorter beginning of a name could mean anything.
_SHORTEST_BEGINNING = 3


def meant_by(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one, or that it begins; None where none does."""
    return _meant(name, tuple(known))


@lru_cache(maxsize=4096)
def _meant(name: str, names: tuple[str, ...]) -> str | None:
    # Thousands of jobs can share one mistake, and the comparison takes a millisecond.
    near = nearest(name, names)
    if near is not None or len(name) < _SHORTEST_BEGINNING:
        return near
    return next((other for other in names if other.lower().startswith(name.lower())), None)


def listed(names: Iterable[str]) -> str:
    """Names with commas between them; of many, the first ones and how many more there are."""
    several = list(names)
    shown = several[:_MOST_LISTED] if len(several) > _MOST_LISTED + 1 else several
    more = len(several) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def unknown_name_hint(name: str, known: Iterable[str], *, in_full: bool = False) -> str:
    """What to write instead of a name that is not known.

    `in_full` lists the known names also where one of them was probably meant.
    """
    names = list(known)
    meant = meant_by(name, names)
    if meant and not in_full:
        return f"did you mean `{meant}`?"
    choice = f"known: {listed(names)}" if names else "there is nothing to set"
    return f"did you mean `{meant}`? {choice}" if meant and len(names) > 1 else choice


def model_hint(name: str, catalog: Catalog) -> str:
    """What to write instead of a model's name that is not known."""
    own = sorted({model.model for model in catalog.models.values()})
    meant = model_meant(name, catalog)
    if meant is None:
        return f"known: {listed(own)}"
    if "/" in name:
        return f"did you mean `{meant}`?"
    return f"did you mean `{catalog.models[meant].model}`? known: {listed(own)}"


def model_meant(name: str, catalog: Catalog) -> str | None:
    """The model, as `provider/model`, that a name was probably meant as."""
    bare = name.rpartition("/")[2]
    if "/" in name and not catalog.candidates(bare):
        near = meant_by(name, catalog.models)
        if near:
            return near
    by_model = {model.model: model.name for model in catalog.models.values()}
    return by_model.get(meant_by(bare, by_model) or "")
