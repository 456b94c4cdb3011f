"""Providers by name, found through the entry points of `orchestrator.providers`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.providers.base import Provider

GROUP = "orchestrator.providers"


def provider(name: str) -> Provider:
    """The provider of this name.

    Raises UsageError where no installed package brings it.
    """
    for entry in entry_points(group=GROUP, name=name):
        made: Provider = entry.load()()
        return made
    raise UsageError(f"no provider is called {name}; installed: {', '.join(names())}")


def names() -> tuple[str, ...]:
    """The names of all providers that are installed, sorted."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))
