"""All measurements, written to `docs/performance.md`: `python -m benchmarks [--quick]`.

`--folder DIR` is where run folders are made for a while, `--docs DIR` where the page and its plots
go. What is compared is measured in turns in one run; figures are medians.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import table

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"


def startup(times: int) -> str:
    """How long each command takes to say something."""
    from benchmarks.startup import milliseconds

    rows = [(f"`{name}`", f"{taken:.0f} ms") for name, taken in milliseconds(times).items()]
    return f"## Start\n\nAbove `python -c pass`.\n\n{table(('', 'more'), rows)}\n"


def sections(folder: Path, docs: Path, *, quick: bool) -> Iterator[str]:
    """The parts of the page, in its order.

    Modules are imported as they are needed, and large texts are made late: where a process asks
    for the most memory that it ever held, it is told at least what its parent held.
    """
    from benchmarks.loops import throughput
    from benchmarks.scale import in_flight, scale

    yield throughput(folder, docs, 500, 3 if quick else 9)
    yield scale(folder, docs, {1000: 1, 3000: 1} if quick else {1000: 5, 10_000: 3, 100_000: 1})
    many = {"rivya": 500, "acedatacloud": 100} if quick else {"rivya": 10_000, "acedatacloud": 2000}
    yield in_flight(folder, many, 2 if quick else 30)

    from benchmarks.ledger import ledger_events
    from benchmarks.loading import loading

    yield ledger_events(folder, *((1, 0.5) if quick else (5, 1.0)))
    yield loading(folder, {1000: 1, 10_000: 1} if quick else {1000: 5, 10_000: 5, 100_000: 3})
    yield from in_virtual_time(docs, quick=quick)
    yield startup(1 if quick else 9)


def in_virtual_time(docs: Path, *, quick: bool) -> Iterator[str]:
    """The parts that are simulated."""
    from benchmarks.nights import makespans, played, scenes
    from benchmarks.polling import polling

    wanted = scenes(1000, 2, 2) if quick else scenes(10_000, 20, 10)
    found = played(wanted)
    yield makespans(docs, wanted, found)
    yield polling(docs, wanted[-1].jobs, found[-1])


def told(parts: Iterator[str]) -> Iterator[str]:
    """The same parts; each is told on stderr when it is there, with the seconds that it took."""
    began = time.monotonic()
    for part in parts:
        now = time.monotonic()
        print(f"{part.partition(chr(10))[0]}: {now - began:.0f} s", file=sys.stderr)
        began = now
        yield part


def main() -> None:
    """Measure all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs and turns")
    parser.add_argument("--folder", type=Path, default=None, help="where run folders are made")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page is written")
    options = parser.parse_args()
    logging.disable()
    head = (
        "# Performance\n\nWritten by `make bench`. Medians; what is compared was measured in turns"
        f" in one run, on {os.cpu_count()} cores with Python {platform.python_version()}.\n"
    )
    options.docs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        parts = sections(Path(name), options.docs, quick=options.quick)
        page = "\n".join([head, *told(parts)])
    (options.docs / "performance.md").write_text(page)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
