"""One call of `run`: the lock, the plan, the question, the campaign, the results."""

from __future__ import annotations

import asyncio
import gc
import shlex
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from orchestrator.catalog.tables import shipped
from orchestrator.cli import options
from orchestrator.cli.caps import call_caps, spending, unpriced_jobs
from orchestrator.cli.output import print_json
from orchestrator.cli.progress import final_lines, show
from orchestrator.cli.status import status_document
from orchestrator.cli.wiring import Keys, needed_keys, opened
from orchestrator.engine.budget import Budget
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.recovery import needs_access
from orchestrator.engine.run import Run
from orchestrator.engine.tally import Reason, Tally
from orchestrator.errors import DiskError, UsageError
from orchestrator.ledger.export import results, write_csv, write_jsonl
from orchestrator.ledger.opening import LEDGER_FILE
from orchestrator.ledger.sqlite import open_ledger
from orchestrator.manifest.check import load
from orchestrator.plan.document import check_drift
from orchestrator.plan.plan import make_plan
from orchestrator.report.page import write_report
from orchestrator.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from orchestrator.cli.access import Key
    from orchestrator.ledger.sqlite import SqliteLedger
    from orchestrator.manifest.model import Manifest
    from orchestrator.plan.document import SavedPlan
    from orchestrator.plan.plan import Plan
    from orchestrator.plan.selection import Selection

#: Threads that wait for the disk: synced together, files become durable faster than one by one.
DISK_THREADS = 16

#: Exit codes of the signals that stop a run.
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass(frozen=True, slots=True)
class Call:
    """What the command line said."""

    manifest: Path
    selection: Selection
    saved: SavedPlan | None
    plan_file: Path | None
    sandbox: bool
    run_dir: Path | None
    yes: bool
    max_credits: tuple[str, ...]
    in_flight: int | None
    grace: float
    as_json: bool
    progress: str


async def run_call(call: Call) -> int:
    """Run one call to its end and return its exit code."""
    manifest = _with_in_flight(load(call.manifest, shipped()), call.in_flight)
    for warning in manifest.warnings:
        _tell(f"{warning.file}:{warning.line}:{warning.column}: warning: {warning.message}")
    folder = options.run_folder(manifest, run_dir=call.run_dir, sandbox=call.sandbox)
    began = time.monotonic()
    with ExitStack() as stack:
        ledger, plan = _agreed(call, manifest, folder, stack)
        journal = Journal(stack.enter_context(_log(folder)), Clock())
        journal.note("run", manifest=str(call.manifest), to_run=len(plan.to_run))
        tally = Tally()
        try:
            tally = await _campaign(call, plan, ledger, journal, folder)
        finally:
            _write_results(ledger, folder, tally)
        journal.note(
            "end", exit_code=tally.exit_code(), **{k.value: n for k, n in tally.counts.items()}
        )
        for line in final_lines(tally, _near(folder), time.monotonic() - began):
            _tell(line)
        if tally.exit_code() not in (0, 1):
            _tell(f"To go on: {again(call)}")
        if call.as_json:
            typed = options.typed(call.manifest, call.run_dir, sandbox=call.sandbox)
            print_json(status_document(ledger, folder, typed))
    return tally.exit_code()


def again(call: Call) -> str:
    """The command that goes on with a call, ready for a shell: it may create no more than that."""
    words = ["orchestrator", "run"]
    words += ["--plan", str(call.plan_file)] if call.plan_file else [str(call.manifest)]
    words += ["--sandbox"] * (call.sandbox and not call.plan_file)
    words += ["--run-dir", str(call.run_dir)] if call.run_dir and not call.plan_file else []
    if not call.plan_file:
        for field, pattern in call.selection.expressions:
            words += ["--select", f"{field}:{pattern}"]
        words += ["--limit", str(call.selection.limit)] * (call.selection.limit is not None)
    for cap in call.max_credits:
        words += ["--max-credits", cap]
    words += ["--in-flight", str(call.in_flight)] * (call.in_flight is not None)
    words += ["--yes"] * call.yes
    return shlex.join(words)


def _agreed(
    call: Call, manifest: Manifest, folder: Path, stack: ExitStack
) -> tuple[SqliteLedger, Plan]:
    """The locked ledger and the plan, once the plan is what was saved and may be spent on.

    Where there is no ledger yet, none is made before that.
    """
    is_new = not (folder / LEDGER_FILE).exists()
    if is_new:
        plan = make_plan(manifest, shipped(), (), call.selection)
        _agree(call, plan)
        if not call.sandbox:
            needed_keys(Keys(manifest.path.parent), {entry.job.provider for entry in plan.to_run})
    ledger = open_ledger(folder, campaign=manifest.campaign)
    stack.callback(ledger.close)
    plan = make_plan(manifest, shipped(), ledger.rows(), call.selection)
    if not is_new:
        _agree(call, plan)
    return ledger, plan


