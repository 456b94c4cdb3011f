"""What a plan costs, and whether the budget allows it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.ledger.store import Spend
    from orchestrator.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What the jobs of one model cost that are still to run."""

    provider: str
    model: str
    unit: str
    jobs: int
    #: Price of one; None is unknown.
    each: float | None
    precision: str

    @property
    def amount(self) -> float | None:
        """Price of all; None is unknown."""
        return None if self.each is None else self.each * self.jobs


def costs(plan: Plan) -> tuple[ModelCost, ...]:
    """The cost of what is still to run, by model, for every model of the manifest."""
    counted = Counter(f"{entry.job.provider}/{entry.job.model}" for entry in plan.to_run)
    each = {f"{entry.job.provider}/{entry.job.model}": entry.job.estimate for entry in plan.entries}
    return tuple(
        ModelCost(
            model.provider, model.model, model.unit, counted[name], each[name], plan.precision[name]
        )
        for name, model in sorted(plan.models.items())
    )


def cost_document(plan: Plan) -> list[dict[str, Any]]:
    """`cost` of `plan --json`: by provider, each with its models."""
    document = []
    for provider in plan.providers():
        models = [cost for cost in costs(plan) if cost.provider == provider]
        running = [cost for cost in models if cost.jobs] or models
        known = [cost.amount for cost in running]
        amounts = [amount for amount in known if amount is not None]
        document.append(
            {
                "provider": provider,
                "unit": models[0].unit,
                "amount": sum(amounts) if len(amounts) == len(known) else None,
                "precision": _least_precise([cost.precision for cost in running]),
                "by_model": [
                    {
                        "model": cost.model,
                        "jobs": cost.jobs,
                        "each": cost.each,
                        "amount": cost.amount,
                    }
                    for cost in models
                ],
            }
        )
    return document


def _least_precise(precisions: list[str]) -> str:
    return max(precisions, key=("exact", "estimated", "unknown").index)


def unpriced(plan: Plan, provider: str) -> list[str]:
    """Keys of a provider's jobs to run whose price is unknown: a cap leaves them unsent."""
    return [
        entry.job.key
        for entry in plan.to_run
        if entry.job.provider == provider and entry.job.estimate is None
    ]


def budget_problems(
    plan: Plan, spend: Mapping[str, Spend], attempts_made: int = 0
) -> tuple[str, ...]:
    """Why the plan does not fit the manifest's budget; empty where it does."""
    problems = []
    budget = plan.manifest.budget
    for provider, cap in sorted(budget.credits.items()):
        blocked = unpriced(plan, provider)
        if blocked:
            problems.append(
                f"{provider}: the price of {_some(blocked)} is not known, which a cap does not "
                f"allow; state it under prices:"
            )
        spent = spend[provider].charge if provider in spend else 0.0
        needed = sum(
            entry.job.estimate
            for entry in plan.to_run
            if entry.job.provider == provider and entry.job.estimate is not None
        )
        if exceeds(spent + needed, cap):
            problems.append(
                f"{provider}: {amount(needed)} credits still to spend and "
                f"{amount(spent)} spent exceed the cap of {amount(cap)}"
            )
    to_run = len(plan.to_run)
    if budget.jobs is not None and attempts_made + to_run > budget.jobs:
        problems.append(
            f"jobs: {to_run} creates still to send and {attempts_made} sent exceed the cap of "
            f"{budget.jobs}"
        )
    return tuple(problems)


def exceeds(total: float, cap: float) -> bool:
    """Whether a sum is over a cap by more than the rounding of its parts: 10 times 0.9 fits 9."""
    return total > cap and not math.isclose(total, cap, rel_tol=1e-9)


def amount(credits_: float) -> str:
    """An amount of credits as people write it: `57`, `0.9`."""
    return f"{credits_:,.2f}".rstrip("0").rstrip(".")


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"
