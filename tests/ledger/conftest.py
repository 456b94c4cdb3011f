"""Nights whose ledgers are damaged afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ledger.damage import ALL
from tests.ledger.nights import Night

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night that ended in order, with a job for each way."""
    night = Night(tmp_path / "run", dict(ALL))
    night.run()
    return night
