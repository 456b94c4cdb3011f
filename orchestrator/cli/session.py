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
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.cli import catalogue, options
from orchestrator.cli.access import read_dotenv
from orchestrator.cli.caps import ask_before_spending, call_caps, uncapped_jobs, unpriced_jobs
from orchestrator.cli.earlier import ended_tasks, found_bounds
from orchestrator.cli.ending import final_lines
from orchestrator.cli.gone_models import with_gone_models
from orchestrator.cli.output import near, print_json, tell
from orchestrator.cli.progress import is_live, show
from orchestrator.cli.selected import tell_left_out, tell_unmatched
from orchestrator.cli.status import status_document, unstarted_document
from orchestrator.cli.validate import tell_warning
from orchestrator.cli.wiring import Keys, needed_keys, opened, tell_ignored
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.recovery import needs_access
from orchestrator.engine.run import Run
from orchestrator.engine.tally import PENDING, Reason, Tally
from orchestrator.errors import DiskError, OrchestratorError, StorageError, UsageError
from orchestrator.ledger.export import results, write_csv, write_jsonl
from orchestrator.ledger.rescue import RESCUE_FILE
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.sqlite.opening import LEDGER_FILE, refuse_lost
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.manifest.check import load
from orchestrator.plan.document import check_drift
from orchestrator.plan.plan import make_plan
from orchestrator.report.page import write_report
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import disk_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli.access import Key
    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from orchestrator.manifest.model import Manifest
    from orchestrator.plan.document import SavedPlan
    from orchestrator.plan.plan import Plan
    from orchestrator.plan.selection import Selection

#: Threads that wait for the disk: synced together, files become durable faster than one by one.
DISK_THREADS = 16

#: New objects between two looks of the garbage collector at them (700 unless told otherwise).
YOUNG_OBJECTS = 20_000

#: Exit codes of the signals that stop a run.
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass(frozen=True, slots=True)
class Call:
    """What the command line said."""

    manifest: Path
    #: The tables that it works with.
    catalog: Catalog
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
    manifest = _with_in_flight(load(call.manifest, call.catalog), call.in_flight)
    if not call.sandbox:
        manifest = with_gone_models(call.manifest, manifest)
    for warning in manifest.warnings:
        tell_warning(warning)
    folder = options.run_folder(manifest, run_dir=call.run_dir, sandbox=call.sandbox)
    options.remember(options.typed(call.manifest, call.run_dir, sandbox=call.sandbox))
    try:
        exit_code = await _run(call, manifest, folder)
    except UsageError:
        raise
    except (OrchestratorError, ExceptionGroup):
        if call.as_json:
            with suppress(StorageError):
                print_json(_standing(call, manifest, folder))
        raise
    if call.as_json:
        print_json(_standing(call, manifest, folder))
    return exit_code


def _standing(call: Call, manifest: Manifest, folder: Path) -> dict[str, Any]:
    """What `run --json` prints: how the run stands, also where it never began."""
    if not options.has_ledger(folder):
        return unstarted_document(manifest, folder)
    with read_ledger(folder) as ledger:
        typed = options.typed(call.manifest, call.run_dir, sandbox=call.sandbox)
        return status_document(ledger, folder, typed)


async def _run(call: Call, manifest: Manifest, folder: Path) -> int:
    keys = Keys(read_dotenv(manifest.path.parent))
    if not call.sandbox:
        tell_ignored(keys.dotenv, sorted({job.provider for job in manifest.jobs}))
    began = time.monotonic()
    with ExitStack() as stack:
        ledger, plan = _agreed(call, manifest, folder, keys, stack)
        journal = Journal(stack.enter_context(_log(folder)), Clock())
        journal.note("run", manifest=str(call.manifest), to_run=len(plan.to_run))
        tally = Tally()
        try:
            tally = await _campaign(call, plan, ledger, journal, folder, keys)
        finally:
            has_report = _write_results(ledger, folder, tally)
        journal.note(
            "end", exit_code=tally.exit_code(), **{k.value: n for k, n in tally.counts.items()}
        )
        elapsed = time.monotonic() - began
        for line in final_lines(tally, near(folder), elapsed, has_report=has_report):
            tell(line)
        if goes_on(tally):
            tell(f"To go on: {again(call)}")
    return tally.exit_code()


def goes_on(tally: Tally) -> bool:
    """Whether the same command again would do more: not for what only waits for a decision."""
    return bool(tally.reasons) or any(tally.counts[state] for state in PENDING)


def again(call: Call) -> str:
    """The command that goes on with a call, ready for a shell: it may create no more than that."""
    words = ["orchestrator", "run"]
    words += ["--plan", str(call.plan_file)] if call.plan_file else [str(call.manifest)]
    held = call.saved.options if call.saved is not None else {}
    words += ["--sandbox"] * (call.sandbox and not held.get("sandbox"))
    if call.run_dir is not None and str(call.run_dir) != held.get("run_dir"):
        words += ["--run-dir", str(call.run_dir)]
    if not call.plan_file:
        for field, pattern in call.selection.expressions:
            words += ["--select", f"{field}:{pattern}"]
        words += ["--limit", str(call.selection.limit)] * (call.selection.limit is not None)
    for cap in call.max_credits:
        words += ["--max-credits", cap]
    words += ["--in-flight", str(call.in_flight)] * (call.in_flight is not None)
    words += ["--yes"] * call.yes
    return shlex.join([*words, *catalogue.typed()])


