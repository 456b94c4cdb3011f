"""Meters: a limit holds in every sliding window, wherever it begins."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.engine.clock import Clock
from orchestrator.engine.meters.limits import ARRIVAL_GUARD, RateMeter, Slots
from tests.engine.test_campaign import most_in_window
from tests.engine.virtual import run_virtual


@dataclass(frozen=True)
class Asked:
    """One request: when it asks for its place, how long it waits before it is sent, or gives up."""

    at: float
    before_sending: float
    before_reply: float
    sends: bool
    patience: float


seconds = st.floats(0, 40) | st.sampled_from([0.0, 10.0, 60.0])
requests = st.builds(
    Asked, seconds, st.floats(0, 20), st.floats(0, 90), st.booleans(), st.floats(1, 2000)
)
limits = st.floats(0.2, 9.5) | st.sampled_from([1.0, 2.0, 5.0, 0.5])


async def play(meter: RateMeter, asked: list[Asked]) -> list[float]:
    """Let these requests use the meter, each on its own; when they were sent."""
    sent: list[float] = []

    async def one(request: Asked) -> None:
        await anyio.sleep(request.at)
        with anyio.move_on_after(request.patience) as waiting:
            place = await meter.admit()
        if waiting.cancelled_caught:
            return
        try:
            await anyio.sleep(request.before_sending)
            if request.sends:
                place.sent()
                sent.append(anyio.current_time())
                await anyio.sleep(request.before_reply)
        finally:
            meter.done(place)

    async with anyio.create_task_group() as tasks:
        for request in asked:
            tasks.start_soon(one, request)
    return sent


@settings(max_examples=80, deadline=None)
@given(
    limit=limits,
    window=st.sampled_from([1.0, 10.0, 60.0]),
    spread=st.booleans(),
    ages=st.lists(st.floats(-5, 70), max_size=8),
    asked=st.lists(requests, max_size=25),
)
@example(2.0, 60.0, False, [], [Asked(0, 19, 0, True, 9), Asked(0, 0, 0, True, 9)] * 3)
def test_the_limit_holds_in_every_window_of_what_was_sent(limit, window, spread, ages, asked):
    async def work():
        meter = RateMeter(limit, window, Clock(), spread=spread)
        now = anyio.current_time()
        meter.seed(ages)
        return [now - max(age, 0.0) for age in ages], await play(meter, asked)

    earlier, sent = run_virtual(work, start=1000.0)
    most = max(1, math.floor(limit))
    # What an earlier run sent is as it is; of what is added, each has to find room.
    span = window * max(1.0, 1 / limit)
    for at in sent:
        inside = [time for time in earlier + sent if at - span < time <= at]
        assert len(inside) <= most
    assert most_in_window(sent, span) <= most


@settings(max_examples=40, deadline=None)
@given(limit=limits, window=st.sampled_from([1.0, 60.0]), number=st.integers(1, 30))
def test_nobody_waits_longer_than_the_limit_asks_for(limit, window, number):
    async def work():
        await play(RateMeter(limit, window, Clock()), [Asked(0, 0, 0, True, 1e9)] * number)
        return anyio.current_time()

    most = max(1, math.floor(limit))
    span = window * max(1.0, 1 / limit) + ARRIVAL_GUARD
    assert run_virtual(work) <= (math.ceil(number / most) - 1) * span + 0.01 * number


@settings(max_examples=40, deadline=None)
@given(limit=st.floats(1, 60), asked=st.lists(requests, min_size=2, max_size=25))
def test_spread_requests_are_half_their_mean_distance_apart(limit, asked):
    async def work():
        prompt = [Asked(request.at, 0, 0, True, 1e9) for request in asked]
        return await play(RateMeter(limit, 60.0, Clock(), spread=True), prompt)

    sent = sorted(run_virtual(work))
    least = 60.0 / math.floor(limit) / 2
    assert all(later - sooner >= least for sooner, later in itertools.pairwise(sent))


def test_places_are_given_in_the_order_of_asking():
    async def work():
        meter, order = RateMeter(1, 10.0, Clock()), []

        async def one(number):
            place = await meter.admit()
            order.append(number)
            place.sent()
            meter.done(place)

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(one, number)
        return order

    assert run_virtual(work) == list(range(6))


def test_a_place_that_was_never_sent_is_free_again_at_once():
    async def work():
        meter = RateMeter(1, 60.0, Clock())
        meter.done(await meter.admit())
        await meter.admit()
        return anyio.current_time()

    assert run_virtual(work) == 0.0


def test_a_place_counts_from_its_sending_and_not_from_its_admission():
    async def work():
        meter = RateMeter(1, 60.0, Clock())
        place = await meter.admit()
        await anyio.sleep(30.0)
        place.sent()
        meter.done(place)
        await meter.admit()
        return anyio.current_time()

    assert run_virtual(work) == pytest.approx(90.0, abs=0.1)


def test_while_all_places_are_unsent_nobody_else_is_admitted():
    async def work():
        meter = RateMeter(1, 1.0, Clock())
        await meter.admit()
        with anyio.move_on_after(1000.0) as waited:
            await meter.admit()
        return waited.cancelled_caught

    assert run_virtual(work)


def test_who_gives_up_waiting_leaves_the_place_to_the_next():
    async def work():
        meter = RateMeter(1, 60.0, Clock())
        place = await meter.admit()
        place.sent()
        meter.done(place)
        with anyio.move_on_after(5.0):
            await meter.admit()
        await meter.admit()
        return anyio.current_time()

    assert run_virtual(work) == pytest.approx(60.0, abs=0.1)


def test_a_limit_below_one_is_one_in_a_longer_window():
    async def work():
        return await play(RateMeter(0.25, 60.0, Clock()), [Asked(0, 0, 0, True, 1e9)] * 3)

    assert run_virtual(work) == pytest.approx([0.0, 240.0, 480.0], abs=0.2)


def test_a_restart_goes_on_where_the_earlier_run_was():
    async def work():
        meter = RateMeter(2, 60.0, Clock())
        meter.seed([50.0, 10.0, 300.0])
        return await play(meter, [Asked(0, 0, 0, True, 1e9)] * 2)

    assert run_virtual(work, start=500.0) == pytest.approx([510.0, 550.0], abs=0.2)


def test_what_a_clock_that_went_back_says_was_sent_later_counts_as_sent_now():
    async def work():
        meter = RateMeter(1, 60.0, Clock())
        meter.seed([-86_400.0])
        await meter.admit()
        return anyio.current_time()

    assert run_virtual(work) == pytest.approx(60.0, abs=0.1)


def test_the_window_is_a_little_longer_than_stated_because_requests_travel():
    assert RateMeter(60, 60.0, Clock()).span == 60.0 + ARRIVAL_GUARD


def test_a_place_that_is_dated_late_is_forgotten_in_its_own_time():
    async def work():
        meter = RateMeter(2, 60.0, Clock())
        slow, quick = await meter.admit(), await meter.admit()
        slow.sent()
        await anyio.sleep(50.0)
        quick.sent()
        meter.done(quick)
        meter.done(slow)
        await meter.admit()
        return anyio.current_time()

    assert run_virtual(work) == pytest.approx(60.0, abs=0.1)


def test_a_place_is_unsent_until_it_says_otherwise_and_is_counted_once():
    async def work():
        meter = RateMeter(1, 60.0, Clock())
        place = await meter.admit()
        before = place.is_sent
        place.sent()
        place.sent()
        meter.done(place)
        with anyio.move_on_after(50) as waiting:
            await meter.admit()
        return before, place.is_sent, waiting.cancelled_caught

    assert run_virtual(work, start=3.0) == (False, True, True)


def test_slots_count_what_runs_at_once():
    slots = Slots(2)
    slots.take()
    assert slots.free
    slots.take()
    assert not slots.free
    slots.give()
    assert slots.free


def test_a_restart_may_hold_more_slots_than_there_are_until_tasks_end():
    slots = Slots(1)
    slots.take()
    slots.take()
    slots.give()
    assert not slots.free
    slots.give()
    assert slots.free


def test_a_slot_is_given_back_once():
    slots = Slots(1)
    slots.take()
    slots.give()
    with pytest.raises(AssertionError, match="twice"):
        slots.give()
