from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.errors import UsageError
from orchestrator.providers.acedatacloud import AceDataCloud
from orchestrator.providers.registry import GROUP, provider
from orchestrator.providers.rivya import Rivya


@pytest.mark.parametrize(("name", "kind"), [("rivya", Rivya), ("acedatacloud", AceDataCloud)])
def test_a_provider_is_found_by_its_name(name, kind):
    found = provider(name)
    assert isinstance(found, kind)
    assert found.name == name


def test_every_provider_of_the_catalogue_is_installed():
    assert {entry.name for entry in entry_points(group=GROUP)} >= set(shipped().providers())


def test_an_unknown_provider_is_named_beside_the_known_ones():
    with pytest.raises(UsageError, match="no provider is called nobody; installed: acedatacloud"):
        provider("nobody")
