"""`orchestrator resolve`: a person decides what no program may."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import anyio
import click

from orchestrator.cli import options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.cli.options import Target
    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from orchestrator.ledger.store import Event, Row

Decision = Literal["adopt", "resubmit", "abandon"]


@click.command("resolve")
@options.run_argument
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option(
    "--adopt", metavar="TASK_ID", help="The create did make this task: watch it and store it."
)
@click.option("--resubmit", is_flag=True, help="Nothing was made: the next run sends it again.")
@click.option("--abandon", is_flag=True, help="Give the job up; what it may have cost counts on.")
@click.option("--all", "all_jobs", is_flag=True, help="All jobs that wait, in place of JOB.")
def resolve(
    run: Path,
    jobs: tuple[str, ...],
    run_dir: Path | None,
    sandbox: bool,
    adopt: str | None,
    resubmit: bool,
    abandon: bool,
    all_jobs: bool,
) -> None:
    r"""Decide jobs that wait for a person.

    \b
    Examples:
      orchestrator resolve manifest.yaml
      orchestrator resolve manifest.yaml reveal/2 --adopt task_4711
      orchestrator resolve manifest.yaml reveal/2 teaser --resubmit
      orchestrator resolve manifest.yaml --all --abandon

    A create whose reply was lost may have been paid for. Look on the provider's site whether a
    task was made, then say so here. Without options, lists the jobs that wait, each with the
    commands that end that. Sends nothing but one free look at the task for --adopt.
    """
    target = options.find_run(run, run_dir=run_dir, sandbox=sandbox)
    decision = _decision(adopt, resubmit=resubmit, abandon=abandon)
    if decision is None:
        _list(target, jobs)
        return
    _check_count(decision, jobs, all_jobs=all_jobs)
    anyio.run(_decide, target, decision, adopt, jobs)


def _decision(adopt: str | None, *, resubmit: bool, abandon: bool) -> Decision | None:
    given: list[Decision] = ["adopt"] if adopt is not None else []
    given += ["resubmit"] if resubmit else []
    given += ["abandon"] if abandon else []
    if len(given) > 1:
        raise UsageError(f"--{' and --'.join(given)} do not go together. Nothing was changed.")
    return given[0] if given else None


def _check_count(decision: Decision, jobs: Sequence[str], *, all_jobs: bool) -> None:
    if decision == "adopt" and (all_jobs or len(jobs) != 1):
        raise UsageError("--adopt goes with exactly one JOB: a task belongs to one job.")
    if bool(jobs) == all_jobs:
        raise UsageError(f"--{decision} goes with the JOBs to decide, or with --all.")


def _list(target: Target, jobs: Sequence[str]) -> None:
    from orchestrator.cli.decisions import commands, find, names, reason
    from orchestrator.cli.output import say, say_prose, tell
    from orchestrator.ledger.sqlite.reading import read_ledger

    with read_ledger(target.folder) as ledger:
        waiting = ledger.undecided()
    called = names(waiting)
    for number, row in enumerate(find(waiting, jobs) if jobs else waiting):
        if number:
            say()
        say_prose(f"{called[row.row]}: {reason(row)}")
        for command in commands(row, called[row.row], target.typed):
            say(f"  {command}")
    if not waiting:
        tell("No job waits for a decision.")


async def _decide(
    target: Target, decision: Decision, task_id: str | None, jobs: Sequence[str]
) -> None:
    """Write one decision on every job asked for, or on none."""
    from orchestrator.cli.decisions import find
    from orchestrator.cli.output import tell
    from orchestrator.ledger.sqlite.ledger import open_ledger
    from orchestrator.ledger.sqlite.reading import read_ledger

    with read_ledger(target.folder) as reading:
        campaign = reading.campaign
    with open_ledger(target.folder, campaign=campaign) as ledger:
        rows = find(_decidable(ledger), jobs) if jobs else _fitting(ledger, decision)
        events = [await _event(ledger, target, row, decision, task_id) for row in rows]
        await ledger.record(*events)
    for row in rows:
        tell(f"{row.key}: {_DONE[decision]}")
    if not rows:
        tell("No job waits for this decision.")
    elif decision != "abandon":
        again = f"orchestrator run {target.typed}" if target.manifest else "run the manifest again"
        tell(f"To go on: {again}")


_DONE = {
    "adopt": "the next run watches the task and stores its video",
    "resubmit": "the next run sends it again",
    "abandon": "given up; what it may have cost counts on",
}


def _decidable(ledger: SqliteLedger) -> list[Row]:
    """Rows that wait, and those to be sent again, whose decision may still be changed."""
    return [row for row in ledger.rows() if row.needs_decision or row.resubmit]


def _fitting(ledger: SqliteLedger, decision: Decision) -> list[Row]:
    """Of the rows that wait, those that may be decided so."""
    from orchestrator.jobs import State

    rows = ledger.undecided()
    if decision == "abandon":
        return list(rows)
    return [row for row in rows if row.state is State.UNKNOWN and row.position is not None]


async def _event(
    ledger: SqliteLedger, target: Target, row: Row, decision: Decision, task_id: str | None
) -> Event:
    """What the ledger is to remember. Raises UsageError where the decision does not fit the job."""
    from orchestrator.jobs import State
    from orchestrator.ledger.store import ABANDONED, Event

    if decision == "abandon":
        fields = {"error_class": ABANDONED, "error_message": "given up by a person"}
        return Event(row.row, "abandoned", State.FAILED, fields=fields)
    if row.state is not State.UNKNOWN:
        raise UsageError(
            f"{row.key} has a task already, which the next run looks at again: it can only be "
            "given up, with --abandon. Nothing was changed."
        )
    if decision == "adopt":
        assert task_id is not None
        await _check_task(ledger, target, row, task_id)
        found: dict[str, object] = {"task_id": task_id, "submitted_at": time.time()}
        return Event(row.row, "adopted", State.SUBMITTED, fields=found)
    if row.position is None:
        raise UsageError(
            f"the manifest no longer has {row.key} as it was sent, so no run would send it again. "
            "Nothing was changed."
        )
    return Event(row.row, "resubmit")


async def _check_task(ledger: SqliteLedger, target: Target, row: Row, task_id: str) -> None:
    """Make sure that a task exists and belongs to no other job."""
    from orchestrator.cli.access import read_dotenv
    from orchestrator.cli.wiring import Keys, look_at_task, tell_ignored
    from orchestrator.providers.replies import identifier

    if identifier(task_id) is None:
        raise UsageError("--adopt takes the id of a task. Nothing was changed.")
    if ledger.holders(row.provider, task_id):
        raise UsageError(f"task {task_id} belongs to another job. Nothing was changed.")
    async with _emulated(target) as served:
        dotenv = read_dotenv(target.settings)
        if served is None:
            tell_ignored(dotenv, [row.provider])
        key = Keys(dotenv, served).need(row.provider)
        ledger.bind_origin(row.provider, key.origin.text)
        view = await look_at_task(key, row, task_id)
    if view.status == "missing":
        raise UsageError(
            f"{row.provider} knows no task {task_id}. Copy the id again. Nothing was changed."
        )


@asynccontextmanager
async def _emulated(target: Target) -> AsyncIterator[Mapping[str, str] | None]:
    """The base URLs of the sandbox that has the run's tasks; None where the run is a real one."""
    from orchestrator.sandbox.database import FILE_NAME
    from orchestrator.sandbox.server import Sandbox

    if not (target.folder / FILE_NAME).exists():
        yield None
        return
    async with Sandbox(target.folder) as served:
        yield served
