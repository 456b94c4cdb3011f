"""Ten thousand tasks in flight: what they take of memory and processor, idle and looked at.

`python -m benchmarks.in_flight [--tasks N] [--seconds S] [--provider NAME] [--folder DIR]`. The
whole engine runs against a sandbox whose tasks never end, until all are in flight; then it is
measured for so many seconds, once with no look due and once with the default looks. Each time the
engine has a process of its own, and the sandbox another one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.memory import peak, resident
from benchmarks.throughput import served
from orchestrator.catalog.tables import shipped
from orchestrator.cli.access import Key
from orchestrator.cli.session import DISK_THREADS, calm_collector
from orchestrator.cli.wiring import opened
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.tally import Tally
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from orchestrator.providers.origins import Origin
from orchestrator.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.account import Transport
    from orchestrator.plan.plan import Plan
    from orchestrator.providers.base import Reply, Request

#: A model of each provider.
MODELS = {"rivya": "hailuo-pro", "acedatacloud": "minimax-t2v"}
FAULTS = "pace: 0\nfaults:\n  - {on: task, do: never}\n"
MANIFEST = """\
version: 1
campaign: bench
limits:
  PROVIDER: {in_flight: TASKS, creates_per_minute: 18000LOOKS}
jobs:
  - id: bench
    model: MODEL
    prompt: "Number {{n}}"
    rows: bench.csv
"""
#: Limits under which no look is due before the end.
NO_LOOKS = ", poll_after: 5h, poll_every: 5h"
#: Seconds from the last create until the measurement begins, at most as long as that lasts.
SETTLING = 3.0


@dataclass(slots=True)
class Counting:
    """A transport that counts what is asked."""

    transport: Transport
    asked: int = 0

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send a create."""
        return await self.transport.create(request, on_sent=on_sent)

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        """Send a look, and count it."""
        self.asked += 1
        return await self.transport.ask(request, timeout=timeout)


def planned(folder: Path, provider: str, tasks: int, *, looks: bool) -> Plan:
    """The plan of so many jobs, written into the folder as a manifest."""
    text = MANIFEST.replace("PROVIDER", provider).replace("MODEL", MODELS[provider])
    text = text.replace("TASKS", str(tasks)).replace("LOOKS", "" if looks else NO_LOOKS)
    path = folder / "bench.yaml"
    path.write_text(text)
    (folder / "bench.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(tasks)))
    return make_plan(load(path, shipped()), shipped())


async def watched(
    campaign: Campaign, counting: Counting, tasks: int, seconds: float
) -> dict[str, float]:
    """Wait until all tasks are in flight, measure for so many seconds, and stop the campaign."""
    began = time.perf_counter()
    while campaign.tally.counts[State.SUBMITTED] < tasks:  # noqa: ASYNC110 - the tally wakes nobody
        await anyio.sleep(0.2)
    created = time.perf_counter() - began
    await anyio.sleep(min(SETTLING, seconds))
    asked, used, since = counting.asked, time.process_time(), time.perf_counter()
    await anyio.sleep(seconds)
    passed = time.perf_counter() - since
    taken = {
        "created_in": created,
        "resident": resident(),
        "peak": peak(),
        "cores": (time.process_time() - used) / passed,
        "looks_a_second": (counting.asked - asked) / passed,
    }
    campaign.signalled(130)
    return taken


async def measure(
    base: str, provider: str, tasks: int, seconds: float, folder: Path, *, looks: bool
) -> dict[str, float]:
    """Bytes in flight and beforehand, the share of a core and looks a second."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DISK_THREADS))
    plan = planned(folder, provider, tasks, looks=looks)
    run_folder, clock = folder / "run", Clock()
    with (
        open_ledger(run_folder, campaign="bench") as ledger,
        (run_folder / "run.log").open("w") as log,
    ):
        async with AsyncExitStack() as stack:
            keys = {provider: Key("bench", "bench", Origin.from_url(base))}
            opening = opened(keys, plan.manifest.limits, shipped(), clock)
            (access,) = await stack.enter_async_context(opening)
            counting = Counting(access.transport)
            run = Run(
                ledger, Budget(plan.manifest.budget, {}, {}, 0), clock, Journal(log, clock),
                Tally(), anyio.create_task_group(),
            )  # fmt: skip
            accesses = [replace(access, transport=counting)]
            campaign = Campaign(run, plan, LocalStorage(run_folder), accesses, 0.0)
            calm_collector()
            loaded = resident()
            running = asyncio.create_task(campaign.run())
            taken = await watched(campaign, counting, tasks, seconds)
            tally = await running
    assert tally.exit_code() == 130, tally
    return {"loaded": loaded, **taken}


def apart(base: str, options: argparse.Namespace, folder: Path, *, looks: bool) -> dict[str, float]:
    """One measurement in a process of its own."""
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.in_flight", "--engine", base]
    command += ["--looks"] * looks + ["--folder", str(folder), "--provider", options.provider]
    command += ["--tasks", str(options.tasks), "--seconds", str(options.seconds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def both(options: argparse.Namespace) -> dict[str, float | str]:
    """What the tasks in flight take: between looks, and with those of the default limits."""
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as name,
        served(Path(name), FAULTS) as urls,
    ):
        base = urls[options.provider]
        quiet = apart(base, options, Path(name, "quiet"), looks=False)
        looking = apart(base, options, Path(name, "looking"), looks=True)
    loaded, most, highest = (
        max(quiet[what], looking[what]) for what in ("loaded", "resident", "peak")
    )
    return {
        "provider": options.provider,
        "tasks": options.tasks,
        "seconds": options.seconds,
        "loaded_bytes": loaded,
        "resident_bytes": most,
        "peak_bytes": highest,
        "bytes_a_task": round((most - loaded) / options.tasks),
        "cores_between_looks": round(quiet["cores"], 4),
        "cores_with_looks": round(looking["cores"], 4),
        "looks_a_second": round(looking["looks_a_second"], 2),
        "created_in_seconds": round(looking["created_in"], 1),
    }


def line(found: dict[str, float | str]) -> str:
    """The figures for a reader."""
    return (
        f"{found['tasks']:,} tasks of {found['provider']} in flight:"
        f" {float(found['resident_bytes']) / 2**20:.0f} MiB in all"
        f" (at most {float(found['peak_bytes']) / 2**20:.0f}),"
        f" {float(found['bytes_a_task']) / 1024:.1f} KiB a task,"
        f" {float(found['cores_between_looks']):.1%} of a core between looks,"
        f" {float(found['cores_with_looks']):.1%} with {found['looks_a_second']} looks a second"
    )


def main() -> None:
    """Measure, print one JSON object, and a line for a reader on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--provider", choices=tuple(MODELS), default="rivya")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--engine", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--looks", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine is not None:
        asked = (options.engine, options.provider, options.tasks, options.seconds, options.folder)
        print(json.dumps(anyio.run(partial(measure, *asked, looks=options.looks))))
        return
    found = both(options)
    print(json.dumps(found))
    print(line(found), file=sys.stderr)


if __name__ == "__main__":
    main()
