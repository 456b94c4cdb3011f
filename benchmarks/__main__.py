"""All measurements, written to `docs/performance.md`: `python -m benchmarks [--quick] [--folder]`.

What is compared is measured in turns in one run; figures are medians.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bars import bars
from benchmarks.night import ONE, SLOTS, THREE, night
from benchmarks.startup import milliseconds
from benchmarks.throughput import measure, pairs, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DOCS = Path(__file__).resolve().parent.parent / "docs"

#: What is said of each loop.
_LOOPS = {
    "bare": "bare aiohttp loop, 64 workers",
    "gathered": "gather behind a semaphore",
    "engine": "this engine",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are figures."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))


def throughput(folder: Path, jobs: int, times: int) -> str:
    """The engine against loops that keep nothing."""
    with sandbox(folder) as base:
        found = pairs(base, jobs, times, folder, _LOOPS)
    rates = {what: statistics.median(jobs / one["seconds"] for one in taken)
             for what, taken in found.items()}  # fmt: skip
    named = {_LOOPS[what]: rate for what, rate in rates.items()}
    (DOCS / "throughput.svg").write_text(bars("Jobs a second, no latency", "jobs/s", named))
    rows = []
    for what, taken in found.items():
        ratios = [bare["seconds"] / one["seconds"] for bare, one in zip(found["bare"], taken)]  # noqa: B905
        cpu = statistics.median(one["cpu"] / jobs * 1000 for one in taken)
        ratio = statistics.median(ratios)
        rows.append((_LOOPS[what], f"{rates[what]:,.0f}", f"{cpu:.2f} ms", f"{ratio:.2f}"))
    return f"""## Jobs a second

{jobs} jobs, {SLOTS} in flight, a provider without latency in a process of its own, {times} turns.
Each job is a create, a look and a download. The loops write one file and keep nothing; the engine
keeps a durable ledger (five transitions a job), syncs, hashes and checks each video and writes its
sidecar.

![Jobs a second](throughput.svg)

{table(("", "jobs/s", "CPU a job", "of the bare loop"), rows)}
"""


def scale(folder: Path, sizes: Sequence[int]) -> str:
    """CPU and memory by the number of jobs."""
    rows = []
    with sandbox(folder) as base:
        for jobs in sizes:
            taken = measure("engine", base, jobs, folder / f"scale-{jobs}")
            more = taken["peak"] - taken["loaded"]
            rows.append((
                f"{jobs:,} jobs", f"{taken['cpu'] / jobs * 1000:.2f} ms",
                f"{taken['loaded'] / 2**20:.0f} MiB", f"{taken['peak'] / 2**20:.0f} MiB",
                f"{more / jobs / 1024:.1f} KiB",
            ))  # fmt: skip
    head = ("", "CPU a job", "with the plan loaded", "at most", "more for each job")
    return f"## Many jobs\n\n{table(head, rows)}\n"


def nights(jobs: int, seeds: int) -> str:
    """Makespan and looks in virtual time."""
    scenes = (
        (f"{jobs:,} jobs, {SLOTS} at once, times known", jobs, ONE, True, SLOTS),
        (f"{jobs:,} jobs, {SLOTS} at once, times learned on the way", jobs, ONE, False, SLOTS),
        (f"1,000 jobs of 3 models, {SLOTS} at once, times known", 1000, THREE, True, SLOTS),
        ("1,000 jobs, all at once, times known", 1000, ONE, True, 1000),
    )
    rows = [_night_row(*scene, seeds=seeds) for scene in scenes]
    head = ("", "of results seen at once", "of the lower bound", "looks a job", "mean delay")
    return f"""## Nights

The whole engine in virtual time, {seeds} seeds. Tasks last log-normally, median 90 s, sigma 0.6;
the three models have medians of 60, 90 and 180 s. Looks are at most one every 8 s a task. The
lower bound is all durations over the slots, or the longest task.

{table(head, rows)}
"""


def _night_row(
    name: str, jobs: int, medians: Mapping[str, float], known: bool, slots: int, *, seeds: int
) -> tuple[str, ...]:  # fmt: skip
    found = [night(seed, jobs, dict(medians), learned=known, slots=slots) for seed in range(seeds)]
    return (
        name,
        f"{statistics.median(one.seconds / one.at_once for one in found):.3f}",
        f"{statistics.median(one.seconds / one.lower_bound for one in found):.3f}",
        f"{statistics.median(one.looks for one in found):.1f}",
        f"{statistics.median(one.delay for one in found):.1f} s",
    )


def startup(times: int) -> str:
    """How long each command takes to say something."""
    rows = [(f"`{name}`", f"{taken:.0f} ms") for name, taken in milliseconds(times).items()]
    return f"## Start\n\nAbove `python -c pass`.\n\n{table(('', 'more'), rows)}\n"


def sections(folder: Path, *, quick: bool) -> Iterator[str]:
    """The parts of the page, in its order."""
    yield throughput(folder, 500, 3 if quick else 9)
    yield scale(folder, (1000,) if quick else (1000, 10_000, 100_000))
    yield nights(1000 if quick else 10_000, 2 if quick else 5)
    yield startup(3 if quick else 9)


def main() -> None:
    """Measure all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs and turns")
    parser.add_argument("--folder", type=Path, default=None, help="where run folders are made")
    options = parser.parse_args()
    logging.disable()
    head = (
        "# Performance\n\nWritten by `make bench`. Medians; what is compared was measured in turns"
        f" in one run, on {os.cpu_count()} cores with Python {platform.python_version()}.\n"
    )
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        page = "\n".join([head, *sections(Path(name), quick=options.quick)])
    (DOCS / "performance.md").write_text(page)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
