from __future__ import annotations

import io
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from orchestrator.catalog.tables import shipped
from orchestrator.cli import progress
from orchestrator.cli.ending import final_lines
from orchestrator.cli.progress import Snapshot, Spending, Waiting, line, moves, show
from orchestrator.engine.account import open_account
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.tally import Reason, Tally
from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import SqliteLedger
from orchestrator.ledger.store import Admission
from orchestrator.manifest.model import Budget as Caps
from orchestrator.manifest.model import Limits
from orchestrator.providers.registry import provider
from tests.engine.virtual import run_virtual
from tests.ledger.material import in_memory, make_job, write

#: Twelve o'clock where the tests run.
NOON = time.mktime((2026, 5, 1, 12, 0, 0, 0, 0, -1))
CALM = Snapshot(
    total=40,
    counts=Counter({State.STORED: 38, State.SUBMITTED: 1, State.FAILED: 1}),
    downloading=0,
    bytes_now=0,
    elapsed=725.4,
    spending=(Spending("rivya", 1934.0, 2000.0, False, 1, 10),),
    waiting=(),
)


class Scene:
    """A run's tally and accounts as the engine has them, without anything under way."""

    def __init__(self, *providers: str, caps: Caps | None = None) -> None:
        clock = Clock()
        self.tally = Tally()
        self.jobs = 0
        self.run = Run(
            in_memory(),
            Budget(caps or Caps(), {}, {}, 0),
            clock,
            Journal(io.StringIO(), clock),
            self.tally,
            anyio.create_task_group(),
        )
        models = shipped().models
        self.accounts = tuple(
            open_account(
                self.run,
                provider(name),
                None,
                Limits(),
                {key: model for key, model in models.items() if model.provider == name},
            )
            for name in providers
        )

    def row(self, name):
        """A new job of this provider in the ledger."""
        self.jobs += 1
        job = make_job(f"job-{self.jobs}", provider=name)
        return self.run.ledger.admit([Admission(job)])[0]

    def snapshot(self, *, total=40):
        return progress.snapshot(self, anyio.current_time(), started=0.0, total=total)


def waits(scene):
    return [str(wait) for wait in scene.snapshot().waiting]


async def test_before_the_ledger_has_counted_everything_is_planned():
    snap = Scene("rivya").snapshot()
    assert (snap.total, +Counter(snap.counts)) == (40, Counter({State.PLANNED: 40}))


async def test_the_states_add_up_to_the_whole():
    scene = Scene("rivya")
    for number, state in enumerate(State, start=1):
        scene.tally.counts[state] = number
    snap = scene.snapshot(total=10)
    assert snap.total == sum(snap.counts.values()) == 36
    assert snap.counts == scene.tally.counts


async def test_a_state_is_called_the_same_while_the_run_goes_on_and_at_its_end():
    scene = Scene("rivya")
    for number, state in enumerate(State, start=1):
        scene.tally.counts[state] = number
    shown = line(scene.snapshot(total=36), NOON)
    (verdict, *_) = final_lines(scene.tally, Path("runs/x"), 1.0)
    for number, state in enumerate(State, start=1):
        if state is not State.STORED:
            assert f" {number} {state}" in shown
            assert f" {number} {state}" in verdict


async def test_spend_is_said_by_provider_and_an_unknown_price_is_never_0():
    scene = Scene("rivya", "acedatacloud", caps=Caps({"rivya": 2000.0}))
    rivya = scene.row("rivya")
    write(scene.run.ledger, rivya, "intent", State.SUBMITTING, estimated=1934.0, charge=1934.0)
    row = scene.row("acedatacloud")
    write(scene.run.ledger, row, "intent", State.SUBMITTING)
    assert [str(spent) for spent in scene.snapshot().spending] == [
        "rivya 1,934 of 2,000 credits",
        "acedatacloud cost unknown",
    ]
    write(scene.run.ledger, scene.row("acedatacloud"), "intent", State.SUBMITTING, charge=0.9)
    assert str(scene.snapshot().spending[1]) == "acedatacloud at least 0.9 credits"


