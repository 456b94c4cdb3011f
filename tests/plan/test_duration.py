from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs import State
from orchestrator.ledger.store import Ended
from orchestrator.manifest.model import Limits
from orchestrator.plan.duration import ASSUMED_MEDIAN, ENOUGH, forecast, measured
from tests.plan.material import HAILUO, MINIMAX, job, plan, row_of, spec

COUNTS = st.integers(1, 120)


def campaign(jobs, model=HAILUO, **limits):
    every = {"rivya": Limits(**limits), "acedatacloud": Limits(**limits)}
    return plan(*(spec(f"j{n}", model) for n in range(jobs)), limits=every)


def history(seconds, model=HAILUO):
    return [Ended(model.name, {}, took) for took in seconds]


def test_nothing_to_run_takes_no_time():
    made = plan(spec(), rows=[row_of(job(), 1, State.STORED)])
    assert (forecast(made, []).p50, forecast(made, []).p90) == (0.0, 0.0)


def test_one_job_takes_the_assumed_latency():
    duration = forecast(campaign(1), [])
    assert duration.p50 == pytest.approx(math.exp(0.18) * ASSUMED_MEDIAN, abs=0.1)
    assert 190 < duration.p90 < 250
    assert duration.basis.startswith("assumed")


def test_measured_latencies_replace_the_assumed_one_from_the_fifth_on():
    few, enough = history([10.0] * (ENOUGH - 1)), history([10.0] * ENOUGH)
    assert forecast(campaign(1), few) == forecast(campaign(1), [])
    duration = forecast(campaign(1), enough)
    assert (duration.p50, duration.p90) == (10.0, 10.0)
    assert duration.basis == "the latest 5 completions in this ledger"


def test_other_models_latencies_say_nothing_about_this_one():
    assert forecast(campaign(1), history([10.0] * 9, MINIMAX)).p50 > 80


def test_a_task_that_took_no_time_took_a_little():
    assert measured([Ended("rivya/sora-2-pro", {}, 0.0)]) == {"rivya/sora-2-pro": [0.001]}


def test_the_rate_of_creates_bounds_a_run_of_quick_jobs():
    made = campaign(61, creates_per_minute=1, in_flight=1000)
    assert forecast(made, history([1.0] * 9)).p50 == pytest.approx(3601)


def test_slots_bound_a_run_of_slow_jobs():
    made = campaign(100, creates_per_minute=10_000, in_flight=10)
    assert forecast(made, history([60.0] * 9)).p50 == pytest.approx(600)


def test_providers_run_side_by_side():
    jobs = [spec(f"r{n}", HAILUO) for n in range(30)]
    alone = forecast(plan(*jobs), [])
    together = forecast(plan(*jobs, *(spec(f"a{n}", MINIMAX) for n in range(30))), [])
    assert together.p50 == alone.p50


@settings(max_examples=60)
@given(COUNTS, st.integers(1, 50), st.integers(0, 50), st.floats(0.5, 500), st.floats(0, 500))
def test_more_slots_and_a_higher_rate_are_never_slower(jobs, slots, more, rate, faster):
    slow = forecast(campaign(jobs, in_flight=slots, creates_per_minute=rate), [])
    fast = forecast(campaign(jobs, in_flight=slots + more, creates_per_minute=rate + faster), [])
    assert fast.p50 <= slow.p50
    assert fast.p90 <= slow.p90


@settings(max_examples=60)
@given(COUNTS, COUNTS, st.integers(1, 50))
def test_more_jobs_are_never_quicker(jobs, more, slots):
    few = forecast(campaign(jobs, in_flight=slots), [])
    many = forecast(campaign(jobs + more, in_flight=slots), [])
    assert many.p50 >= few.p50
    assert many.p90 >= few.p90


@settings(max_examples=60)
@given(COUNTS, st.lists(st.floats(0, 10**5), max_size=12), st.floats(0.1, 1000))
def test_a_forecast_is_finite_and_its_tail_is_no_shorter_than_its_middle(jobs, seconds, rate):
    duration = forecast(campaign(jobs, creates_per_minute=rate), history(seconds))
    assert 0 <= duration.p50 <= duration.p90 < math.inf
