"""Pauses: trouble costs a handful of requests, and ends for everybody when one gets through."""

from __future__ import annotations

import itertools
import math

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.clock import Clock
from orchestrator.engine.meters.pauses import (
    LONGEST_BACKOFF,
    LONGEST_PROBE_WAIT,
    LONGEST_RETRY_AFTER,
    PROBES,
    Breaker,
    Gate,
)
from tests.engine.virtual import run_virtual

# --- the gate -----------------------------------------------------------------------------------


class Door:
    """A provider behind a gate: down in some spans of time, and a record of who got there."""

    def __init__(self, down, *, takes=0.5, retry_after=None):
        self.gate = Gate(Clock())
        self.down = down
        self.takes = takes
        self.retry_after = retry_after
        #: (when it started, when it was answered, whether it went well)
        self.tries = []

    async def request(self, takes=None):
        """One request that is repeated until it goes well."""
        while True:
            ticket = await self.gate.passage()
            began = anyio.current_time()
            await anyio.sleep(self.takes if takes is None else takes)
            fine = not any(start <= began < end for start, end in self.down)
            self.tries.append((began, anyio.current_time(), fine))
            if fine:
                self.gate.fine(ticket)
                return
            self.gate.trouble(ticket, self.retry_after)

    async def crowd(self, arrivals):
        """Requests that arrive at these times, each taking so long."""

        async def one(at, takes):
            await anyio.sleep(at)
            await self.request(takes)

        async with anyio.create_task_group() as tasks:
            for at, takes in arrivals:
                tasks.start_soon(one, at, takes)


@settings(max_examples=60, deadline=None)
@given(
    start=st.floats(0, 50),
    length=st.floats(1, 2000),
    arrivals=st.lists(st.tuples(st.floats(0, 300), st.floats(0.01, 20)), min_size=1, max_size=40),
    retry_after=st.none() | st.floats(1, 1000),
)
def test_an_outage_costs_a_handful_of_requests_however_many_wait(
    start, length, arrivals, retry_after
):
    door = Door([(start, start + length)], retry_after=retry_after)
    run_virtual(door.crowd, arrivals)
    vain = sorted(began for began, _, fine in door.tries if not fine)
    went = [began for began, _, fine in door.tries if fine]
    assert len(went) == len(arrivals), "everybody gets through in the end"
    if not vain:
        return
    first_answer = min(end for _, end, fine in door.tries if not fine)
    later = [began for began in vain if began > first_answer]
    step = 1.0 if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
    most = length / max(step, 1.0) if retry_after is not None else 7 + length / LONGEST_BACKOFF
    assert len(later) <= most + 1


@settings(max_examples=60, deadline=None)
@given(
    length=st.floats(1, 500),
    arrivals=st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 20)), min_size=1, max_size=30),
)
def test_while_there_is_trouble_one_request_at_a_time_tries(length, arrivals):
    door = Door([(0.0, length)])
    run_virtual(door.crowd, arrivals)
    vain = [(began, end) for began, end, fine in door.tries if not fine]
    if not vain:
        return
    first_answer = min(end for _, end in vain)
    tries = sorted(span for span in vain if span[0] > first_answer)
    assert all(end <= began for (_, end), (began, _) in itertools.pairwise(tries))


def waits_of(answers):
    """How long the gate stays closed after each of these answers in turn."""

    async def work():
        gate, found = Gate(Clock()), []
        for retry_after in answers:
            ticket = await gate.passage()
            gate.trouble(ticket, retry_after)
            found.append(gate.closed_for)
        return found

    return run_virtual(work)


def test_waits_double_up_to_a_minute():
    assert waits_of([None] * 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("asked", "wait"), [(17.5, 17.5), (300.0, 300.0), (301.0, 300.0), (1e9, 300.0), (math.inf, 300)]
)
def test_retry_after_is_obeyed_up_to_five_minutes(asked, wait):
    assert waits_of([asked]) == [wait]


def test_an_open_gate_lets_everybody_through_at_once():
    async def work():
        gate = Gate(Clock())
        tickets = [await gate.passage() for _ in range(5)]
        return tickets, gate.closed_for, anyio.current_time()

    assert run_virtual(work) == ([0] * 5, 0.0, 0.0)


def test_requests_that_were_under_way_together_count_as_one_trouble():
    async def work():
        gate = Gate(Clock())
        for ticket in [await gate.passage() for _ in range(20)]:
            gate.trouble(ticket)
        return gate.closed_for

    assert run_virtual(work) == 1.0


def test_of_requests_under_way_together_the_longest_retry_after_counts():
    async def work():
        gate = Gate(Clock())
        tickets = [await gate.passage() for _ in range(4)]
        for ticket, retry_after in zip(tickets, (5.0, 90.0, 1.0, None), strict=True):
            gate.trouble(ticket, retry_after)
        return gate.closed_for

    assert run_virtual(work) == 90.0


def test_a_success_from_before_the_trouble_does_not_end_it():
    async def work():
        gate = Gate(Clock())
        early, late = await gate.passage(), await gate.passage()
        gate.trouble(late)
        gate.fine(early)
        return gate.closed_for

    assert run_virtual(work) == 1.0


def test_after_one_success_everybody_goes_and_the_next_trouble_begins_anew():
    async def work():
        gate = Gate(Clock())
        for _ in range(5):
            gate.trouble(await gate.passage())
        gate.fine(await gate.passage())
        tickets = [await gate.passage() for _ in range(3)]
        gate.trouble(tickets[0])
        return gate.closed_for

    assert run_virtual(work) == 1.0


