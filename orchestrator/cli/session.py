"""One call of `run`: the lock, the plan, the question, the campaign, the results."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from orchestrator.catalog.tables import shipped
from orchestrator.cli import options
from orchestrator.cli.caps import call_caps, spending
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
from orchestrator.engine.tally import Tally
from orchestrator.errors import UsageError
from orchestrator.ledger.export import results, write_csv, write_jsonl
from orchestrator.ledger.sqlite import open_ledger
from orchestrator.manifest.check import load
from orchestrator.plan.document import check_drift
from orchestrator.plan.plan import make_plan
from orchestrator.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        journal = Journal(
            stack.enter_context(
                (folder / "run.log").open("a", encoding="utf-8", errors="backslashreplace")
            ),
            Clock(),
        )
        journal.note("run", manifest=str(call.manifest), to_run=len(plan.to_run))
        try:
            tally = await _campaign(call, plan, ledger, journal, folder)
        finally:
            _write_results(ledger, folder)
        journal.note(
            "end", exit_code=tally.exit_code(), **{k.value: n for k, n in tally.counts.items()}
        )
        for line in final_lines(tally, _near(folder), time.monotonic() - began):
            _tell(line)
        typed = options.typed(call.manifest, call.run_dir, sandbox=call.sandbox)
        if tally.reasons:
            _tell(f"To go on: orchestrator run {typed}")
        if call.as_json:
            print_json(status_document(ledger, folder, typed))
    return tally.exit_code()


def _agreed(
    call: Call, manifest: Manifest, folder: Path, stack: ExitStack
) -> tuple[SqliteLedger, Plan]:
    """The locked ledger and the plan, once the plan is what was saved and may be spent on.

    Where there is no ledger yet, none is made before that.
    """
    if not (folder / "ledger.db").exists():
        _agree(call, make_plan(manifest, shipped(), (), call.selection))
    ledger = open_ledger(folder, campaign=manifest.campaign)
    stack.callback(ledger.close)
    plan = make_plan(manifest, shipped(), ledger.rows(), call.selection)
    _agree(call, plan)
    return ledger, plan


def _agree(call: Call, plan: Plan) -> None:
    """Make sure that the plan may run. Raises UsageError or PlanDrift where it may not."""
    if call.saved is not None:
        check_drift(call.saved, plan)
    call_caps(call.max_credits, plan)
    if call.sandbox or call.yes or call.max_credits or not plan.to_run:
        return
    question = spending(plan)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} Say --yes or --max-credits N. Nothing was sent.")
    if not click.confirm(f"{question} Go on?", err=True):
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


def _write_results(ledger: SqliteLedger, folder: Path) -> None:
    from orchestrator.report.page import write_report

    write_jsonl(folder / "results.jsonl", results(ledger))
    write_csv(folder / "results.csv", results(ledger))
    write_report(ledger, folder)


def _near(folder: Path) -> Path:
    """The folder as somebody who stands here would write it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _tell(line: str) -> None:
    click.echo(line, err=True)