def _agree(call: Call, plan: Plan) -> None:
    """Make sure that the plan may run. Raises UsageError or PlanDrift where it may not."""
    if call.saved is not None:
        check_drift(call.saved, plan)
    for line in unpriced_jobs(plan, call_caps(call.max_credits, plan)):
        _tell(line)
    if call.sandbox or call.yes or call.max_credits or not plan.to_run:
        return
    question = spending(plan)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} Say --yes or --max-credits N. Nothing was sent.")
    if not _confirmed(question):
        raise UsageError("nothing was sent")


async def _campaign(
    call: Call, plan: Plan, ledger: SqliteLedger, journal: Journal, folder: Path
) -> Tally:
    """Reach the providers and run the campaign, with progress and signals."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DISK_THREADS))
    store = LocalStorage(folder)
    names = needs_access(ledger.rows(), store)
    names |= {entry.job.provider for entry in plan.to_run}
    clock = Clock()
    async with AsyncExitStack() as stack:
        keys = await _keys(call, plan, names, folder, stack)
        for name, key in keys.items():
            ledger.bind_origin(name, key.origin.text)
        accesses = await stack.enter_async_context(
            opened(keys, plan.manifest.limits, shipped(), clock)
        )
        spend = ledger.spend()
        budget = Budget(
            plan.manifest.budget,
            call_caps(call.max_credits, plan),
            {name: spent.charge for name, spent in spend.items()},
            ledger.attempts_made(),
        )
        run = Run(ledger, budget, clock, journal, Tally(), anyio.create_task_group())
        campaign = Campaign(run, plan, store, accesses, call.grace)
        # The manifest's jobs stay until the end: the collector need not walk them again and again.
        gc.collect()
        gc.freeze()
        async with anyio.create_task_group() as beside:
            beside.start_soon(_obey_signals, campaign)
            beside.start_soon(_show, campaign, call.progress, len(plan.entries), clock)
            tally = await campaign.run()
            beside.cancel_scope.cancel()
        await store.sweep()
    return tally


async def _keys(
    call: Call, plan: Plan, names: frozenset[str], folder: Path, stack: AsyncExitStack
) -> Mapping[str, Key]:
    """The keys of the providers that this run needs; with --sandbox, of one that starts now."""
    served = None
    if call.sandbox:
        from orchestrator.sandbox.server import Sandbox

        served = await stack.enter_async_context(Sandbox(folder))
    return needed_keys(Keys(plan.manifest.path.parent, served), names)


async def _obey_signals(campaign: Campaign) -> None:
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async for received in signals:
            campaign.signalled(SIGNALS[received])


async def _show(campaign: Campaign, mode: str, total: int, clock: Clock) -> None:
    await show(campaign, mode=mode, stream=sys.stderr, total=total, clock=clock)


def _with_in_flight(manifest: Manifest, in_flight: int | None) -> Manifest:
    """The manifest with `--in-flight` in place of every provider's limit."""
    if in_flight is None:
        return manifest
    limits: dict[str, Any] = {
        name: replace(found, in_flight=in_flight) for name, found in manifest.limits.items()
    }
    return replace(manifest, limits=limits)


def _write_results(ledger: SqliteLedger, folder: Path, tally: Tally) -> None:
    """Write what people read; a disk without room is told like everything else that is left."""
    try:
        write_jsonl(folder / "results.jsonl", results(ledger))
        write_csv(folder / "results.csv", results(ledger))
        if not tally.is_cut:
            write_report(ledger, folder)
    except DiskError as error:
        tally.because(Reason.STORAGE, str(error))


@contextmanager
def _log(folder: Path) -> Iterator[TextIO]:
    """The run's log. A disk without room for it stops nothing."""
    stream = (folder / "run.log").open("a", encoding="utf-8", errors="backslashreplace")
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


def _confirmed(question: str) -> bool:
    """Ask on the terminal. One Ctrl-C answers, which the event loop would swallow otherwise."""
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        return click.confirm(f"{question} Go on?", err=True)
    except click.Abort:
        click.echo(err=True)
        if interrupts:
            _tell("nothing was sent")
            raise SystemExit(SIGNALS[signal.SIGINT]) from None
        return False
    finally:
        signal.signal(signal.SIGINT, before)


def _near(folder: Path) -> Path:
    """The folder as somebody who stands here would write it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _tell(line: str) -> None:
    click.echo(line, err=True)
