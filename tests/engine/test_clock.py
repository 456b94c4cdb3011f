"""The clock: monotonic time is the loop's, wall time is only written down."""

from __future__ import annotations

import anyio

from orchestrator.engine.clock import Clock
from tests.engine.virtual import run_virtual


def test_waiting_follows_the_loops_clock_while_the_wall_clock_jumps():
    jumps = iter([1e9, 5.0, 2e9])
    clock = Clock(lambda: next(jumps))

    async def work():
        clock.wall()
        before = clock.now()
        clock.wall()
        await clock.sleep(86_400.0)
        clock.wall()
        return clock.now() - before

    assert run_virtual(work) == 86_400.0


def test_a_wait_that_is_over_already_takes_no_time():
    async def work():
        await Clock().sleep(-5.0)
        return Clock().now()

    assert run_virtual(work, start=7.0) == 7.0


def test_a_wait_lets_others_run_even_if_it_is_none():
    ran = []

    async def other():
        ran.append("other")

    async def work():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await Clock().sleep(0.0)
            ran.append("waited")

    run_virtual(work)
    assert ran == ["other", "waited"]


def test_the_wall_clock_is_the_systems_unless_told_otherwise():
    assert Clock().wall() > 1_700_000_000
