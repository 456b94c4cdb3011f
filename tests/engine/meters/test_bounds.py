"""Bounds: a limit that nobody told of is found by 429 alone, and nothing is ever asked above what
the manifest states."""

from __future__ import annotations

import heapq
import json
from collections import deque
from statistics import median

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.meters.bounds import FIRST_TRIAL, MOST_TASKS, Bound, Bounds, Load
from orchestrator.engine.meters.windows import Windows
from tests.engine.campaigns import manifest, spec
from tests.engine.material import DAY, Bench, K, Told, error
from tests.engine.world import Faults, World


class Limited(Told):
    """A provider that takes so many tasks at once, or creates in a window of seconds, and says 429
    to the rest, which it may count as well."""

    def __init__(self, world, *, tasks=None, creates=None, window=60.0, counts_refused=True):
        super().__init__(world, K)
        self.tasks, self.most, self.window = tasks, creates, window
        self.counts_refused = counts_refused
        self.open, self.arrivals = [], deque()
        self.asked_for = self.refused = 0

    async def create(self, request, *, on_sent=None):
        now = anyio.current_time()
        while self.arrivals and self.arrivals[0] <= now - self.window:
            self.arrivals.popleft()
        while self.open and self.open[0] <= now:
            heapq.heappop(self.open)
        too_many = self.tasks is not None and len(self.open) >= self.tasks
        too_fast = self.most is not None and len(self.arrivals) >= self.most
        self.asked_for += 1
        if self.counts_refused or not (too_many or too_fast):
            self.arrivals.append(now)
        if too_many or too_fast:
            on_sent()
            self.refused += 1
            return error(429, "rate_limited")
        answer = await super().create(request, on_sent=on_sent)
        heapq.heappush(self.open, list(self.world.tasks.values())[-1].ready_at)
        return answer


def night(jobs, *, stated=(), ended=None, seed=1, **limit):
    bench = Bench(world=World(seed=seed, faults=Faults()))
    bench.wires[K] = Limited(bench.world, **limit)
    figures = dict(stated)
    what = manifest(
        [spec(n) for n in range(jobs)],
        stated=frozenset(figures), downloads=1000, polls_per_second=1000.0, **figures,
    )  # fmt: skip
    assert bench.run(what).exit_code() == 0
    bounds = next(one.bounds for one in bench.campaign.accounts if one.provider.name == K)
    return bench, bounds


@pytest.mark.parametrize("tasks", [20, 32, 100])
def test_a_limit_of_tasks_is_found_to_a_tenth_and_little_is_refused(tasks):
    found = []
    for seed in range(3):
        bench, bounds = night(600, tasks=tasks, seed=seed)
        found.append(bounds.in_flight.level)
        wire = bench.wires[K]
        assert wire.refused < 0.02 * wire.asked_for
    # A night may end just after a step down.
    assert median(found) == pytest.approx(tasks, rel=0.1)


@pytest.mark.parametrize(
    ("creates", "window", "jobs", "counts_refused"),
    [
        (30, 60.0, 1200, True), (120, 60.0, 3000, True), (10, 10.0, 1200, True),
        (5, 10.0, 1000, False), (3, 5.0, 1000, True), (1, 2.0, 1200, False), (2, 1.0, 2000, True),
    ],
)  # fmt: skip
def test_a_limit_of_creates_in_any_window_is_found_to_a_tenth_and_little_is_refused(
    creates, window, jobs, counts_refused
):
    bench, bounds = night(jobs, creates=creates, window=window, counts_refused=counts_refused)
    assert bounds.creates.level == pytest.approx(creates * 60 / window, rel=0.1)
    wire = bench.wires[K]
    assert wire.refused < 0.02 * wire.asked_for


def test_tasks_that_were_blamed_for_a_limit_of_creates_are_let_run_again():
    bench, bounds = night(1200, creates=1, window=2.0)
    changes = [change for change in bench.notes("limit") if change["limit"] == "in_flight"]
    fell = [change for change in changes if change["now"] < change["was"]]
    assert fell, "a task too many is believed first"
    assert any(change["why"] == "it was about the other" for change in changes)
    assert bounds.in_flight.level > 40


