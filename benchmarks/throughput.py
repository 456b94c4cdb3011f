"""How many jobs a second pass, engine against a bare loop, measured in turns in one run.

`python -m benchmarks.throughput [--jobs N] [--pairs N] [--folder DIR]`. The sandbox serves in a
process of its own and answers at once. Each measurement has a new folder, and nothing is removed
before the end: file systems are slow for a while after many files were removed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The sandbox answers without any pace of its own.
AT_ONCE = "pace: 0\nvideo_bytes: {}\n"


@contextmanager
def served(folder: Path, faults: str) -> Iterator[dict[str, str]]:
    """A sandbox with these faults, in a process of its own; its base URLs by provider."""
    path = folder / "faults.yaml"
    path.write_text(faults)
    command = [sys.executable, "-m", "orchestrator", "sandbox", "--faults", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            urls: dict[str, str] = json.loads(serving.stdout.readline())
            yield urls
        finally:
            serving.terminate()


@contextmanager
def sandbox(folder: Path, video_bytes: int = 0) -> Iterator[str]:
    """A sandbox without latencies, its videos at least so large; its base URL for Rivya."""
    with served(folder, AT_ONCE.format(video_bytes)) as urls:
        yield urls["rivya"]


def measure(what: str, base: str, jobs: int, folder: Path) -> dict[str, float]:
    """One measurement in a process of its own: `seconds` and `cpu` for all jobs.

    What the measurement before left to be written goes to disk first, so that nobody's sync waits
    for another's bytes.
    """
    folder.mkdir()
    os.sync()
    command = [sys.executable, "-m", f"benchmarks.{what}", base, str(jobs), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def pairs(
    base: str, jobs: int, times: int, folder: Path, loops: Iterable[str] = ("bare", "engine")
) -> dict[str, list[dict[str, float]]]:
    """Bare loop and engine, or other modules of this package, in turns."""
    found: dict[str, list[dict[str, float]]] = {what: [] for what in loops}
    for turn in range(times):
        for what, taken in found.items():
            taken.append(measure(what, base, jobs, folder / f"{what}-{turn}"))
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--bytes", type=int, default=0, help="least size of a video")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as name,
        sandbox(Path(name), options.bytes) as base,
    ):
        found = pairs(base, options.jobs, options.pairs, Path(name))
    for what, taken in found.items():
        rates = [options.jobs / one["seconds"] for one in taken]
        cpu = statistics.median(one["cpu"] / options.jobs * 1000 for one in taken)
        each = " ".join(f"{rate:.0f}" for rate in rates)
        print(f"{what:7} {statistics.median(rates):6.0f} jobs/s  {cpu:.2f} ms CPU a job  ({each})")
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(*found.values(), strict=True)]
    print(f"engine / bare loop: {statistics.median(ratios):.2f} (median of pairs)")


if __name__ == "__main__":
    main()
