"""How a run stands, on stderr, while it goes on.

On a terminal a small live display; elsewhere one plain line at most every half minute, and one
every five minutes where nothing changes. What is shown is a `Snapshot`, a pure reading of the
engine's own counts; nothing here changes a run.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Protocol, TextIO

from orchestrator.engine.tally import PENDING
from orchestrator.errors import StorageError
from orchestrator.jobs import State
from orchestrator.plan.cost import amount
from orchestrator.providers.replies import clean
from orchestrator.report.figures import counted, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from orchestrator.engine.account import Account
    from orchestrator.engine.clock import Clock
    from orchestrator.engine.tally import Tally

#: Seconds between two refreshes of the live display, and between two plain lines.
REFRESH = 0.5
PLAIN_EVERY = 30.0
#: Seconds after which a plain line comes although nothing changed, while jobs are open.
QUIET_MOST = 300.0
#: What the live display shows at most, so that it fits a terminal of 24 lines.
MOST_ACCOUNTS = 4
MOST_WAITS = 3
#: How many characters of a reason to wait are shown.
LONGEST_WHY = 90

#: States that somebody may have to do something about.
_BAD = (State.FAILED, State.UNKNOWN, State.QUARANTINED)


class Watched(Protocol):
    """What is read of a running campaign (see `engine.campaign.Campaign`)."""

    @property
    def tally(self) -> Tally:
        """Counts as they stand now."""

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts of this run."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one provider's creates count for now, over the run folder's whole life."""

    provider: str
    #: In credits, of creates that were sent; what is reserved counts like what is spent.
    charged: float
    #: The manifest's cap, None where there is none.
    cap: float | None
    #: Some of these creates are of unknown price: `charged` leaves them out.
    unpriced: bool
    slots_held: int
    slots_most: int

    def __str__(self) -> str:
        """Like `rivya 1,934 of 2,000 credits`; an unknown price is never shown as 0."""
        of_cap = "" if self.cap is None else f" of {amount(self.cap)}"
        if not self.unpriced:
            return f"{self.provider} {amount(self.charged)}{of_cap} credits"
        if self.charged:
            return f"{self.provider} at least {amount(self.charged)}{of_cap} credits"
        return f"{self.provider} cost unknown"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that the run waits for."""

    what: str
    #: For how long still, None where nobody knows.
    seconds: float | None = None

    def __str__(self) -> str:
        return self.what if self.seconds is None else f"{self.what}, {_whole(self.seconds)} more"

    def until(self, wall: float) -> str:
        """The same for who reads it later: with the time of day, of this machine, that it ends at.

        `wall` is now, in seconds since the epoch.
        """
        if self.seconds is None:
            return self.what
        due = time.strftime("%H:%M:%S", time.localtime(math.ceil(wall + self.seconds)))
        return f"{self.what}, next try at {due}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a run stands at one moment. Counts are jobs of the manifest."""

    total: int
    #: By state; they add up to the total.
    counts: Mapping[State, int]
    downloading: int
    #: Bytes that this run brought to disk.
    bytes_now: int
    #: Seconds since the run began.
    elapsed: float
    spending: tuple[Spending, ...]
    waiting: tuple[Waiting, ...]

    @property
    def has_open_jobs(self) -> bool:
        """Whether some job is still to be sent, or is under way."""
        return any(self.counts[state] for state in (State.PLANNED, *PENDING))

    def without_time(self) -> Snapshot:
        """The same, apart from what changes while nothing happens."""
        waiting = tuple(Waiting(wait.what) for wait in self.waiting)
        return replace(self, elapsed=0.0, waiting=waiting)


def snapshot(campaign: Watched, now: float, *, started: float, total: int) -> Snapshot:
    """Read a campaign's counts; `now` and `started` are on the engine's clock, in seconds.

    `total` counts the jobs of the run before the ledger does; the ledger's own number wins once
    it is larger, so that nothing is ever more than the whole.
    """
    counts = {state: campaign.tally.counts[state] for state in State}
    total = max(total, sum(counts.values()))
    counts[State.PLANNED] += total - sum(counts.values())
    return Snapshot(
        total=total,
        counts=counts,
        downloading=campaign.tally.downloading,
        bytes_now=campaign.tally.bytes_now,
        elapsed=max(now - started, 0.0),
        spending=tuple(_spending(campaign.accounts)),
        waiting=(*_stopping(campaign), *_waits(campaign.accounts, now)),
    )


def _spending(accounts: Sequence[Account]) -> Iterator[Spending]:
    """What the ledger says of each account's creates; what is only about to be sent is not in it.

    The budget's own figures hold that already, so that no two creates take the same credits.
    """
    spend = accounts[0].run.ledger.spend() if accounts else {}
    for account in accounts:
        name = account.provider.name
        spent = spend.get(name)
        yield Spending(
            provider=name,
            charged=spent.charge if spent else 0.0,
            cap=account.run.budget.caps.credits.get(name),
            unpriced=bool(spent and spent.unpriced),
            slots_held=account.slots.held,
            slots_most=account.slots.most,
        )


def _stopping(campaign: Watched) -> Iterator[Waiting]:
    """What a run that creates nothing more still waits for."""
    if not any(account.run.stopping for account in campaign.accounts):
        return
    on_the_wire = campaign.tally.on_the_wire
    if on_the_wire:
        creates = counted(on_the_wire, "create")
        yield Waiting(f"stopping: {creates} on the wire, perhaps paid, waiting for the answer")
    else:
        yield Waiting("stopping: no new creates, saving what is under way")


