"""How thoroughly pages are cut."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def every_cut() -> bool:
    """Whether to cut at every byte: with CUT_EVERY_BYTE set, which takes a minute."""
    return bool(os.environ.get("CUT_EVERY_BYTE"))
