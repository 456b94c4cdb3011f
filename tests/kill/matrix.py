"""The matrix: every point, both kinds of provider, some repetitions, over a few lanes at once."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kill.campaign import play
from tests.kill.lanes import lanes
from tests.kill.points import case_of, random_case
from tests.kill.provider import provider

if TYPE_CHECKING:
    import queue
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.kill.campaign import Case, Outcome
    from tests.kill.lanes import Lane
    from tests.kill.points import Point
    from tests.kill.provider import Provider

#: Processes at once: a little more than there are processors, since each waits for its disk.
LANES = (os.cpu_count() or 2) + 1


@dataclass(frozen=True)
class Matrix:
    """Plays cases, several at once."""

    provider: Provider
    folder: Path
    _pool: ThreadPoolExecutor
    _free: queue.SimpleQueue[Lane]

    def at(self, point: Point, kind: str, repetitions: Iterable[int]) -> list[Future[Outcome]]:
        """Kill at one point, again and again."""
        return [
            self._start(case_of(point, kind, number), f"{_slug(point.name)}-{kind}-{number}")
            for number in repetitions
        ]

    def at_random(self, kind: str, numbers: Iterable[int]) -> list[Future[Outcome]]:
        """Kill campaigns of many jobs at random times."""
        return [
            self._start(random_case(kind, number), f"random-{kind}-{number}") for number in numbers
        ]

    def _start(self, case: Case, name: str) -> Future[Outcome]:
        return self._pool.submit(self._play, case, name)

    def _play(self, case: Case, name: str) -> Outcome:
        lane = self._free.get()
        try:
            return play(case, name, lane, self.provider, self.folder)
        finally:
            self._free.put(lane)


@contextmanager
def matrix(folder: Path, number: int = LANES) -> Iterator[Matrix]:
    """Start the provider and the parent of the victims; `folder` takes the run folders."""
    with ExitStack() as stack:
        # Before any thread is there.
        free = stack.enter_context(lanes(number))
        serving = stack.enter_context(provider(folder / "provider"))
        pool = stack.enter_context(ThreadPoolExecutor(number))
        yield Matrix(serving, folder, pool, free)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
