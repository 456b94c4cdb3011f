"""The engine's processor time and memory by the number of jobs: a section of the page."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.axes import Axis, Box, Series, from_zero, plot
from benchmarks.drawing import COLOURS, legend, picture
from benchmarks.page import measured as apart
from benchmarks.page import table
from benchmarks.throughput import measure, sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def measured(folder: Path, sizes: Mapping[int, int]) -> dict[int, dict[str, float]]:
    """Medians by number of jobs; `sizes` says how many turns each number gets."""
    taken: dict[int, list[dict[str, float]]] = {jobs: [] for jobs in sizes}
    with sandbox(folder) as base:
        for turn in range(max(sizes.values())):
            for jobs in [jobs for jobs, turns in sizes.items() if turn < turns]:
                taken[jobs].append(measure("engine", base, jobs, folder / f"{jobs}-{turn}"))
    return {
        jobs: {what: statistics.median(one[what] for one in turns) for what in turns[0]}
        for jobs, turns in taken.items()
    }


def scale(folder: Path, docs: Path, sizes: Mapping[int, int]) -> str:
    """The section; its plot goes to `docs`."""
    inside = folder / "scale"
    inside.mkdir()
    found = measured(inside, sizes)
    (docs / "scale.svg").write_text(drawn(found))
    rows = [_row(jobs, taken, sizes[jobs]) for jobs, taken in found.items()]
    head = ("", "CPU a job", "with the plan loaded", "at most", "more for each job", "turns")
    return f"""## Many jobs

![Processor time and memory by the number of jobs](scale.svg)

{table(head, rows)}
"""


def in_flight(folder: Path, tasks: Mapping[str, int], seconds: float) -> str:
    """The section on many tasks at once; `tasks` says how many of each provider."""
    rows = []
    for provider, most in tasks.items():
        asked = ("--provider", provider, "--tasks", most, "--seconds", seconds, "--folder", folder)
        found = apart("in_flight", *asked)
        rows.append((
            f"{most:,} tasks of {provider}",
            f"{found['resident_bytes'] / 2**20:.0f} MiB",
            f"{found['cores_between_looks']:.2%}",
            f"{found['cores_with_looks']:.2%}",
            f"{found['looks_a_second']:.2f}",
        ))  # fmt: skip
    head = ("", "memory in all", "of a core between looks", "of a core with looks",
            "requests for looks a second")  # fmt: skip
    return f"""## In flight

The whole process while tasks are under way that do not end, over {seconds:g} s, with the looks of
the default limits.

{table(head, rows)}
"""


def _row(jobs: int, taken: Mapping[str, float], turns: int) -> tuple[str, ...]:
    more = taken["peak"] - taken["loaded"]
    return (
        f"{jobs:,} jobs", f"{taken['cpu'] / jobs * 1000:.2f} ms",
        f"{taken['loaded'] / 2**20:.0f} MiB", f"{taken['peak'] / 2**20:.0f} MiB",
        f"{more / jobs / 1024:.1f} KiB", str(turns),
    )  # fmt: skip


def drawn(found: Mapping[int, Mapping[str, float]]) -> str:
    """Processor time beside memory, both over the number of jobs."""
    cpu = [(jobs, taken["cpu"] / jobs * 1000) for jobs, taken in found.items()]
    loaded = [(jobs, taken["loaded"] / 2**20) for jobs, taken in found.items()]
    peak = [(jobs, taken["peak"] / 2**20) for jobs, taken in found.items()]
    names = {"at most": COLOURS[1], "with the plan loaded": COLOURS[2]}
    jobs = Axis("jobs", list(found), logarithmic=True)
    parts = [
        *plot(Box(72, 62, 240, 190), jobs, _from_zero("CPU a job, ms", cpu),
              [Series(COLOURS[0], cpu)]),
        *plot(Box(420, 62, 240, 190), jobs, _from_zero("memory, MiB", peak),
              [Series(COLOURS[1], peak), Series(COLOURS[2], loaded)]),
        *legend(425, 46, names),
    ]  # fmt: skip
    return picture("Processor time and memory by the number of jobs", 302, parts)


def _from_zero(label: str, points: Sequence[tuple[float, float]]) -> Axis:
    return Axis(label, from_zero(max(height for _, height in points)))
