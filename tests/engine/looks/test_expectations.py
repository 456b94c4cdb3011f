"""Expectations: times of tasks by model and options, as a log-normal that moves with the times."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.tables import shipped
from orchestrator.engine.looks.expectations import ENOUGH, Expectations, Spread
from orchestrator.ledger.store import Ended

MODEL = "rivya/sora-2-pro"


@pytest.fixture
def expectations():
    return Expectations(shipped().models)


def test_mean_and_spread_of_the_logarithm_are_found():
    draw, spread = random.Random(1), Spread()
    for _ in range(4000):
        spread.add(draw.lognormvariate(math.log(90), 0.6))
    assert math.exp(spread.mean) == pytest.approx(90, rel=0.2)
    assert spread.sigma == pytest.approx(0.6, rel=0.2)
    assert spread.expected == pytest.approx(90 * math.exp(0.18), rel=0.25)


@given(st.lists(st.floats(0.1, 1e5), min_size=2, max_size=10))
def test_a_few_times_are_taken_as_they_are(times):
    spread = Spread()
    for seconds in times:
        spread.add(seconds)
    logs = [math.log(seconds) for seconds in times]
    mean = sum(logs) / len(logs)
    assert spread.mean == pytest.approx(mean, abs=1e-6)
    variance = sum((log - mean) ** 2 for log in logs) / len(logs)
    assert spread.variance == pytest.approx(variance, abs=1e-6)


def test_a_service_that_becomes_slower_is_noticed():
    spread = Spread()
    for seconds in [60.0] * 1000 + [240.0] * 120:
        spread.add(seconds)
    assert math.exp(spread.mean) > 180


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_time_that_cannot_be_counts_as_a_very_short_one(seconds):
    spread = Spread()
    spread.add(seconds)
    assert math.isfinite(spread.mean)


def test_nothing_is_expected_of_too_few(expectations):
    kind = expectations.kind(MODEL, {})
    for _ in range(ENOUGH - 1):
        expectations.learn(kind, 60.0)
    assert expectations.spread(kind) is None
    expectations.learn(kind, 60.0)
    assert expectations.spread(kind).expected == pytest.approx(60, rel=0.01)


def test_options_that_are_known_count_and_others_are_those_of_the_model(expectations):
    options = [param for param in shipped().models[MODEL].params if param.type == "select"]
    key, (one, other, *_) = options[0].key, options[0].options
    short, long = ({key: value} for value in (one, other))
    for _ in range(ENOUGH):
        expectations.learn(expectations.kind(MODEL, short), 30.0)
    assert expectations.spread(expectations.kind(MODEL, short)).expected < 31
    assert expectations.spread(expectations.kind(MODEL, long)).expected < 31
    for _ in range(ENOUGH):
        expectations.learn(expectations.kind(MODEL, long), 300.0)
    assert expectations.spread(expectations.kind(MODEL, short)).expected < 31
    assert expectations.spread(expectations.kind(MODEL, long)).expected > 290


def test_the_prompt_and_free_numbers_are_no_option(expectations):
    assert expectations.kind(MODEL, {"seed": 7, "prompt": "a cup"}) == MODEL
    assert expectations.kind("other/model", {"a": "b"}) == "other/model"


def test_a_task_whose_end_nobody_saw_for_hours_is_left_out(expectations):
    times = [60.0] * 20 + [8 * 3600.0]
    expectations.remember(Ended(MODEL, {}, seconds) for seconds in times)
    assert expectations.spread(MODEL).expected < 61