def test_three_tasks_at_once_that_were_met_again_and_again_are_not_doubted():
    bench, bounds = night(600, tasks=3, seed=2)
    assert bounds.in_flight.level == pytest.approx(3, abs=1)
    assert bounds.creates.level == 60
    assert bench.wires[K].refused < 30


def test_a_limit_that_is_believed_in_no_more_leaves_nothing_behind():
    bound = Bound("in_flight", 20, 100, is_met=True, is_own=True, unmet=90, confirmed=3)
    bound.trial_wait = 1920.0
    for _ in range(4):
        bound.trial_at, bound.calm = 0.0, 100
        assert bound.grow(1.0)
    bound.acquit()
    assert (bound.is_met, bound.is_own, bound.confirmed) == (False, False, 0)
    assert bound.trial_wait == FIRST_TRIAL
    assert 20 < bound.level < 30


def test_a_limit_of_creates_that_explains_nothing_is_given_up(monkeypatch):
    bounds = Bounds(Bound("in_flight", 20, 64), Bound("creates_per_minute", 60, 60))
    bounds.is_even = True
    for number in range(10):
        bounds.taken(Load(10, 50, float(number)), float(number))
    monkeypatch.setattr(Windows, "rate", lambda _self: 50.0)
    for number in range(10, 12):
        bounds.throttled(Load(10, 50, float(number)), float(number))
        bounds.taken(Load(10, 50, float(number)), float(number))
    assert (bounds.creates.level, bounds.creates.is_met) == (50, True)
    monkeypatch.setattr(Windows, "rate", lambda _self: None)
    for number in range(12, 30):
        bounds.throttled(Load(10, bounds.creates.level, float(number)), float(number))
        bounds.taken(Load(10, bounds.creates.level, float(number)), float(number))
        if bounds.in_flight.is_met:
            break
    assert (bounds.creates.level, bounds.creates.is_met) == (60, False)
    assert bounds.in_flight.is_met, "it is about tasks after all"


def test_without_a_limit_both_grow_and_nothing_is_cut():
    _, bounds = night(1000)
    assert bounds.in_flight.level > 150
    assert bounds.creates.level > 80
    assert not bounds.in_flight.is_met


def test_what_the_manifest_states_is_a_ceiling():
    bench, bounds = night(300, stated={"in_flight": 12, "creates_per_minute": 30.0})
    assert bench.world.most_open[K] <= 12
    assert (bounds.in_flight.level, bounds.creates.level) == (12, 30.0)
    assert bench.notes("limit") == []


def test_below_a_ceiling_the_limit_is_found_as_well():
    bench, bounds = night(600, stated={"in_flight": 64}, tasks=20)
    assert bounds.in_flight.level == pytest.approx(20, rel=0.1)
    assert bench.wires[K].refused < 70


def test_each_change_is_in_the_log_with_its_reason():
    bench, _ = night(200, tasks=20)
    changes = bench.notes("limit")
    assert {change["provider"] for change in changes} == {K}
    assert changes[0]["limit"] == "in_flight"
    assert (changes[0]["was"], changes[0]["now"]) == (10, 12.5)
    assert changes[0]["why"] == "all was taken"
    assert any(change["why"].startswith("429 at") for change in changes)


def test_what_was_found_is_remembered_for_the_next_run():
    bench, bounds = night(600, tasks=20)
    kept = json.loads(bench.ledger.meta(f"bounds.{K}"))
    assert kept["in_flight"] == bounds.in_flight.level
    again = Bounds(Bound("in_flight", 10, MOST_TASKS), Bound("creates_per_minute", 60, 6000))
    again.remember(kept, now=0.0, wall=kept["at"])
    assert again.in_flight.level == kept["in_flight"]
    assert again.in_flight.is_met


@pytest.mark.parametrize(
    "kept", [{}, {"in_flight": "20"}, {"in_flight": None}, {"in_flight": -1}, {"in_flight": True}]
)
def test_what_makes_no_sense_is_not_remembered(kept):
    bounds = Bounds(Bound("in_flight", 10, MOST_TASKS), Bound("creates_per_minute", 60, 6000))
    bounds.remember({"at": 1.0, **kept}, now=0.0, wall=1.0)
    assert bounds.in_flight.level == 10