def test_a_gate_says_why_it_is_closed_until_the_trouble_is_over():
    async def work():
        gate, said = Gate(Clock()), []
        for why in ("connection refused", "rate limited"):
            early = await gate.passage()
            gate.trouble(early, why=why)
            gate.trouble(early, why="under way with it")
            said.append(gate.why)
        gate.fine(await gate.passage())
        return [*said, gate.why]

    assert run_virtual(work) == ["connection refused", "rate limited", ""]


def test_after_trouble_requests_go_in_the_order_in_which_they_came():
    async def work():
        gate, order = Gate(Clock()), []
        gate.trouble(await gate.passage(), 60.0)

        async def one(number):
            await anyio.sleep(number)
            ticket = await gate.passage()
            order.append(number)
            await anyio.sleep(0.1)
            gate.fine(ticket)

        async with anyio.create_task_group() as tasks:
            for number in (7, 3, 65, 1, 59):
                tasks.start_soon(one, number)
        return order

    assert run_virtual(work) == [1, 3, 7, 59, 65]


@pytest.mark.parametrize("saying", ["withdraw", "trouble", "fine"])
def test_the_next_one_tries_when_the_one_that_tried_has_ended_however(saying):
    async def work():
        gate = Gate(Clock())
        gate.trouble(await gate.passage())
        ticket = await gate.passage()
        with anyio.move_on_after(30.0) as waited:
            await gate.passage()
        getattr(gate, saying)(ticket)
        with anyio.fail_after(10.0):
            await gate.passage()
        return waited.cancelled_caught

    assert run_virtual(work), "only one tries at a time"


def test_a_provider_that_says_retry_at_once_for_ten_minutes_is_not_hammered():
    door = Door([(0.0, 600.0)], retry_after=0.0)
    run_virtual(door.crowd, [(0.0, 0.5)] * 20)
    assert len(door.tries) <= 20 + 20 + 20


# --- the breaker --------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(threshold=st.integers(1, 6))
def test_so_many_failures_in_a_row_pause_and_no_fewer(threshold):
    breaker = Breaker(threshold, 300.0)
    for row in range(threshold - 1):
        assert not breaker.failed(row, 10.0)
        assert breaker.admits(10.0)
    assert breaker.failed(99, 10.0)
    assert not breaker.admits(309.9)
    assert breaker.admits(310.0)


def test_a_success_in_between_starts_the_count_anew():
    breaker = Breaker(3, 300.0)
    for row in range(10):
        breaker.failed(row, 0.0)
        breaker.failed(row, 0.0)
        breaker.succeeded()
    assert breaker.admits(0.0)


def paused(probe_after=300.0):
    breaker = Breaker(1, probe_after)
    breaker.failed(0, 0.0)
    return breaker


def test_one_probe_at_a_time():
    breaker = paused()
    breaker.started(7)
    assert breaker.probe == 7
    assert not breaker.admits(1e9)


def test_failures_of_what_was_under_way_before_the_pause_prolong_nothing():
    breaker = paused()
    until = breaker.paused_until
    assert not breaker.failed(3, 250.0)
    assert (breaker.paused_until, breaker.probes) == (until, 0)


def test_waits_between_probes_double_up_to_half_an_hour_and_five_in_vain_end_it():
    breaker, now, waits = paused(), 0.0, []
    while not breaker.ended:
        waits.append(breaker.paused_until - now)
        now = breaker.paused_until
        assert breaker.admits(now)
        breaker.started(1)
        assert breaker.failed(1, now)
    assert waits == [300.0, 600.0, 1200.0, 1800.0, 1800.0]
    assert len(waits) == PROBES
    assert not breaker.admits(1e12)


def test_a_probe_that_goes_well_opens_for_all_and_forgets():
    breaker = paused()
    breaker.started(1)
    breaker.failed(1, 300.0)
    breaker.started(2)
    breaker.succeeded()
    assert breaker.admits(0.0)
    assert (breaker.probes, breaker.in_a_row, breaker.probe) == (0, 0, None)


def test_a_probe_that_tells_nothing_lets_another_one_be_it():
    breaker = paused()
    breaker.started(1)
    breaker.undecided(2)
    assert not breaker.admits(400.0)
    breaker.undecided(1)
    assert breaker.admits(400.0)
    assert breaker.probes == 0


words = st.lists(
    st.tuples(
        st.sampled_from(["start", "fail", "succeed", "undecided"]),
        st.integers(0, 3),
        st.integers(0, 900),
    ),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(0, 700), words)
def test_whatever_happens_a_pause_is_kept_and_one_probe_follows(threshold, probe_after, story):
    breaker, now = Breaker(threshold, probe_after), 0
    for word, row, seconds in story:
        now += seconds
        before = breaker.paused_until
        if word == "start" and breaker.admits(now):
            assert breaker.probe is None
            breaker.started(row)
            assert (breaker.probe == row) == breaker.paused
        elif word == "fail":
            prolonged = breaker.failed(row, now)
            assert prolonged == (breaker.paused_until != before or (prolonged and not probe_after))
            if prolonged:
                wait = breaker.paused_until - now
                assert wait <= LONGEST_PROBE_WAIT
                assert wait >= min(probe_after, LONGEST_PROBE_WAIT)
                assert breaker.probe is None
        elif word == "succeed":
            breaker.succeeded()
            assert breaker.admits(now)
        elif word == "undecided":
            breaker.undecided(row)
            assert breaker.paused_until == before
        if breaker.paused and now < breaker.paused_until:
            assert not breaker.admits(now)
        assert breaker.ended == (breaker.probes >= PROBES)
