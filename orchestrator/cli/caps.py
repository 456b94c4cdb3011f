"""What a call may spend: the question before it, and `--max-credits`."""

from __future__ import annotations

import math
import signal
import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli.output import some, tell
from orchestrator.errors import UsageError
from orchestrator.plan.cost import amount, costs, unpriced
from orchestrator.report.figures import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.plan.cost import ModelCost
    from orchestrator.plan.plan import Plan

#: Exit code of a call that Ctrl-C ended.
_INTERRUPTED = 130


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


def ask_before_spending(plan: Plan) -> None:
    """Ask on the terminal whether a plan's creates may be sent.

    Raises UsageError where the answer is no, and where there is no terminal to ask on.
    """
    question = spending(plan)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} {_words_of_consent(plan)} Nothing was sent.")
    if not _confirmed(question):
        raise UsageError("nothing was sent")


def spending(plan: Plan) -> str:
    """What a run is about to spend, as a sentence."""
    parts = []
    for provider in plan.providers():
        due = _due(plan, provider)
        known = sum(cost.amount or 0.0 for cost in due)
        unknown = sum(cost.jobs for cost in due if cost.each is None)
        if known:
            parts.append(f"about {amount(known)} {due[0].unit} at {provider}")
        if unknown:
            parts.append(f"{counted(unknown, 'job')} of unknown price at {provider}")
    created = f"This run creates {counted(len(plan.to_run), 'video')}"
    return f"{created}: {', '.join(parts)}." if parts else f"{created}."


def _words_of_consent(plan: Plan) -> str:
    """The options that let a plan run without a question, ready to be pasted.

    No cap is offered where jobs of unknown price are due: it would leave them planned, and a cap
    for the other providers alone would seem to cover them.
    """
    caps = []
    for provider in plan.providers():
        due = _due(plan, provider)
        if any(cost.amount is None for cost in due):
            return "Say --yes."
        if due:
            name = f"{provider}=" if len(plan.providers()) > 1 else ""
            caps.append(f"--max-credits {name}{sum(cost.amount or 0.0 for cost in due):.12g}")
    return f"Say --yes, or {' '.join(caps)}." if caps else "Say --yes."


def uncapped_jobs(plan: Plan, caps: Mapping[str, float]) -> list[str]:
    """Where caps are stated: what they do not cover, a line for each provider."""
    covered = {*caps, *plan.manifest.budget.credits}
    return [
        f"{provider} has no cap: {counted(sum(cost.jobs for cost in due), 'job')} may be sent there"
        for provider in plan.providers()
        if caps and provider not in covered and (due := _due(plan, provider))
    ]


def _due(plan: Plan, provider: str) -> list[ModelCost]:
    """What the jobs of a provider cost that are still to run, by model."""
    return [cost for cost in costs(plan) if cost.provider == provider and cost.jobs]


def _confirmed(question: str) -> bool:
    """Ask on the terminal. One Ctrl-C answers, which the event loop would swallow otherwise."""
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        return click.confirm(f"{question} Go on?", err=True)
    except click.Abort:
        click.echo(err=True)
        if interrupts:
            tell("nothing was sent")
            raise SystemExit(_INTERRUPTED) from None
        return False
    finally:
        signal.signal(signal.SIGINT, before)