async def test_credits_count_once_their_create_is_sent_and_not_while_it_waits_for_its_turn():
    scene = Scene("rivya")
    scene.run.budget.reserve("rivya", 57.0)
    assert str(scene.snapshot().spending[0]) == "rivya 0 credits"
    row = scene.row("rivya")
    write(scene.run.ledger, row, "intent", State.SUBMITTING, estimated=57.0, charge=57.0)
    assert str(scene.snapshot().spending[0]) == "rivya 57 credits"
    write(scene.run.ledger, row, "returned", State.PLANNED, charge=0.0)
    assert str(scene.snapshot().spending[0]) == "rivya 0 credits"


async def test_a_quiet_run_waits_for_nothing():
    assert waits(Scene("rivya", "acedatacloud")) == []


async def test_a_pause_is_named_with_its_reason_and_its_time():
    scene = Scene("rivya")
    account = scene.accounts[0]
    why = "cannot connect to http://127.0.0.1:9: connection refused"
    account.poll_gate.trouble(await account.poll_gate.passage(), 30.0, why=why)
    (text,) = waits(scene)
    assert text.startswith(f"looks at rivya wait: {why}, ")
    account.gate.trouble(await account.gate.passage(), 30.0, why="too many (rate_limited)")
    (text,) = waits(scene)
    assert text.startswith("creates at rivya wait: too many (rate_limited), ")
    assert text.endswith(("30 s more", "29 s more"))


async def test_pauses_name_their_account_or_model_until_the_probe_is_under_way():
    scene = Scene("rivya")
    account, now = scene.accounts[0], anyio.current_time()
    for row in range(3):
        account.unknowns.failed(row, now - 100)
        account.channel("rivya/hailuo-pro").failed(row, now - 1000)
    first, second = waits(scene)
    assert first.startswith("rivya is paused after unknown creates, 3 min")
    assert second == "rivya/hailuo-pro is paused: dead channel"


async def test_a_full_disk_is_named():
    scene = Scene("rivya", "acedatacloud")
    scene.run.no_room = True
    assert waits(scene) == ["the disk is full: creates wait until there is room"]


async def test_an_account_that_needs_a_person_says_nothing_else():
    scene = Scene("rivya")
    gate = scene.accounts[0].gate
    gate.trouble(await gate.passage(), 30.0)
    scene.accounts[0].halt(Reason.CREDENTIALS, "the key is not valid")
    assert waits(scene) == ["rivya creates nothing more: it needs you, see the end of this run"]


async def test_after_a_stop_the_creates_on_the_wire_are_waited_for_visibly():
    scene = Scene("rivya")
    scene.run.stop(Reason.STOPPED, "stopped by a signal")
    scene.run.wire_changed(2)
    assert waits(scene) == [
        "stopping: 2 creates on the wire, perhaps paid, waiting for the answer"
    ]  # fmt: skip
    scene.run.wire_changed(-2)
    assert waits(scene) == ["stopping: no new creates, saving what is under way"]


def test_a_plain_line_says_it_all_and_leaves_out_zeros():
    assert line(CALM, NOON) == (
        "12 min 5 s: 38 of 40 stored, 1 submitted, 1 failed; rivya 1,934 of 2,000 credits"
    )
    waiting = replace(CALM, waiting=(Waiting("creates at rivya wait: too many", 12.6),))
    text = line(waiting, NOON)
    assert text.endswith("; creates at rivya wait: too many, next try at 12:00:13")
    assert line(replace(CALM, waiting=(Waiting("stopping"),)), NOON).endswith("; stopping")


def test_a_plain_line_is_one_line_without_control_characters():
    hostile = replace(CALM, waiting=(Waiting("a\nb\x1b[31m\rc"),))
    assert line(hostile, NOON).isprintable()


@pytest.mark.parametrize("width", [40, 80])
def test_the_live_display_fits_a_terminal(width):
    crowd = tuple(replace(CALM.spending[0], provider=f"provider-{n}") for n in range(9))
    waiting = tuple(Waiting(f"rivya/a-model-{n} is paused: dead channel", 300.0) for n in range(9))
    full = replace(
        CALM,
        total=123_456, counts={**dict.fromkeys(State, 12_345), State.STORED: 38},
        downloading=4, bytes_now=123_456_789, spending=crowd, waiting=waiting,
    )  # fmt: skip
    for snap in (CALM, full):
        stream = io.StringIO()
        Console(file=stream, width=width, height=24).print(progress.picture(snap))
        shown = stream.getvalue().splitlines()
        assert max(map(len, shown)) <= width
        assert len(shown) <= 23
        assert "38 of" in stream.getvalue()


