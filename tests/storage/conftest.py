from __future__ import annotations

from functools import partial

import pytest

from orchestrator.providers.origins import check_public_url, guarded_socket
from orchestrator.storage.download import Downloads
from orchestrator.storage.local import LocalStorage
from tests.storage import boxes
from tests.storage.host import Host


def downloads(**options):
    """A client for a provider on loopback, as the engine makes it."""
    return Downloads(
        check_url=partial(check_public_url, loopback_allowed=True),
        open_socket=guarded_socket(loopback_allowed=True),
        **options,
    )


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def storage(run_folder):
    return LocalStorage(run_folder)


@pytest.fixture
async def client():
    async with downloads(idle_timeout=5.0) as made:
        yield made


@pytest.fixture(scope="session")
def small():
    """A video that is kept in memory on its way."""
    return boxes.mp4(bytes(range(256)) * 256)


@pytest.fixture(scope="session")
def large():
    """A video that goes through a part on disk."""
    return boxes.mp4(bytes(range(256)) * 12_000)


@pytest.fixture
async def host(small):
    async with Host(small) as served:
        yield served
