"""The crew: work begins at once, in a task that is there already where one is idle."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from anyio.lowlevel import checkpoint

from orchestrator.engine.crew import Crew


async def test_work_begins_in_the_next_turn_of_the_loop():
    begun = []

    async def work(name):
        begun.append(name)

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        crew.start(work, "a")
        assert begun == []
        await checkpoint()
        await checkpoint()
        assert begun == ["a"]
        tasks.cancel_scope.cancel()


async def test_a_task_that_is_idle_is_used_again_and_one_that_is_busy_is_not_waited_for():
    tasks_seen = []
    go_on = anyio.Event()

    async def work():
        tasks_seen.append(asyncio.current_task())
        await go_on.wait()

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        crew.start(work)
        crew.start(work)
        await anyio.wait_all_tasks_blocked()
        assert len(set(tasks_seen)) == 2
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        crew.start(work)
        crew.start(work)
        await anyio.wait_all_tasks_blocked()
        assert len(tasks_seen) == 4
        assert len(set(tasks_seen)) == 2
        tasks.cancel_scope.cancel()


async def test_what_work_raises_ends_the_group():
    async def work():
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError):
        async with anyio.create_task_group() as tasks:
            Crew(tasks).start(work)


async def test_a_cancelled_group_cuts_work_short_and_leaves_nothing_idle():
    ended = []

    async def work(seconds):
        try:
            await anyio.sleep(seconds)
        finally:
            ended.append(seconds)

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        crew.start(work, 0)
        crew.start(work, 3600)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert sorted(ended) == [0, 3600]


async def test_a_scope_that_was_cancelled_in_one_work_does_not_touch_the_next():
    done = []

    async def cut_short():
        with anyio.CancelScope() as scope:
            scope.cancel()
            await checkpoint()

    async def work():
        await checkpoint()
        done.append(True)

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        crew.start(cut_short)
        await anyio.wait_all_tasks_blocked()
        crew.start(work)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert done == [True]