@pytest.mark.parametrize(
    ("tty", "environment", "moving"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_motion_needs_a_terminal_that_wants_it(tty, environment, moving):
    assert moves(Terminal() if tty else io.StringIO(), environment) is moving


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_over(seconds, stream, *, mode="auto", changes=()):
    """Show a run for so many virtual seconds, in which jobs are stored at these times."""

    async def work():
        scene = Scene("rivya")
        scene.tally.counts[State.PLANNED] = 3
        async with anyio.create_task_group() as tasks:

            async def showing():
                await show(scene, mode=mode, stream=stream, total=3, clock=Clock())

            tasks.start_soon(showing)
            for at in changes:
                await anyio.sleep_until(at)
                scene.tally.move(State.PLANNED, State.STORED)
            await anyio.sleep_until(seconds)
            tasks.cancel_scope.cancel()

    run_virtual(work)
    return stream


def test_off_a_terminal_a_line_comes_every_half_minute_while_something_changes():
    stream = shown_over(600.0, io.StringIO(), changes=(5.0, 10.0, 200.0))
    assert stream.getvalue().splitlines() == [
        "30 s: 2 of 3 stored, 1 planned; rivya 0 credits",
        "3 min 30 s: 3 of 3 stored; rivya 0 credits",
        "10 min: 3 of 3 stored; rivya 0 credits",
    ]


def test_off_a_terminal_a_line_comes_every_five_minutes_while_jobs_are_open():
    stream = shown_over(700.0, io.StringIO(), changes=(40.0,))
    assert [line.partition(":")[0] for line in stream.getvalue().splitlines()] == [
        "30 s", "1 min", "6 min", "11 min", "11 min 40 s",
    ]  # fmt: skip


def test_the_last_plain_line_waits_for_nothing():
    stream = io.StringIO()

    async def work():
        scene = Scene("rivya")
        gate = scene.accounts[0].gate
        gate.trouble(await gate.passage(), 200.0, why="too many")
        with anyio.move_on_after(40.0):
            await show(scene, mode="plain", stream=stream, total=1, clock=Clock())

    run_virtual(work)
    first, last = stream.getvalue().splitlines()
    assert "creates at rivya wait: too many, next try at " in first
    assert "wait" not in last


def test_a_short_run_off_a_terminal_says_one_line_at_its_end():
    stream = shown_over(4.0, io.StringIO(), changes=(1.0,))
    assert stream.getvalue() == "4 s: 1 of 3 stored, 2 planned; rivya 0 credits\n"


def test_no_progress_is_no_progress():
    assert shown_over(100.0, Terminal(), mode="none").getvalue() == ""


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_motion_gets_plain_lines(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    text = shown_over(40.0, Terminal()).getvalue()
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_plain_mode_is_plain_on_a_terminal_too(monkeypatch):
    lively(monkeypatch)
    assert "\x1b" not in shown_over(40.0, Terminal(), mode="plain").getvalue()


def lively(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_on_a_terminal_the_display_lives_and_gives_the_cursor_back(monkeypatch):
    lively(monkeypatch)
    text = shown_over(10.0, Terminal(), changes=(5.0,)).getvalue()
    assert text.index("0 of 3 stored") < text.index("1 of 3 stored")
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")
    assert text.count("of 3 stored") <= 10.0 * 4 + 2
    assert "\x1b[1A\x1b[2K" in text[text.rindex("of 3 stored") :]


def test_a_ledger_that_cannot_be_read_ends_the_progress_and_not_the_run(monkeypatch):
    def fail(self):
        raise LedgerError("the ledger cannot be read")

    monkeypatch.setattr(SqliteLedger, "spend", fail)
    assert shown_over(100.0, io.StringIO(), mode="plain").getvalue() == ""


class Broken(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("mode", ["auto", "plain"])
def test_a_stream_that_goes_away_ends_the_progress_and_not_the_run(monkeypatch, mode):
    lively(monkeypatch)
    shown_over(100.0, Broken(), mode=mode, changes=(50.0,))
    closed = io.StringIO()
    closed.close()
    shown_over(100.0, closed, mode="plain", changes=(50.0,))
