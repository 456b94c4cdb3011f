"""`python -m tests.kill`: the matrix and the kills at random times, as often as asked, as a table.

    python -m tests.kill                                # each point 100 times, 500 at random
    python -m tests.kill --repetitions 5 --random 20
    python -m tests.kill --only 'before the create leaves' --repetitions 1000

The exit code is 1 where anything was found; the folders of those campaigns stay.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kill.campaign import KEYED, KEYLESS
from tests.kill.matrix import LANES, matrix
from tests.kill.points import POINTS
from tests.kill.verdict import KINDS, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from tests.kill.campaign import Outcome
    from tests.kill.matrix import Matrix
    from tests.kill.points import Point

#: Findings that have a column of their own; the others share one.
COLUMNS = ("lost", "double", "repeat", "unlisted")
#: Campaigns of one provider: it remembers no more than some requests.
TOGETHER = 500
#: Findings of one line of the table that are told in full.
TOLD = 3
LINE = "{:48} {:12} {:>6} {:>6} {:>6} {:>6} {:>5} {:>6} {:>6} {:>8} {:>5}"


@dataclass
class Line:
    """One line of the table."""

    runs: int = 0
    kills: int = 0
    tasks: int = 0
    listed: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.kills += outcome.kills
        self.tasks += outcome.tasks
        self.listed += outcome.listed
        self.found += Counter(finding.what for finding in outcome.findings)

    def __add__(self, other: Line) -> Line:
        return Line(
            self.runs + other.runs,
            self.kills + other.kills,
            self.tasks + other.tasks,
            self.listed + other.listed,
            self.found + other.found,
        )

    def text(self, name: str, kind: str) -> str:
        rest = sum(self.found[what] for what in KINDS if what not in COLUMNS)
        counts = (self.runs, self.kills, self.tasks, self.listed)
        return LINE.format(name, kind, *counts, *(self.found[what] for what in COLUMNS), rest)


@dataclass(frozen=True)
class Block:
    """One line of the table, before it is played."""

    name: str
    kind: str
    start: Callable[[Matrix, Iterable[int]], list[Future[Outcome]]]
    numbers: range


@dataclass
class Tale:
    """What all blocks came to."""

    lines: dict[str, Line] = field(default_factory=lambda: {KEYED: Line(), KEYLESS: Line()})
    received: int = 0
    #: How many of each kind, by `Finding.what`.
    found: Counter[str] = field(default_factory=Counter)
    #: The first few of each line, in words.
    told: list[str] = field(default_factory=list)

    def play(self, here: Matrix, blocks: Iterable[Block]) -> None:
        """Play some blocks against one provider and print them."""
        for block in blocks:
            line, findings = Line(), list[Finding]()
            for campaign in block.start(here, block.numbers):
                outcome = campaign.result()
                line.add(outcome)
                findings += outcome.findings
            self.lines[block.kind] += line
            say(line.text(block.name, block.kind))
            self._note(f"{block.name}, {block.kind}", findings)
        refused = here.provider.refused_creates()
        self._note("provider", [Finding("refused", f"a create got {code}") for code in refused])
        self.received += here.provider.creates_received()

    def _note(self, where: str, findings: list[Finding]) -> None:
        self.found += Counter(finding.what for finding in findings)
        self.told += [f"{where}: {found.what}: {found.text}" for found in findings[:TOLD]]


def batches(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """The blocks in batches of about `TOGETHER` campaigns."""
    batch: list[Block] = []
    for block in blocks:
        batch.append(block)
        if sum(len(other.numbers) for other in batch) >= TOGETHER:
            yield batch
            batch = []
    yield batch


def blocks(options: argparse.Namespace) -> Iterator[Block]:
    """The lines that were asked for."""
    first = options.first
    numbers = range(first, first + options.repetitions)
    for point in POINTS:
        for kind in point.kinds if numbers and options.only in point.name else ():
            yield Block(point.name, kind, partial(at_point, point, kind), numbers)
    for kind, count in ((KEYED, (options.random + 1) // 2), (KEYLESS, options.random // 2)):
        if count:
            start = partial(at_random, kind)
            yield Block("at random, 50 jobs in flight", kind, start, range(first, first + count))


def at_point(
    point: Point, kind: str, here: Matrix, numbers: Iterable[int]
) -> list[Future[Outcome]]:
    return here.at(point, kind, numbers)


def at_random(kind: str, here: Matrix, numbers: Iterable[int]) -> list[Future[Outcome]]:
    return here.at_random(kind, numbers)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    options = _options()
    began = time.monotonic()
    tale, folder = Tale(), Path(tempfile.mkdtemp(prefix="kill-", dir=options.folder))
    say(LINE.format("killed", "provider", "runs", "kills", "tasks", "listed", *COLUMNS, "other"))
    for batch in batches(blocks(options)):
        with matrix(Path(tempfile.mkdtemp(dir=folder)), options.lanes) as here:
            tale.play(here, batch)
    for kind, line in tale.lines.items():
        say(line.text("all", kind))
    total = tale.lines[KEYED] + tale.lines[KEYLESS]
    say(
        f"{total.runs} campaigns, {total.kills} kills, {tale.received} creates received,"
        f" {total.tasks} tasks paid, {time.monotonic() - began:.0f} s"
    )
    for text in tale.told:
        say(text)
    if tale.found:
        found = ", ".join(f"{count} {what}" for what, count in tale.found.items())
        say(f"Found: {found}. The campaigns lie in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--repetitions", type=int, default=100, help="campaigns at each point")
    parser.add_argument("--random", type=int, default=500, help="campaigns killed at random times")
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition")
    parser.add_argument("--only", default="", help="points whose name holds this text")
    parser.add_argument("--lanes", type=int, default=LANES, help="processes at once")
    parser.add_argument("--folder", type=Path, help="where the run folders go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
