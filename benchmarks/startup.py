"""How long each command takes to say something: `python -m benchmarks.startup [--times N]`.

Milliseconds above `python -c pass`, medians, measured in turns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = (
    "", "init", "validate", "plan", "run", "status", "resolve", "report", "export", "verify",
    "rebuild", "models", "schemas", "sandbox", "doctor",
)  # fmt: skip


def lines() -> dict[str, list[str]]:
    """The command lines, by the name that they are told by."""
    program = [sys.executable, "-m", "orchestrator"]
    helps = {f"{name} --help".strip(): [*program, *name.split(), "--help"] for name in COMMANDS}
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "--version": [*program, "--version"],
        **helps,
    }


def milliseconds(times: int) -> dict[str, float]:
    """The median of each command line, above that of Python alone."""
    found: dict[str, list[float]] = {name: [] for name in lines()}
    for _ in range(times):
        for name, line in lines().items():
            began = time.perf_counter()
            subprocess.run(line, check=True, capture_output=True)
            found[name].append((time.perf_counter() - began) * 1000)
    medians = {name: statistics.median(taken) for name, taken in found.items()}
    bare = medians.pop("python -c pass")
    return {name: taken - bare for name, taken in medians.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    for name, taken in milliseconds(parser.parse_args().times).items():
        print(f"{name:16}{taken:6.0f} ms")


if __name__ == "__main__":
    main()
