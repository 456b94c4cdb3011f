"""One call of `run`: what is said at a signal and at the end."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio

from orchestrator.cli import session
from orchestrator.engine.tally import Reason, Tally
from orchestrator.jobs import State

if TYPE_CHECKING:
    import pytest


class Signalled:
    """A campaign that only remembers its signals."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def signalled(self, code: int) -> None:
        self.codes.append(code)


async def after(*signals: signal.Signals, aloud: bool = True) -> list[int]:
    """The exit codes that a campaign is told of these signals."""
    campaign = Signalled()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(session._obey_signals, campaign, aloud=aloud))
        await anyio.wait_all_tasks_blocked()
        for number, received in enumerate(signals, start=1):
            os.kill(os.getpid(), received)
            with anyio.fail_after(5):
                while len(campaign.codes) < number:  # noqa: ASYNC110 - a signal sets no event
                    await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    return campaign.codes


async def test_the_first_signal_is_answered_at_once_and_the_second_adds_no_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await after(signal.SIGTERM, signal.SIGINT) == [143, 130]
    assert capsys.readouterr().err == (
        "Stopping: no new creates. A second signal ends the run at once.\n"
    )


async def test_a_display_that_shows_it_is_not_talked_into(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await after(signal.SIGTERM, aloud=False) == [143]
    assert capsys.readouterr().err == ""


async def test_a_terminal_that_was_closed_loses_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stderr", Closed())
    assert await after(signal.SIGHUP, signal.SIGHUP) == [129, 129]


def test_the_same_command_goes_on_where_anything_is_left_for_it() -> None:
    stopped, waiting, decided = Tally(), Tally(), Tally()
    stopped.because(Reason.BUDGET, "the cap is reached")
    waiting.counts[State.GENERATED] = 1
    decided.counts.update({State.STORED: 3, State.FAILED: 1, State.UNKNOWN: 1})
    assert [session.goes_on(tally) for tally in (stopped, waiting, decided)] == [True, True, False]
