"""How long manifests of very many jobs take to validate, and how much memory.

`python -m benchmarks.validation [--jobs N] [--times N] [--folder DIR]` measures the whole command,
each time in a process of its own, and then `check` against a bare `yaml.load` of a tenth of the
jobs, in turns in this process. Seconds are those of the CPU. Exits 1 where an error is not told at
its place, or where a figure is above the bound beside it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from benchmarks.large_manifest import Planted, large_manifest
from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import check

if TYPE_CHECKING:
    from collections.abc import Callable

#: Errors that are planted.
ERRORS = 100
#: Distinct sets of parameters, where they are few.
FEW = 1000

#: Most CPU seconds and MiB for 100,000 jobs: with few distinct sets of parameters, and with as many
#: as jobs. Most time of `check` by that of `yaml.load`, for a tenth of the jobs.
MOST_SECONDS = 8.0
MOST_SECONDS_DISTINCT = 16.0
MOST_MEMORY = 400.0
MOST_RATIO = 0.6


class Taken(NamedTuple):
    """What one validation took, and what it told."""

    seconds: float
    #: The peak, in MiB.
    memory: float
    told: list[Planted]


def validated(path: Path, out: Path) -> Taken:
    """`orchestrator validate --json` in a process of its own."""
    command = [sys.executable, "-m", "orchestrator", "validate", str(path), "--json"]
    with out.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream)
        _pid, _status, used = os.wait4(process.pid, 0)
    problems = json.loads(out.read_bytes())["problems"]
    told = [Planted(one["line"], one["column"], one["code"]) for one in problems]
    return Taken(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, told)


def in_turns(path: Path, times: int) -> float:
    """The median of `check` by that of `yaml.load`."""
    text = path.read_text("utf-8")
    catalog = shipped()
    mine = [0.0] * times
    bare = [0.0] * times
    for turn in range(times):
        mine[turn] = _seconds(lambda: check(path, catalog))
        bare[turn] = _seconds(lambda: yaml.load(text, yaml.CSafeLoader))
    return statistics.median(mine) / statistics.median(bare)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        good = [
            _measure(folder, options.jobs, distinct, options.times, most)
            for distinct, most in ((FEW, MOST_SECONDS), (options.jobs, MOST_SECONDS_DISTINCT))
        ]
        small = folder / "small.yaml"
        small.write_text(large_manifest(options.jobs // 10, distinct=FEW, errors=0)[0], "utf-8")
        ratio = in_turns(small, options.times)
    print(f"{options.jobs // 10:,} jobs: {ratio:.2f} of yaml.load (at most {MOST_RATIO})")
    raise SystemExit(0 if all(good) and ratio <= MOST_RATIO else 1)


def _measure(folder: Path, jobs: int, distinct: int, times: int, most: float) -> bool:
    """Measure one manifest and print it; whether all errors were told within the bounds."""
    path = folder / "large.yaml"
    text, planted = large_manifest(jobs, distinct=distinct, errors=ERRORS)
    path.write_text(text, "utf-8")
    taken = [validated(path, folder / "problems.json") for _turn in range(times)]
    found = all(one.told == planted for one in taken)
    seconds = statistics.median(one.seconds for one in taken)
    memory = max(one.memory for one in taken)
    print(
        f"{jobs:,} jobs, {len(text) / 1e6:.0f} MB, {distinct:,} distinct: {seconds:.1f} s "
        f"(at most {most:g}), {memory:.0f} MiB (at most {MOST_MEMORY:g}); "
        f"{ERRORS} errors {'all told at their places' if found else 'NOT all told'}"
    )
    return found and seconds <= most and memory <= MOST_MEMORY


if __name__ == "__main__":
    main()
