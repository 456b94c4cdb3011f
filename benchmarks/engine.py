"""The engine on the same jobs, as `orchestrator run` has it: ledger, hashes, checks, sidecars.

`python -m benchmarks.engine BASE_URL JOBS FOLDER` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from benchmarks.memory import peak, resident
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
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from orchestrator.providers.origins import Origin
from orchestrator.storage.local import LocalStorage

MANIFEST = """\
version: 1
campaign: bench
limits:
  rivya: {in_flight: 64, creates_per_minute: 1000000, polls_per_second: 100000, poll_after: 0s,
          poll_every: 10ms, downloads: 32}
jobs:
  - id: bench
    model: hailuo-pro
    prompt: "Number {{n}}"
    rows: bench.csv
"""


async def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs; bytes before and at most."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DISK_THREADS))
    path = folder / "bench.yaml"
    path.write_text(MANIFEST)
    (folder / "bench.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(jobs)))
    manifest = load(path, shipped())
    run_folder = folder / "run"
    clock = Clock()
    with (
        open_ledger(run_folder, campaign="bench") as ledger,
        (run_folder / "run.log").open("w") as log,
    ):
        plan = make_plan(manifest, shipped(), list(ledger.rows()))
        async with AsyncExitStack() as stack:
            keys = {"rivya": Key("bench", "bench", Origin.from_url(base))}
            accesses = await stack.enter_async_context(
                opened(keys, manifest.limits, shipped(), clock)
            )
            run = Run(
                ledger, Budget(manifest.budget, {}, {}, 0), clock, Journal(log, clock), Tally(),
                anyio.create_task_group(),
            )  # fmt: skip
            calm_collector()
            loaded = resident()
            began, used = time.perf_counter(), time.process_time()
            tally = await Campaign(run, plan, LocalStorage(run_folder), accesses, 10).run()
            taken = {
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - used,
                "loaded": loaded,
                "peak": peak(),
            }
    assert tally.exit_code() == 0, tally
    return taken


if __name__ == "__main__":
    print(json.dumps(anyio.run(measure, sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
