"""A plan for people: cost, jobs, budget and time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import (
    Column,
    amount_or_unknown,
    print_table,
    say,
    say_entry,
    some,
    tell,
)
from orchestrator.plan.cost import costs
from orchestrator.report.figures import counted, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.cli.plan import Outlook
    from orchestrator.ledger.store import Spend
    from orchestrator.plan.plan import Plan

_COLUMNS = (
    Column("MODEL"),
    Column("TO RUN", right=True),
    Column("EACH", right=True),
    Column("AMOUNT", right=True),
    Column("PRICE"),
)
#: How the states of a plan are named to people.
_WORDS = {
    "to_run": "to run",
    "stored": "stored already",
    "pending": "under way",
    "unknown": "of unknown outcome",
    "failed": "failed",
    "quarantined": "quarantined",
}


def print_plan(outlook: Outlook, document: Mapping[str, Any]) -> None:
    """Print a plan on stdout. `document` is that of `plan --json`."""
    rows = [
        (
            f"{cost.provider}/{cost.model}",
            f"{cost.jobs:,}",
            amount_or_unknown(cost.each),
            amount_or_unknown(cost.amount),
            cost.precision,
        )
        for cost in costs(outlook.plan)
        if cost.jobs
    ]
    if rows:
        print_table(_COLUMNS, rows)
        say()
    lines = [("jobs", _jobs(document["jobs"]))]
    lines += [("cost", _cost(cost, outlook.spend)) for cost in document["cost"]]
    lines += [("budget", text) for text in _budget(outlook.plan, document["budget"])]
    lines.append(("time", _time(document)))
    for title, text in lines:
        say_entry(title, text)


def _jobs(jobs: Mapping[str, int]) -> str:
    parts = [f"{jobs[state]:,} {word}" for state, word in _WORDS.items() if jobs[state]]
    return f"{counted(jobs['total'], 'job')}: {', '.join(parts)}" if parts else "none selected"


def _cost(cost: Mapping[str, Any], spend: Mapping[str, Spend]) -> str:
    """One provider's cost, such as `rivya 493 credits (estimated), 57 spent before`."""
    unknown = sum(model["jobs"] for model in cost["by_model"] if model["each"] is None)
    known = sum(model["amount"] for model in cost["by_model"] if model["each"] is not None)
    parts = []
    if not any(model["jobs"] for model in cost["by_model"]):
        parts.append("nothing more to spend")
    elif known or not unknown:
        parts.append(f"{amount_or_unknown(known)} {cost['unit']} ({_known_precision(cost)})")
    if unknown:
        parts.append(f"{counted(unknown, 'job')} of unknown price")
    spent = spend.get(cost["provider"])
    if spent is not None and spent.charge:
        parts.append(f"{amount_or_unknown(spent.charge)} spent or reserved before")
    return f"{cost['provider']} {', '.join(parts)}"


def _known_precision(cost: Mapping[str, Any]) -> str:
    return "estimated" if cost["precision"] == "unknown" else str(cost["precision"])


def _budget(plan: Plan, budget: Mapping[str, Any]) -> Iterator[str]:
    stated = plan.manifest.budget
    caps = [f"{name} {amount_or_unknown(cap)} credits" for name, cap in stated.credits.items()]
    if stated.jobs is not None:
        caps.append(f"{stated.jobs:,} creates")
    if not caps:
        yield "no cap is stated"
    elif budget["fits"]:
        yield f"fits: at most {', '.join(caps)}"
    else:
        yield "does not fit; a run stops there and exits 5:"
        yield from budget["problems"]


def _time(document: Mapping[str, Any]) -> str:
    duration = document["duration"]
    if not document["jobs"]["to_run"]:
        return "nothing to create"
    half, most = span(duration["p50_s"]), span(duration["p90_s"])
    return f"half of all such runs end within {half}, 9 of 10 within {most} ({duration['basis']})"


def print_requests(requests: Sequence[Mapping[str, Any]]) -> None:
    """Print each request as a short block on stdout."""
    for request in requests:
        say()
        say(f"# {request['key']}")
        say(f"{request['method']} {request['url']}")
        say(json.dumps(request["body"], ensure_ascii=False, indent=2))


def tell_warnings(plan: Plan) -> None:
    """Say on stderr what is odd about a plan: the manifest's warnings, renames, new defaults."""
    from orchestrator.cli.validate import tell_warning

    for warning in plan.manifest.warnings:
        tell_warning(warning)
    changed = [entry.job.key for entry in plan.entries if entry.default_changed]
    if changed:
        tell(
            f"a default in the model's table changed since {some(changed)} were bought. They are "
            "kept as they are; state the parameter to buy them again.",
            "warning",
        )
    renamed = [
        f"{entry.row.key} is {entry.job.key} now"
        for entry in plan.entries
        if entry.row is not None and entry.row.key != entry.job.key
    ]
    if renamed:
        tell(f"{some(renamed)}: the run renames the files and sends nothing.", "note")