def test_what_is_remembered_stays_below_a_ceiling():
    bounds = Bounds(Bound("in_flight", 10, 10), Bound("creates_per_minute", 60, 60))
    kept = {"at": 1.0, "in_flight": 50, "creates_per_minute": 20}
    bounds.remember(kept, now=0.0, wall=1.0)
    assert (bounds.in_flight.level, bounds.creates.level) == (10, 20)


@pytest.mark.parametrize(("days", "level"), [(0, 2.0), (1, 6.0), (3, 9.0), (8, 10.0), (-1, 10.0)])
def test_a_bad_day_fades(days, level):
    bounds = Bounds(Bound("in_flight", 10, MOST_TASKS), Bound("creates_per_minute", 60, 6000))
    bounds.remember({"at": DAY, "in_flight": 2.0}, now=0.0, wall=DAY + days * DAY)
    assert bounds.in_flight.level == level


def test_what_was_only_remembered_is_not_kept_again():
    bounds = Bounds(Bound("in_flight", 10, MOST_TASKS), Bound("creates_per_minute", 60, 6000))
    bounds.remember({"at": 1.0, "in_flight": 5.0}, now=0.0, wall=1.0)
    assert bounds.document(2.0) == {}


@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_a_few_refusals_at_the_start_cut_nothing(seconds):
    bench = Bench(world=World(faults=Faults(storm=(0.0, seconds))))
    jobs = manifest([spec(n) for n in range(60)], in_flight=20, creates_per_minute=120.0)
    assert bench.run(jobs).exit_code() == 0
    assert bench.campaign.accounts[0].slots.most == 20
    assert not [change for change in bench.notes("limit") if change["limit"] == "in_flight"]


def test_rejected_creates_prove_nothing():
    bench = Bench(world=World(faults=Faults(rejected=1.0)))
    bench.run(manifest([spec(n) for n in range(400)], stated=frozenset()))
    assert bench.notes("limit") == []


def test_a_storm_moves_nothing_for_good():
    bounds = Bounds(Bound("in_flight", 64, 64), Bound("creates_per_minute", 60, 60))
    for number in range(1, 20):
        bounds.taken(Load(number, number, float(number)), 0.0)
    for number in range(40):
        bounds.throttled(Load(19, 19 + number, 20.0 + number), float(number))
    assert (bounds.in_flight.level, bounds.creates.level) == (64, 60)


def test_a_storm_leaves_a_limit_that_was_found_where_it_is():
    bounds = Bounds(Bound("in_flight", 20, 64, is_met=True), Bound("creates_per_minute", 60, 60))
    bounds.taken(Load(20, 10, 0.0), 0.0)
    for number in range(40):
        bounds.throttled(Load(20, 10, float(number)), float(number))
    assert bounds.in_flight.level == 20


def test_more_tasks_than_were_ever_taken_are_not_blamed_on_creates():
    bounds = Bounds(Bound("in_flight", 10, 10), Bound("creates_per_minute", 60, 60))
    for number in range(8):
        bounds.taken(Load(3, 3, 100.0 * number), 100.0 * number)
        bounds.throttled(Load(4, 4, 100.0 * number + 1), 100.0 * number + 1)
    assert bounds.in_flight.level <= 4
    assert bounds.creates.level == 60


def test_trouble_of_another_kind_stops_growth_for_a_round():
    bounds = Bounds(Bound("in_flight", 10, MOST_TASKS), Bound("creates_per_minute", 60, 6000))
    for number in range(200):
        if number % 9 == 0:
            bounds.troubled()
        bounds.taken(Load(10, 5, float(number)), float(number))
    assert bounds.in_flight.level == 10


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 100), st.integers(1, 200), st.floats(0, 900)),
        max_size=200,
    ),
    st.integers(1, 50),
    st.integers(1, 120),
)
def test_whatever_happens_bounds_stay_between_one_and_their_ceilings(story, tasks, creates):
    bounds = Bounds(Bound("in_flight", tasks, tasks), Bound("creates_per_minute", creates, 6000))
    now = 0.0
    for is_taken, in_flight, pace, wait in story:
        now += wait
        tell = bounds.taken if is_taken else bounds.throttled
        tell(Load(in_flight, pace, now), now)
        assert 1 <= bounds.in_flight.level <= tasks
        assert 1 <= bounds.creates.level <= 6000
