"""Nights in virtual time: how close the engine comes to the shortest possible one.

`python -m benchmarks.night [--jobs N] [--seeds N]`. The whole engine runs on a clock that jumps,
against providers that answer at once and make tasks of log-normal duration. A night is compared
with the one in which every result is seen the moment it is there, and with the lower bound: all
durations over the slots, or the longest task.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import math
import random
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.ledger.store import Ended, StoredFile
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, K
from tests.engine.world import Disk, Task, Wire, World, document_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.providers.base import Reply, Request

SLOTS = 64
SIGMA = 0.6
#: Median seconds by model: one kind of task, or three.
ONE = {"hailuo-pro": 90.0}
THREE = {"hailuo-pro": 60.0, "happyhorse-1-0": 90.0, "sora-2-pro": 180.0}


@dataclass(slots=True)
class Night(World):
    """A world in which the n-th job of the manifest takes what was drawn for it."""

    medians: dict[str, float] = field(default_factory=dict)
    looks: int = 0
    #: Seconds of the tasks in the order of their creation.
    taken: list[float] = field(default_factory=list)
    #: How late each end was seen, in seconds.
    delays: list[float] = field(default_factory=list)

    def make(self, provider: str, key: str | None, body: bytes) -> Task:
        """A task; how long it takes depends on the seed and on its prompt alone."""
        asked = json.loads(body)
        draw = random.Random(f"{self.seed} {asked['prompt']}")  # noqa: S311
        seconds = draw.lognormvariate(math.log(self.medians[asked["model"]]), SIGMA)
        now, number = anyio.current_time(), len(self.tasks) + 1
        task = Task(f"task_{number}", provider, key, body, now, now + seconds, "succeeded", 57.0)
        self.tasks[task.id] = task
        self.taken.append(seconds)
        return task


class AtOnce(Wire):
    """A wire without delays."""

    world: Night

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        """Make a task."""
        if on_sent is not None:
            on_sent()
        assert request.body is not None
        return document_of(self.world.make(self.provider, None, request.body), "queued")

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:  # noqa: ARG002
        """How a task stands; it counts how late its end is seen."""
        self.world.looks += 1
        task = self.world.tasks[request.path.rpartition("/")[2]]
        late = anyio.current_time() - task.ready_at
        if late >= 0:
            self.world.delays.append(late)
        return document_of(task, task.outcome if late >= 0 else "processing")


class Nowhere(Disk):
    """Takes videos at once."""

    async def fetch(self, url: str, target: str, **_: Any) -> StoredFile:  # noqa: ANN401, ARG002
        """Store nothing under a name."""
        self.world.files[target] = b""
        return StoredFile(target, 1, "0" * 64, 5.0, 16, 9)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One night."""

    seconds: float
    #: The same tasks in the same order, every result seen at once.
    at_once: float
    lower_bound: float
    looks: float
    delay: float


def night(
    seed: int, jobs: int, medians: dict[str, float], *, learned: bool, slots: int = SLOTS
) -> Outcome:
    """Run one night; `learned` says that earlier runs told how long tasks take."""
    world = Night(seed=seed, medians=medians)
    bench = Bench(world=world)
    bench.wires[K] = AtOnce(world, K)  # type: ignore[assignment]
    bench.store = Nowhere(world)
    if learned:
        bench.ended[K] = earlier(seed, medians)
    models = list(medians)
    what = manifest(
        [spec(number, model=models[number % len(models)]) for number in range(jobs)],
        in_flight=slots, creates_per_minute=1e6, polls_per_second=slots / 8, downloads=1000,
    )  # fmt: skip
    tally = bench.run(what)
    assert tally.exit_code() == 0, tally
    bound = max(math.fsum(world.taken) / slots, *world.taken)
    return Outcome(
        bench.now,
        in_order(world.taken, slots),
        bound,
        world.looks / jobs,
        statistics.mean(world.delays),
    )


def earlier(seed: int, medians: dict[str, float]) -> list[Ended]:
    """What 100 tasks of each model took in earlier runs."""
    draw = random.Random(f"earlier {seed}")  # noqa: S311
    return [
        Ended(f"{K}/{model}", {}, draw.lognormvariate(math.log(median), SIGMA))
        for model, median in medians.items()
        for _ in range(100)
    ]


def in_order(taken: list[float], slots: int) -> float:
    """When the last of these tasks ends, each begun in the slot that is free first."""
    free = [0.0] * slots
    for seconds in taken:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    logging.disable()
    print("                           of at-once  of bound  looks/job  delay")
    for name, jobs, medians, learned, slots in (
        (f"{options.jobs} jobs, learned", options.jobs, ONE, True, SLOTS),
        (f"{options.jobs} jobs, new", options.jobs, ONE, False, SLOTS),
        ("1000 jobs of 3 models, learned", 1000, THREE, True, SLOTS),
        ("1000 jobs of 3 models, new", 1000, THREE, False, SLOTS),
        ("1000 jobs all at once, learned", 1000, ONE, True, 1000),
    ):
        nights = [
            night(seed, jobs, medians, learned=learned, slots=slots)
            for seed in range(options.seeds)
        ]
        print(
            f"{name:31}{statistics.median(n.seconds / n.at_once for n in nights):6.3f}"
            f"{statistics.median(n.seconds / n.lower_bound for n in nights):10.3f}"
            f"{statistics.median(n.looks for n in nights):11.1f}"
            f"{statistics.median(n.delay for n in nights):7.1f}"
        )


if __name__ == "__main__":
    main()
