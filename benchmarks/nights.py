"""Makespans and looks in virtual time: a section of the page.

Nights are simulated, so that they may share the machine: as many run at once as it has cores.
"""

from __future__ import annotations

import logging
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.axes import Axis
from benchmarks.night import ONE, SLOTS, THREE, Outcome, night
from benchmarks.page import table
from benchmarks.spans import spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Scene(NamedTuple):
    """A kind of night, and how many of it are simulated."""

    jobs: int
    seeds: int
    medians: dict[str, float]
    learned: bool
    slots: int = SLOTS

    @property
    def name(self) -> str:
        """What is said of it."""
        kinds = f" of {len(self.medians)} models" if len(self.medians) > 1 else ""
        at_once = "all at once" if self.slots >= self.jobs else f"{self.slots} at once"
        known = "times known" if self.learned else "times learned on the way"
        return f"{self.jobs:,} jobs{kinds}, {at_once}, {known}"

    def play(self, seed: int) -> Outcome:
        """One such night."""
        return night(seed, self.jobs, self.medians, learned=self.learned, slots=self.slots)


def scenes(jobs: int, seeds: int, seeds_new: int) -> list[Scene]:
    """The nights of the page; the last one is also what polling is judged by."""
    return [
        Scene(jobs, seeds, ONE, learned=True),
        Scene(jobs, seeds_new, ONE, learned=False),
        Scene(1000, seeds, THREE, learned=True),
        Scene(1000, seeds, ONE, learned=True, slots=1000),
    ]


def played(wanted: Sequence[Scene]) -> list[list[Outcome]]:
    """All nights of each scene."""
    with ProcessPoolExecutor(initializer=logging.disable) as pool:
        waiting = [
            [pool.submit(scene.play, seed) for seed in range(scene.seeds)] for scene in wanted
        ]
        return [[one.result() for one in nights] for nights in waiting]


def makespans(docs: Path, wanted: Sequence[Scene], found: Sequence[Sequence[Outcome]]) -> str:
    """The section; its plot goes to `docs`."""
    outcomes = dict(zip((scene.name for scene in wanted), found, strict=True))
    rows = [_row(name, nights) for name, nights in outcomes.items()]
    (docs / "makespan.svg").write_text(drawn(outcomes))
    head = ("", "of results seen at once", "of the lower bound", "looks a job", "mean delay",
            "nights")  # fmt: skip
    return f"""## Nights

The whole engine in virtual time. Tasks last log-normally, median 90 s, sigma 0.6; the three models
have medians of 60, 90 and 180 s. Looks are at most one every 8 s a task. The lower bound is all
durations over the slots, or the longest task.

![How long nights last](makespan.svg)

{table(head, rows)}
"""


def _row(name: str, nights: Sequence[Outcome]) -> tuple[str, ...]:
    return (
        name,
        f"{statistics.median(one.seconds / one.at_once for one in nights):.3f}",
        f"{statistics.median(one.seconds / one.lower_bound for one in nights):.3f}",
        f"{statistics.median(one.looks for one in nights):.1f}",
        f"{statistics.median(one.delay for one in nights):.1f} s",
        str(len(nights)),
    )


def drawn(found: Mapping[str, Sequence[Outcome]]) -> str:
    """Both ratios of each kind of night: medians, from the shortest night to the longest."""
    ratios = {
        name: {
            "of results seen at once": [one.seconds / one.at_once for one in nights],
            "of the lower bound": [one.seconds / one.lower_bound for one in nights],
        }
        for name, nights in found.items()
    }
    most = max(max(figures) for kinds in ratios.values() for figures in kinds.values())
    step = 0.02 if most < 1.12 else 0.05
    marks = [1.0]
    while marks[-1] < most:
        marks.append(round(marks[-1] + step, 2))
    axis = Axis("makespan, as a ratio (dot: median; line: all nights)", marks)
    return spans("How long nights last", axis, ratios)