def _agreed(
    call: Call, manifest: Manifest, folder: Path, keys: Keys, stack: ExitStack
) -> tuple[SqliteLedger, Plan]:
    """The locked ledger and the plan, once the plan is what was saved and may be spent on.

    Where there is no ledger yet, none is made before that.
    """
    is_new = not options.has_ledger(folder)
    if is_new:
        refuse_lost(folder / LEDGER_FILE)
        plan = make_plan(manifest, call.catalog, (), call.selection)
        _agree(call, plan)
        if not call.sandbox:
            needed_keys(keys, {entry.job.provider for entry in plan.to_run})
    ledger = open_ledger(folder, campaign=manifest.campaign)
    stack.callback(ledger.close)
    for one in ledger.unplaced:
        tell(
            f"{near(folder / RESCUE_FILE)} has an answer to {one.key} that belongs to no attempt of"
            f" this ledger: {one.task_id or one.reply}",
            "warning",
        )
    if is_new and next(iter(ledger.rows()), None) is None:
        return ledger, plan
    plan = make_plan(manifest, call.catalog, ledger.rows(), call.selection)
    if not is_new:
        _agree(call, plan)
    return ledger, plan


def _agree(call: Call, plan: Plan) -> None:
    """Make sure that the plan may run. Raises UsageError or PlanDrift where it may not."""
    if call.saved is not None:
        check_drift(call.saved, plan)
    caps = call_caps(call.max_credits, plan)
    for line in unpriced_jobs(plan, caps):
        tell(line)
    for line in uncapped_jobs(plan, caps):
        tell(line, "warning")
    tell_unmatched(call.selection, plan)
    tell_left_out(plan)
    if call.sandbox or call.yes or call.max_credits or not plan.to_run:
        return
    ask_before_spending(plan)


async def _campaign(
    call: Call, plan: Plan, ledger: SqliteLedger, journal: Journal, folder: Path, keys: Keys
) -> Tally:
    """Reach the providers and run the campaign, with progress and signals."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DISK_THREADS))
    store = LocalStorage(folder)
    names = needs_access(ledger.rows(), store)
    names |= {entry.job.provider for entry in plan.to_run}
    clock = Clock()
    async with AsyncExitStack() as stack:
        found = await _found(call, keys, names, folder, stack)
        for name, key in found.items():
            ledger.bind_origin(name, key.origin.text)
        opening = opened(found, plan.manifest.limits, call.catalog, clock)
        accesses = [
            replace(
                access,
                ended=ended_tasks(ledger, folder, name, found[name].origin.text),
                bounds=found_bounds(ledger, folder, name, found[name].origin.text),
            )
            for access in await stack.enter_async_context(opening)
            for name in (access.provider.name,)
        ]
        budget = _budget(call, plan, ledger)
        run = Run(ledger, budget, clock, journal, Tally(), anyio.create_task_group())
        campaign = Campaign(run, plan, store, accesses, call.grace)
        calm_collector()
        async with anyio.create_task_group() as beside:
            aloud = not is_live(call.progress, sys.stderr)
            beside.start_soon(partial(_obey_signals, campaign, aloud=aloud))
            beside.start_soon(_show, campaign, call.progress, len(plan.entries), clock)
            tally = await campaign.run()
            beside.cancel_scope.cancel()
        await store.sweep()
    return tally


def _budget(call: Call, plan: Plan, ledger: SqliteLedger) -> Budget:
    return Budget(
        plan.manifest.budget,
        call_caps(call.max_credits, plan),
        {name: spent.charge for name, spent in ledger.spend().items()},
        ledger.attempts_made(),
    )


async def _found(
    call: Call, keys: Keys, names: frozenset[str], folder: Path, stack: AsyncExitStack
) -> Mapping[str, Key]:
    """The keys of the providers that this run needs; with --sandbox, of one that starts now."""
    if call.sandbox:
        from orchestrator.sandbox.server import Sandbox

        sandbox = Sandbox(folder, catalog=call.catalog)
        keys = replace(keys, sandbox=await stack.enter_async_context(sandbox))
    return needed_keys(keys, names)


async def _obey_signals(campaign: Campaign, *, aloud: bool) -> None:
    """Hand signals on. `aloud` says at once what the first one does, where no display shows it."""
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async for received in signals:
            campaign.signalled(SIGNALS[received])
            if aloud:
                aloud = False
                # A terminal that was closed ends no run.
                with suppress(OSError):
                    tell("Stopping: no new creates. A second signal ends the run at once.")


async def _show(campaign: Campaign, mode: str, total: int, clock: Clock) -> None:
    await show(campaign, mode=mode, stream=sys.stderr, total=total, clock=clock)


def calm_collector() -> None:
    """Keep the garbage collector out of a run's way: it costs more than it finds.

    The manifest's jobs stay until the end, so it need not walk them again and again; what a job
    needs while it is under way is soon gone by itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def _with_in_flight(manifest: Manifest, in_flight: int | None) -> Manifest:
    """The manifest with `--in-flight` in place of every provider's limit."""
    if in_flight is None:
        return manifest
    limits: dict[str, Any] = {
        name: replace(found, in_flight=in_flight, stated=found.stated | {"in_flight"})
        for name, found in manifest.limits.items()
    }
    return replace(manifest, limits=limits)


def _write_results(ledger: SqliteLedger, folder: Path, tally: Tally) -> bool:
    """Write what people read, and say whether the report is among it.

    A disk without room is told like everything else that is left.
    """
    try:
        write_jsonl(folder / "results.jsonl", results(ledger))
        write_csv(folder / "results.csv", results(ledger))
        if not tally.is_cut:
            write_report(ledger, folder)
            return True
    except DiskError as error:
        tally.because(Reason.STORAGE, str(error))
    return False


@contextmanager
def _log(folder: Path) -> Iterator[TextIO]:
    """The run's log. A disk without room for it stops nothing.

    Raises DiskError where it cannot be opened.
    """
    path = folder / "run.log"
    try:
        stream = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()
