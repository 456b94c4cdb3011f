from __future__ import annotations

import pytest

from orchestrator.manifest.durations import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("3s", 3), ("0s", 0), ("0.5s", 0.5), ("250ms", 0.25), ("1.5m", 90), ("6h", 21_600)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "-3s", "3d", ".5s", "3s\n", "1e3s", "٣s"])
def test_anything_else_is_none(text: str) -> None:
    assert seconds(text) is None
