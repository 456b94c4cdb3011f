"""How soon ends are seen, for how many looks, against fixed intervals: a section of the page."""

from __future__ import annotations

import math
import random
import statistics
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.axes import Axis, Box, Series, around, plot
from benchmarks.drawing import COLOURS, legend, picture
from benchmarks.night import ONE, SIGMA
from benchmarks.page import table
from tests.engine.campaigns import spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.night import Outcome

INTERVALS = (2.0, 5.0, 10.0, 15.0, 30.0)


class Watched(NamedTuple):
    """What watching costs and brings: looks for each job, and the mean delay in seconds."""

    looks: float
    delay: float


def durations(seed: int, jobs: int) -> list[float]:
    """How long the tasks of a night of one model take: those that the engine has in it."""
    (median,) = ONE.values()
    return [
        random.Random(f"{seed} {spec(number).prompt}").lognormvariate(math.log(median), SIGMA)  # noqa: S311
        for number in range(jobs)
    ]


def fixed(interval: float, taken: Sequence[float]) -> Watched:
    """Tasks looked at every so many seconds from their creation on, until their end is seen."""
    looks = [max(1, math.ceil(seconds / interval)) for seconds in taken]
    late = [count * interval - seconds for count, seconds in zip(looks, taken, strict=True)]
    return Watched(statistics.mean(looks), statistics.mean(late))


def as_often(looks: float, taken: Sequence[float]) -> float:
    """The interval, in seconds, that takes about so many looks a job."""
    low, high = 0.1, max(taken)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if fixed(middle, taken).looks > looks else (low, middle)
    return high


def polling(docs: Path, jobs: int, nights: Sequence[Outcome]) -> str:
    """The section; its plot goes to `docs`. `nights` are of one model, all at once, by seed."""
    taken = [seconds for seed in range(len(nights)) for seconds in durations(seed, jobs)]
    intervals = {interval: fixed(interval, taken) for interval in INTERVALS}
    engine = Watched(
        statistics.mean(one.looks for one in nights), statistics.mean(one.delay for one in nights)
    )
    same = as_often(engine.looks, taken)
    between = [fixed(interval, taken) for interval in range(2, 31)]
    (docs / "polling.svg").write_text(drawn(intervals, between, engine))
    ways = {f"every {interval:g} s": one for interval, one in intervals.items()}
    ways |= {f"every {same:.1f} s: as many looks": fixed(same, taken), "this engine": engine}
    rows = [(name, f"{one.looks:.1f}", f"{one.delay:.1f} s") for name, one in ways.items()]
    return f"""## Looks

How soon an end is seen, and for how many looks: {jobs:,} tasks at once, log-normal with median 90 s
and sigma 0.6, means over {len(nights)} nights. The engine knows from earlier runs how long tasks
take; fixed intervals are simulated on the same tasks.

![Looks and delay](polling.svg)

{table(("", "looks a job", "mean delay"), rows)}
"""


def drawn(intervals: Mapping[float, Watched], between: Sequence[Watched], engine: Watched) -> str:
    """The fixed intervals as a line, the engine as a point: the lower left is better."""
    shown = [*between, engine]
    looks = around(min(one.looks for one in shown), max(one.looks for one in shown))
    delays = around(min(one.delay for one in shown), max(one.delay for one in shown))
    said = [f"{interval:g} s" for interval in intervals]
    series = [
        Series(COLOURS[0], list(intervals.values()), said, between),
        Series(COLOURS[1], [engine], radius=6),
    ]
    names = {"fixed interval": COLOURS[0], "this engine": COLOURS[1]}
    axes = (
        Axis("looks a job (logarithmic)", looks, True),
        Axis("mean delay, s (logarithmic)", delays, True),
    )
    parts = [*legend(77, 46, names), *plot(Box(72, 62, 590, 260), *axes, series)]
    return picture("How late an end is seen, by the number of looks", 372, parts)