def _waits(accounts: Sequence[Account], now: float) -> Iterator[Waiting]:
    if any(account.run.no_room for account in accounts):
        yield Waiting("the disk is full: creates wait until there is room")
    for account in accounts:
        name = account.provider.name
        if account.halted:
            yield Waiting(f"{name} creates nothing more: it needs you, see the end of this run")
            continue
        for what, gate in (("creates", account.gate), ("looks", account.poll_gate)):
            if gate.closed_for:
                why = shorten(gate.why, LONGEST_WHY, placeholder=" …")
                yield Waiting(f"{what} at {name} wait: {why}", gate.closed_for)
                break
        if account.unknowns.paused:
            until = account.unknowns.paused_until
            yield Waiting(f"{name} is paused after unknown creates", _left(until, now))
        for model, breaker in account.channels.items():
            if breaker.paused:
                yield Waiting(f"{model} is paused: dead channel", _left(breaker.paused_until, now))


def _left(until: float | None, now: float) -> float | None:
    """Seconds until then; None once it has come, when a probe is under way."""
    return until - now if until is not None and until > now else None


def line(snap: Snapshot, wall: float) -> str:
    """A snapshot as one plain line; `wall` is its time, in seconds since the epoch."""
    parts = [f"{count:,} {state}" for state, count in others(snap.counts)]
    groups = [
        f"{_whole(snap.elapsed)}: {', '.join([_stored(snap), *parts])}",
        ", ".join(str(spending) for spending in snap.spending),
        ", ".join(wait.until(wall) for wait in snap.waiting),
    ]
    return clean("; ".join(group for group in groups if group))


def _stored(snap: Snapshot) -> str:
    return f"{snap.counts[State.STORED]:,} of {snap.total:,} stored"


def others(counts: Mapping[State, int]) -> list[tuple[State, int]]:
    """The states that jobs are in but `stored`, in the order of a job's life."""
    shown = (state for state in State if state is not State.STORED)
    return [(state, counts[state]) for state in shown if counts[state]]


def _whole(seconds: float) -> str:
    return span(int(seconds))


def moves(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal that may show colour and motion."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def is_live(mode: str, stream: TextIO) -> bool:
    """Whether progress in this mode is a display that lives on the stream."""
    return mode == "auto" and moves(stream, os.environ)


async def show(campaign: Watched, *, mode: str, stream: TextIO, total: int, clock: Clock) -> None:
    """Show a run's progress on a stream until cancelled; `mode` is `auto`, `plain` or `none`.

    A stream that goes away, such as a closed terminal, ends the progress and never the run.
    """
    started = clock.now()

    def look() -> Snapshot:
        return snapshot(campaign, clock.now(), started=started, total=total)

    try:
        if mode == "none":
            return
        if is_live(mode, stream):
            await _show_live(look, stream, clock)
        else:
            await _show_plain(look, stream, clock)
    except (OSError, ValueError, StorageError):
        # ValueError is what a closed file object raises; a ledger that fails ends the run itself.
        return


async def _show_plain(look: Callable[[], Snapshot], stream: TextIO, clock: Clock) -> None:
    latest: Snapshot | None = None
    told = 0.0
    try:
        while True:
            await clock.sleep(PLAIN_EVERY)
            now = look()
            is_quiet = now.has_open_jobs and now.elapsed - told >= QUIET_MOST
            if is_quiet or now.without_time() != latest:
                latest, told = now.without_time(), now.elapsed
                print(line(now, clock.wall()), file=stream, flush=True)
    finally:
        # It waits for nothing any more.
        end = replace(look(), waiting=())
        print(line(end, clock.wall()), file=stream, flush=True)


async def _show_live(look: Callable[[], Snapshot], stream: TextIO, clock: Clock) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False
    ) as display:
        while True:
            display.update(picture(look()), refresh=True)
            await clock.sleep(REFRESH)


def picture(snap: Snapshot) -> RenderableType:
    """A snapshot for a terminal of 40 columns or more, in at most 22 lines."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    counts = Text.assemble((_stored(snap), "bold green"))
    for state, count in others(snap.counts):
        counts.append("  ").append(f"{count:,} {state}", "bold red" if state in _BAD else "")
    bar = ProgressBar(total=max(snap.total, 1), completed=snap.counts[State.STORED])
    return Group(
        Padding(bar, 0),
        counts,
        *(Text(clean(text)) for text in _account_lines(snap)),
        Text(_time_line(snap), "dim"),
        *(Text(clean(text), "yellow") for text in _wait_lines(snap)),
    )


def _account_lines(snap: Snapshot) -> list[str]:
    return [
        f"{spending}, {spending.slots_held} of {spending.slots_most} slots"
        for spending in snap.spending[:MOST_ACCOUNTS]
    ]


def _time_line(snap: Snapshot) -> str:
    parts = [_whole(snap.elapsed)]
    if snap.bytes_now:
        parts.append(f"{size(snap.bytes_now)} stored now")
    if snap.downloading:
        parts.append(f"{snap.downloading} downloading")
    return ", ".join(parts)


def _wait_lines(snap: Snapshot) -> list[str]:
    lines = [str(wait) for wait in snap.waiting[:MOST_WAITS]]
    more = len(snap.waiting) - len(lines)
    return [*lines, f"and {more} more"] if more else lines
