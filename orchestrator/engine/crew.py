"""Tasks that are used again: starting one for each create and each poll costs more than they do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskGroup

Arguments = TypeVarTuple("Arguments")


class Crew:
    """Does work in tasks of one group, at once: a task that is idle, or else a new one.

    It has as many tasks as were ever busy together. They end with their group; what work raises
    ends the group, as it would with a task of its own.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._idle: list[asyncio.Future[Callable[[], Coroutine[object, object, object]]]] = []

    def start(
        self,
        work: Callable[[*Arguments], Coroutine[object, object, object]],
        *arguments: *Arguments,
    ) -> None:
        """Have the work done; it begins in the next turn of the event loop."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():  # a task that was cancelled while idle waits for nothing any more
                idle.set_result(lambda: work(*arguments))
                return
        self._tasks.start_soon(self._work, lambda: work(*arguments))

    async def _work(self, work: Callable[[], Coroutine[object, object, object]]) -> None:
        while True:
            await work()
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            work = await idle
