"""Whole campaigns over real sockets and a real disk, as the program itself puts them together."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.catalog.tables import shipped
from orchestrator.cli.access import Key
from orchestrator.cli.wiring import opened
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.tally import Tally
from orchestrator.ledger.sqlite.ledger import MEMORY, SqliteLedger, open_ledger
from orchestrator.plan.plan import make_plan
from orchestrator.providers.origins import Origin
from orchestrator.storage.local import LocalStorage
from tests.engine.campaigns import manifest, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.jobs import State
    from orchestrator.ledger.store import Row
    from orchestrator.manifest.model import Manifest

#: Kinds of provider: one that honours an idempotency key, and one that has none.
K, N = "rivya", "acedatacloud"

#: What no file, log or host but the provider may ever see.
CANARY = "canary-5ec4e7-key"

#: Limits that hold nobody up; the first pause after trouble is a second of the clock.
QUICK = {
    "in_flight": 100, "creates_per_minute": 600_000.0, "polls_per_second": 10_000.0,
    "poll_after": 0.0, "poll_every": 0.5, "pause_after_unknown": 1_000_000,
}  # fmt: skip


def jobs(*providers: str, **limits: Any) -> Manifest:
    """A manifest of one job for each provider that is named, `job0` and so on."""
    specs = [spec(number, name) for number, name in enumerate(providers)]
    return manifest(specs, **{**QUICK, **limits})


@dataclass
class Folder:
    """A run folder, its ledger, and the runs in it."""

    path: Path
    #: Base URL of each provider.
    urls: Mapping[str, str]
    ledger: SqliteLedger
    log: io.StringIO = field(default_factory=io.StringIO)
    #: Where providers are said to be, in place of what their URLs say.
    origins: dict[str, Origin] = field(default_factory=dict)

    async def run(
        self, what: Manifest, *, beside: Callable[[Campaign], Any] | None = None
    ) -> Tally:
        """Run a manifest to its end, in a day of the clock at most; `beside` runs along with it."""
        clock, catalog = Clock(), shipped()
        plan = make_plan(what, catalog, self.ledger.rows())
        spend = {name: spent.charge for name, spent in self.ledger.spend().items()}
        budget = Budget(what.budget, {}, spend, self.ledger.attempts_made())
        journal = Journal(self.log, clock)
        names = {job.provider for job in what.jobs}
        keys = {name: Key(CANARY, "here", self._origin(name)) for name in names}
        async with opened(keys, what.limits, catalog, clock) as accesses:
            run = Run(self.ledger, budget, clock, journal, Tally(), anyio.create_task_group())
            store = LocalStorage(self.path)
            campaign = Campaign(run, plan, store, accesses, grace=10.0)
            with anyio.fail_after(86_400):
                async with anyio.create_task_group() as tasks:
                    if beside is not None:
                        tasks.start_soon(beside, campaign)
                    tally = await campaign.run()
                    tasks.cancel_scope.cancel()
            await store.sweep()
        return tally

    def _origin(self, name: str) -> Origin:
        return self.origins.get(name) or Origin.from_url(self.urls[name])

    def row(self, key: str = "job0") -> Row:
        """A job of the manifest as the ledger has it."""
        (found,) = [row for row in self.ledger.rows(current=True) if row.key == key]
        return found

    def states(self) -> dict[str, State]:
        return {row.key: row.state for row in self.ledger.rows(current=True)}

    def told(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log about an event."""
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if line["event"] == event]


@contextmanager
def folder(path: Path, urls: Mapping[str, str]) -> Iterator[Folder]:
    """A new run folder whose ledger is kept in memory."""
    path.mkdir()
    ledger = open_ledger(path, campaign="network", database=MEMORY)
    try:
        yield Folder(path, urls, ledger)
    finally:
        ledger.close()
