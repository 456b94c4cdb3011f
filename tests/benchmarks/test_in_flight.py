"""Tasks in flight: what the measurement finds of a few of them, and that it leaves nothing."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks.in_flight import MODELS, both, line


@pytest.mark.parametrize("provider", MODELS)
def test_a_few_tasks_in_flight_are_measured_and_left(provider, tmp_path):
    found = both(Namespace(provider=provider, tasks=12, seconds=0.5, folder=tmp_path))
    assert found["peak_bytes"] >= found["resident_bytes"] > 0
    assert 0 <= found["cores_between_looks"] < 1
    assert found["looks_a_second"] >= 0
    assert line(found).startswith(f"12 tasks of {provider} in flight:")
    assert list(tmp_path.iterdir()) == []
