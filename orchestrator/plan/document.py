"""Plans as JSON: what `plan --json` prints, and saved plans that a run applies or refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import PlanDrift, UsageError
from orchestrator.plan.cost import budget_problems, cost_document
from orchestrator.plan.duration import forecast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.ledger.store import Ended, Spend
    from orchestrator.plan.plan import Plan

SCHEMA_VERSION = 1


def plan_document(
    plan: Plan,
    ended: Sequence[Ended] = (),
    spend: Mapping[str, Spend] | None = None,
    attempts_made: int = 0,
) -> dict[str, Any]:
    """`plan --json` without `requests`; `ended` are tasks whose times are known."""
    problems = budget_problems(plan, spend or {}, attempts_made)
    duration = forecast(plan, ended)
    return {
        "schema_version": SCHEMA_VERSION,
        "campaign": plan.manifest.campaign,
        "jobs": plan.counts(),
        "cost": cost_document(plan),
        "budget": {"fits": not problems, "problems": list(problems)},
        "duration": {"p50_s": duration.p50, "p90_s": duration.p90, "basis": duration.basis},
        "fingerprint": plan.fingerprint,
        "left_out": [entry.job.key for entry in plan.left_out],
    }


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was saved: which manifest, how it was called, and what it would send."""

    #: Absolute path.
    manifest: str
    fingerprint: str
    #: Key to fingerprint of every job.
    jobs: Mapping[str, str]
    #: `provider/model` to the price of one generation, null where it is not known; None where an
    #: earlier version saved the plan.
    prices: Mapping[str, float | None] | None
    #: `sandbox`, `run_dir`, `select`, `limit`, `models` of the call that saved it; the last is
    #: missing where an earlier version did.
    options: Mapping[str, Any]


def save(plan: Plan, path: Path, options: Mapping[str, Any]) -> None:
    """Write a plan that `run --plan` applies.

    Raises UsageError where another file than a saved plan would be overwritten.
    """
    if path.exists():
        try:
            load(path)
        except UsageError:
            raise UsageError(
                f"{path} is there already and is no saved plan: it is not overwritten. Name another"
                " file with --save."
            ) from None
    document = {
        "schema_version": SCHEMA_VERSION,
        "manifest": str(plan.manifest.path),
        "campaign": plan.manifest.campaign,
        "fingerprint": plan.fingerprint,
        "options": dict(options),
        "jobs": {entry.job.key: entry.job.fingerprint for entry in plan.entries},
        "prices": _prices(plan),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> SavedPlan:
    """Read a saved plan.

    Raises UsageError where the file is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        document = None
    match document:
        case {"schema_version": int(version)} if version != SCHEMA_VERSION:
            raise UsageError(f"{path}: saved by another version; save the plan again")
        case {
            "manifest": str(manifest),
            "fingerprint": str(fingerprint),
            "jobs": dict(jobs),
            "options": dict(options),
        }:
            prices = document.get("prices")
            known = prices if isinstance(prices, dict) else None
            return SavedPlan(manifest, fingerprint, jobs, known, options)
    raise UsageError(f"{path}: this is no plan that `plan --save` wrote")


def check_drift(saved: SavedPlan, plan: Plan) -> None:
    """Assert that a plan made now is the one that was saved.

    Raises PlanDrift, naming the first jobs that differ.
    """
    if saved.fingerprint == plan.fingerprint:
        _check_prices(saved, plan)
        return
    now = {entry.job.key: entry.job.fingerprint for entry in plan.entries}
    changed = [key for key in now if saved.jobs.get(key) not in (now[key], None)]
    added = [key for key in now if key not in saved.jobs]
    removed = [key for key in saved.jobs if key not in now]
    parts = [
        f"{len(keys)} {word} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for word, keys in (("changed", changed), ("added", added), ("removed", removed))
        if keys
    ]
    raise PlanDrift(
        f"the manifest no longer matches the saved plan: {'; '.join(parts) or 'new order'}. "
        f"Nothing was sent. Save the plan again and look at it."
    )


def _check_prices(saved: SavedPlan, plan: Plan) -> None:
    prices = _prices(plan)
    for model, price in (saved.prices or prices).items():
        if model in prices and prices[model] != price:
            was, now = (_worded(amount) for amount in (price, prices[model]))
            raise PlanDrift(
                f"the price of {model} was {was} when the plan was saved, and is {now}. Nothing was"
                " sent. Save the plan again and look at it."
            )


def _worded(amount: float | None) -> str:
    return "not known" if amount is None else f"{amount:g}"


def _prices(plan: Plan) -> dict[str, float | None]:
    """What one generation of each model costs."""
    return {f"{entry.job.provider}/{entry.job.model}": entry.job.estimate for entry in plan.entries}
