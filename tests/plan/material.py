"""Specs, manifests and ledger rows that the plan's tests share, of the real types."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from orchestrator.catalog.tables import shipped
from orchestrator.jobs import JobSpec, State
from orchestrator.ledger.store import Row
from orchestrator.manifest.model import Budget, Limits, Manifest
from orchestrator.plan.fingerprint import make_job
from orchestrator.plan.plan import make_plan

CATALOG = shipped()
HORSE = CATALOG.models["rivya/happyhorse-1-0"]
SORA = CATALOG.models["rivya/sora-2-pro"]
HAILUO = CATALOG.models["rivya/hailuo-pro"]
MINIMAX = CATALOG.models["acedatacloud/minimax-t2v"]


def spec(key="cup", model=SORA, **changes):
    """A job of the manifest; its identity follows from its key where nothing is said."""
    plain = JobSpec(
        key=key,
        id=key.split("/")[0],
        identity=json.dumps({"id": key}),
        provider=model.provider,
        model=model.model,
        prompt="A cup on a table",
        params={},
    )
    return replace(plain, **changes)


def job(key="cup", model=SORA, *, seed=0, estimate=None, **changes):
    """The job to buy for such a spec."""
    return make_job(spec(key, model, **changes), model, seed, estimate)


def row_of(made, number=1, state=State.STORED, **changes):
    """The ledger's row of a job."""
    row = Row(
        row=number,
        position=number,
        key=made.key,
        identity=made.spec.identity,
        fingerprint=made.fingerprint,
        stated=made.stated,
        provider=made.provider,
        model=made.model,
        state=state,
        job={"params": dict(made.params)},
    )
    return replace(row, **changes)


def manifest(*jobs, **changes):
    """A checked manifest of these jobs."""
    plain = Manifest(
        path=Path("campaigns/spring.yaml"),
        campaign="spring",
        seed=0,
        budget=Budget(),
        limits={"rivya": Limits(), "acedatacloud": Limits()},
        runs=Path("runs"),
        prices={},
        jobs=jobs,
    )
    return replace(plain, **changes)


def plan(*jobs, rows=(), selection=None, catalog=CATALOG, **changes):
    """The plan of such a manifest against these rows."""
    return make_plan(manifest(*jobs, **changes), catalog, rows, selection)
