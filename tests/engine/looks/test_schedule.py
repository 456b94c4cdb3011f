"""Looks: a schedule of least cost, checked against what it promises and against fixed times."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.looks.schedule import schedule

MEAN, SIGMA = math.log(90), 0.6


def cost(ages, *, seed=7, tasks=20_000, beyond=10.0):
    """Mean looks and mean delay of tasks of log-normal duration, looked at at these ages."""
    draw = random.Random(seed)
    looks = delay = 0.0
    for _ in range(tasks):
        ends = draw.lognormvariate(MEAN, SIGMA)
        place = bisect_left(ages, ends)
        if place < len(ages):
            looks, delay = looks + place + 1, delay + ages[place] - ends
        else:
            more = math.ceil((ends - ages[-1]) / beyond)
            looks, delay = looks + len(ages) + more, delay + ages[-1] + more * beyond - ends
    return looks / tasks, delay / tasks


def fixed(interval):
    return [interval * number for number in range(1, int(420 / interval))]


@pytest.mark.parametrize(
    ("worth", "looks", "delay"), [(0.27, 12.6, 3.5), (0.8, 7.8, 5.8), (2.0, 5.1, 9.3)]
)
def test_looks_and_delay_are_traded_as_asked(worth, looks, delay):
    found = cost(schedule(MEAN, SIGMA, worth))
    assert found == pytest.approx((looks, delay), rel=0.05)


@pytest.mark.parametrize("interval", [5.0, 10.0, 15.0, 30.0])
def test_no_fixed_interval_is_as_good(interval):
    looks, delay = cost(fixed(interval))
    worth = delay / looks
    ours = cost(schedule(MEAN, SIGMA, worth))
    assert worth * ours[0] + ours[1] < 0.95 * (worth * looks + delay)


@given(
    mean=st.floats(-2, 8),
    sigma=st.floats(0.05, 2.5),
    worth=st.floats(0.05, 20),
    after=st.floats(0, 1000),
)
def test_ages_grow_and_end(mean, sigma, worth, after):
    ages = schedule(mean, sigma, worth, after=after)
    assert len(ages) <= 300
    assert all(earlier < later for earlier, later in pairwise(ages))
    assert all(age > 0 for age in ages)
    reach = math.exp(mean + 2.6 * sigma)
    assert not ages or ages[-1] == pytest.approx(reach, rel=0.1)
    assert not ages or ages[0] > min(after, reach) * 0.9
