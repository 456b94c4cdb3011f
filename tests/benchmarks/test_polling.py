from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.night import ONE, night
from benchmarks.polling import as_often, durations, fixed


def test_the_tasks_are_those_of_the_night_with_the_same_seed():
    alone = night(3, 20, ONE, learned=True, slots=20)
    assert max(durations(3, 20)) == alone.lower_bound
    assert durations(3, 20) != durations(4, 20)


def test_a_task_is_looked_at_until_its_end_is_seen():
    assert fixed(10, [4.0, 10.0, 25.0]) == ((1 + 1 + 3) / 3, (6 + 0 + 5) / 3)


@given(
    st.floats(0.5, 60),
    st.lists(st.floats(0.1, 600), min_size=1, max_size=30),
)
def test_no_end_is_seen_before_it_came_or_an_interval_late(interval, taken):
    watched = fixed(interval, taken)
    assert -1e-9 <= watched.delay <= interval
    assert watched.looks >= 1


def test_the_interval_that_takes_as_many_looks_is_found():
    taken = durations(0, 500)
    assert fixed(as_often(8, taken), taken).looks == pytest.approx(8, abs=0.1)
