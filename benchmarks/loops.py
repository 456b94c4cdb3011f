"""The engine against loops that keep nothing, in turns in one run: a section of the page."""

from __future__ import annotations

import shutil
import statistics
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bare import IN_FLIGHT
from benchmarks.bars import bars
from benchmarks.page import table
from benchmarks.throughput import measure, sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Loop(NamedTuple):
    """One way to run the jobs: a module of this package."""

    module: str
    name: str
    #: It runs one part in so many of the jobs, in one of so many turns.
    jobs: int = 1
    turns: int = 1


LOOPS = (
    Loop("bare", f"bare aiohttp loop, {IN_FLIGHT} workers"),
    Loop("gathered", "gather behind a semaphore"),
    Loop("with_aiometer", "aiometer with aiohttp"),
    Loop("from_cookbook", "OpenAI cookbook's processor"),
    Loop("with_xargs", f"xargs -P {IN_FLIGHT} and curl", jobs=5, turns=3),
    Loop("keeping", "a bare loop that keeps all"),
    Loop("engine", "this engine"),
)

#: Least bytes of a video, and what is said of them: 0 leaves the sandbox's own clip as it is.
SIZES = {0: "4 KiB", 65_536: "64 KiB"}

_EACH = """\
A provider without latency, in a process of its own. Each job is a create, a look and a download.
The loops write one file and keep nothing; the engine keeps a durable ledger (five transitions a
job), syncs, hashes and checks each video and writes its sidecar. The bare loop that keeps all does
that too, and nothing else: no retries, no limits, no log, nothing that could go on after a crash.
It shows what durability alone costs here. Ratios are medians of those within one turn."""

_BETWEEN = f"""\
The bare loop, `gather` and aiometer have {IN_FLIGHT} in flight, as the engine has. The cookbook's
processor, written anew by its description, begins at most one request a millisecond and appends
each result to a JSONL file. `xargs` starts a shell for each job and a `curl` for each request; it
runs fewer jobs in fewer turns."""


class Taken(NamedTuple):
    """One measurement."""

    turn: int
    jobs: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds


def missing() -> dict[str, str]:
    """Modules that cannot run here, and why."""
    found = {}
    if find_spec("aiometer") is None:
        found["with_aiometer"] = "aiometer is not installed"
    absent = [name for name in ("xargs", "curl") if shutil.which(name) is None]
    if absent:
        found["with_xargs"] = f"{' and '.join(absent)} cannot be found"
    return found


def in_turns(
    loops: Sequence[Loop], base: str, jobs: int, turns: int, folder: Path
) -> dict[Loop, list[Taken]]:
    """Measure each loop once a turn, each turn begun by another one."""
    found: dict[Loop, list[Taken]] = {loop: [] for loop in loops}
    for turn in range(turns):
        first = turn % len(loops)
        for loop in (*loops[first:], *loops[:first]):
            if turn % loop.turns == 0:
                part = jobs // loop.jobs
                taken = measure(loop.module, base, part, folder / f"{loop.module}-{turn}")
                found[loop].append(Taken(turn, part, taken["seconds"], taken["cpu"]))
    return found


def rows(found: Mapping[Loop, Sequence[Taken]]) -> list[tuple[str, ...]]:
    """The table's rows; the ratio is the median of those to the bare loop in the same turn."""
    bare = {one.turn: one.rate for one in found[LOOPS[0]]}
    return [
        (
            loop.name,
            f"{statistics.median(one.rate for one in taken):,.0f}",
            f"{statistics.median(one.cpu / one.jobs * 1000 for one in taken):.2f} ms",
            f"{statistics.median(one.rate / bare[one.turn] for one in taken):.2f}",
            f"{taken[0].jobs}",
            f"{len(taken)}",
        )
        for loop, taken in found.items()
    ]


def of_keeping(found: Mapping[Loop, Sequence[Taken]]) -> float:
    """The engine's rate as a share of the loop's that keeps the same; median within the turns."""
    kept, engine = (found[loop] for loop in LOOPS if loop.module in ("keeping", "engine"))
    return statistics.median(mine.rate / its.rate for its, mine in zip(kept, engine, strict=True))


def throughput(folder: Path, docs: Path, jobs: int, turns: int) -> str:
    """The section; its plot goes to `docs`."""
    absent = missing()
    loops = [loop for loop in LOOPS if loop.module not in absent]
    tables, drawn, shares = [], {}, []
    for least, size in SIZES.items():
        inside = folder / f"videos-{least}"
        inside.mkdir()
        with sandbox(inside, least) as base:
            found = in_turns(loops, base, jobs, turns, inside)
        bytes_each = (inside / "bare-0" / "0.mp4").stat().st_size
        assert bytes_each >= least, f"a video of {bytes_each} bytes is no video of {size}"
        head = (f"videos of {size}", "jobs/s", "CPU a job", "of the bare loop", "jobs", "turns")
        tables.append(table(head, rows(found)))
        shares.append(f"{of_keeping(found):.2f} with {size}")
        drawn[f"videos of {size}"] = {
            loop.name: statistics.median(one.rate for one in taken) for loop, taken in found.items()
        }
    (docs / "throughput.svg").write_text(bars("Jobs a second, no latency", "jobs/s", drawn))
    left_out = [f"Left out: {loop.name}, as {absent[loop.module]}."
                for loop in LOOPS if loop.module in absent]  # fmt: skip
    reached = f"Of the loop that keeps all, this engine reaches {', '.join(shares)}."
    return _text(tables, [reached, *left_out])


def _text(tables: Sequence[str], remarks: Sequence[str]) -> str:
    parts = (
        "## Jobs a second",
        _EACH,
        "![Jobs a second](throughput.svg)",
        *tables,
        _BETWEEN,
        *remarks,
    )
    return "\n\n".join(parts) + "\n"
