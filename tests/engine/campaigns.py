"""Campaigns in the simulated world: manifests without files, runs without sockets."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.catalog.tables import shipped
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.stages import Access
from orchestrator.engine.tally import Tally
from orchestrator.jobs import JobSpec, State
from orchestrator.ledger.sqlite.ledger import MEMORY, SqliteLedger, open_ledger
from orchestrator.manifest.model import PROVIDER_LIMITS, Limits, Manifest
from orchestrator.manifest.model import Budget as Caps
from orchestrator.plan.plan import make_plan
from orchestrator.providers.registry import provider
from tests.engine.virtual import EPOCH, run_virtual
from tests.engine.world import Disk, Wire, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.plan.selection import Selection

MODELS = {"rivya": "hailuo-pro", "acedatacloud": "minimax-t2v"}


def spec(number: int, provider_name: str = "rivya", **fields: Any) -> JobSpec:
    """The job `job<number>`."""
    return JobSpec(
        key=f"job{number}",
        id=f"job{number}",
        identity=f'{{"id":"job{number}"}}',
        provider=provider_name,
        model=fields.pop("model", MODELS[provider_name]),
        prompt=fields.pop("prompt", f"prompt {number}"),
        params=fields.pop("params", {}),
        **fields,
    )


def manifest(
    jobs: Sequence[JobSpec], *, caps: Caps | None = None, prices: Mapping[str, float] | None = None,
    **limits: Any,
) -> Manifest:  # fmt: skip
    """A manifest of these jobs; `limits` are those of every provider.

    They count as stated, but for the times of looks.
    """
    limits.setdefault("stated", frozenset(limits) - {"poll_after", "poll_every"})
    defaults = {name: PROVIDER_LIMITS.get(name, Limits()) for name in MODELS}
    return Manifest(
        path=Path("manifest.yaml").absolute(),
        campaign="simulated",
        seed=0,
        budget=caps or Caps(),
        limits={name: replace(found, **limits) for name, found in defaults.items()},
        runs=Path("runs").absolute(),
        prices=prices or {},
        jobs=tuple(jobs),
    )


@dataclass
class Simulation:
    """A world, a ledger in memory, and runs over them, one after the other."""

    world: World = field(default_factory=World)
    ledger: SqliteLedger = field(init=False)
    #: Virtual time, which goes on from run to run.
    now: float = 0.0
    log: io.StringIO = field(default_factory=io.StringIO)
    #: Added to the wall clock, to let it jump.
    wall_shift: float = 0.0

    def __post_init__(self) -> None:
        self.ledger = open_ledger(
            Path(), campaign="simulated", clock=self.wall, database=MEMORY, threaded=False
        )

    def wall(self) -> float:
        with suppress(anyio.NoEventLoopError):
            self.now = anyio.current_time()
        return EPOCH + self.now + self.wall_shift

    def run(
        self,
        what: Manifest,
        *,
        selection: Selection | None = None,
        max_credits: Mapping[str, float] | None = None,
        grace: float = 10.0,
        beside: Callable[[Campaign], Any] | None = None,
    ) -> Tally:
        """Run a manifest to its end in virtual time. `beside` runs along with it."""

        async def work() -> Tally:
            campaign = self._campaign(what, selection, max_credits or {}, grace)
            async with anyio.create_task_group() as tasks:
                if beside is not None:
                    tasks.start_soon(beside, campaign)
                try:
                    return await campaign.run()
                finally:
                    self.now = anyio.current_time()
                    tasks.cancel_scope.cancel()

        return run_virtual(work, start=self.now)

    def _campaign(
        self,
        what: Manifest,
        selection: Selection | None,
        max_credits: Mapping[str, float],
        grace: float,
    ) -> Campaign:
        catalog = shipped()
        clock = Clock(self.wall)
        plan = make_plan(what, catalog, self.ledger.rows(), selection)
        spend = {name: spent.charge for name, spent in self.ledger.spend().items()}
        budget = Budget(what.budget, max_credits, spend, self.ledger.attempts_made())
        journal = Journal(self.log, clock)
        run = Run(self.ledger, budget, clock, journal, Tally(), anyio.create_task_group())
        accesses = [
            Access(
                provider(name),
                Wire(self.world, name),
                None,  # type: ignore[arg-type] - the simulated disk asks nobody
                None,  # type: ignore[arg-type] - no reference is fetched
                what.limits[name],
                {model.name: model for model in catalog.models.values()},
            )
            for name in MODELS
        ]
        return Campaign(run, plan, Disk(self.world), accesses, grace)

    def states(self) -> dict[str, State]:
        return {row.key: row.state for row in self.ledger.rows(current=True)}

    def creates(self, provider_name: str | None = None) -> list[float]:
        """When creates arrived."""
        return [
            at
            for at, name, what in self.world.requests
            if what == "create" and provider_name in (None, name)
        ]
