"""What a call may spend: the question before it, and `--max-credits`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.cli.output import some
from orchestrator.errors import UsageError
from orchestrator.plan.cost import amount, costs, unpriced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.plan.plan import Plan


def call_caps(texts: Sequence[str], plan: Plan) -> dict[str, float]:
    """Read `--max-credits [PROVIDER=]N` into caps by provider.

    Raises UsageError for what is no amount, for a provider that the manifest does not use, and
    for a bare amount where it uses several.
    """
    providers = plan.providers()
    caps: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals and len(providers) != 1:
            raise UsageError(
                f"--max-credits {text}: the manifest uses {', '.join(providers)}; write "
                f"--max-credits {providers[0]}={text} for each that is capped"
            )
        provider = name if equals else providers[0]
        if provider not in providers:
            raise UsageError(f"--max-credits {text}: the manifest does not use {provider}")
        caps[provider] = _credits(text, number)
    return caps


def _credits(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"--max-credits {text}: write an amount of credits, such as 500")
    return value


def unpriced_jobs(plan: Plan, caps: Mapping[str, float]) -> list[str]:
    """Which jobs a cap leaves planned because their price is unknown, a line for each provider."""
    lines = []
    for provider in plan.providers():
        keys = unpriced(plan, provider)
        if keys and (provider in caps or provider in plan.manifest.budget.credits):
            lines.append(
                f"{provider}: {some(keys)} stay planned: their price is not known, which a cap does"
                " not allow; state it under prices:"
            )
    return lines


def spending(plan: Plan) -> str:
    """What a run is about to spend, as one sentence or two."""
    parts = []
    for provider in plan.providers():
        running = [cost for cost in costs(plan) if cost.provider == provider and cost.jobs]
        known = sum(cost.amount or 0.0 for cost in running)
        unknown = sum(cost.jobs for cost in running if cost.each is None)
        if known:
            parts.append(f"about {amount(known)} {running[0].unit} at {provider}")
        if unknown:
            parts.append(f"{unknown} jobs of unknown price at {provider}")
    jobs = len(plan.to_run)
    return f"This run creates {jobs} video{'s' if jobs != 1 else ''}: {', '.join(parts)}."
