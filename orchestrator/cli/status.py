"""`orchestrator status`: counts, spend, and what waits for a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.cli.options import Target
    from orchestrator.ledger.sqlite.reading import ReadableLedger
    from orchestrator.manifest.model import Manifest


@click.command("status")
@options.run_argument
@options.json
def status(run: Path, run_dir: Path | None, sandbox: bool, as_json: bool) -> None:
    r"""Show how a run stands.

    \b
    Examples:
      orchestrator status manifest.yaml
      orchestrator status runs/spring-launch --json

    RUN is a manifest or a run folder. Works while a run is going on, and changes nothing.
    """
    from orchestrator.cli.output import print_json
    from orchestrator.ledger.sqlite.reading import read_ledger

    target = options.find_run(run, run_dir=run_dir, sandbox=sandbox)
    with read_ledger(target.folder) as ledger:
        document = status_document(ledger, target.folder, target.typed)
        if as_json:
            print_json(document)
        else:
            _print_status(document, target)


def status_document(ledger: ReadableLedger, folder: Path, typed: str) -> dict[str, Any]:
    """What `status --json` and `run --json` print.

    `typed` is `RUN` and its options, quoted for a shell, as the commands of `needs_decision` name
    the run.
    """
    from orchestrator.cli.decisions import documents
    from orchestrator.cli.output import plain_numbers
    from orchestrator.ledger.summary import cost, counts, undecided

    document = {
        **_beginning(ledger.campaign, folder),
        "counts": {state.value: number for state, number in counts(ledger).items()},
        "cost": cost(ledger),
        "elapsed_s": elapsed(ledger),
        "needs_decision": documents(undecided(ledger), typed),
        **_going_on(folder),
    }
    whole: dict[str, Any] = plain_numbers(document)
    return whole


def unstarted_document(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """What `run --json` prints where the run folder has no ledger: all jobs are planned."""
    from orchestrator.jobs import State

    counts = {state.value: 0 for state in State} | {State.PLANNED.value: len(manifest.jobs)}
    return {
        **_beginning(manifest.campaign, folder),
        "counts": counts,
        "cost": [],
        "elapsed_s": 0,
        "needs_decision": [],
        **_going_on(folder),
    }


def _going_on(folder: Path) -> dict[str, Any]:
    """Who works in a run folder now, None for nobody; and whether the last run was cut off.

    That is so where its ledger was not closed: after a `kill -9`, a crash or a power cut.
    """
    from orchestrator.ledger.lock import holder
    from orchestrator.ledger.sqlite.opening import LEDGER_FILE, was_left_open

    found = holder(folder)
    return {
        "running": None if found is None else asdict(found),
        "cut_off": found is None and was_left_open(folder / LEDGER_FILE),
    }


def _beginning(campaign: str, folder: Path) -> dict[str, Any]:
    from orchestrator.cli.output import SCHEMA_VERSION

    return {"schema_version": SCHEMA_VERSION, "campaign": campaign, "run_dir": str(folder)}


def elapsed(ledger: ReadableLedger) -> float:
    """Seconds from the ledger's first event to its last; 0 where nothing happened yet."""
    found = ledger.fetch(
        "SELECT at FROM (SELECT at FROM events ORDER BY seq LIMIT 1)"
        " UNION ALL SELECT at FROM (SELECT at FROM events ORDER BY seq DESC LIMIT 1)"
    )
    return round(max(found[-1][0] - found[0][0], 0.0), 3) if found else 0.0


def _print_status(document: Mapping[str, Any], target: Target) -> None:
    from orchestrator.cli.output import Column, print_table, say, say_entry, say_prose
    from orchestrator.report.figures import counted, span

    total = sum(document["counts"].values())
    rows = [(state, f"{count:,}") for state, count in document["counts"].items() if count]
    rows.append(("all", f"{total:,}"))
    print_table((Column("STATE"), Column("JOBS", right=True)), rows)
    say()
    if document["cost"]:
        _print_cost(document["cost"])
        say()
    say_entry("time", f"{span(document['elapsed_s'])} from the first event to the last")
    say_entry("run", _standing(document))
    say(f"folder  {document['run_dir']}")
    if document["cut_off"]:
        say()
        say_prose("Nothing that was paid for is lost. To go on:")
        say(f"  orchestrator run {target.typed if target.manifest else 'MANIFEST'}")
    waiting = document["needs_decision"]
    if waiting:
        say()
        wait = "waits" if len(waiting) == 1 else "wait"
        say_prose(
            f"{counted(len(waiting), 'job')} {wait} for a decision. To see why, and what to do:"
        )
        say(f"  orchestrator resolve {target.typed}")


def _standing(document: Mapping[str, Any]) -> str:
    """Whether a run is going on, in words."""
    from orchestrator.ledger.lock import Holder

    if document["running"] is not None:
        return f"going on: {Holder(**document['running'])}"
    if document["cut_off"]:
        return "none is going on; the last one was cut off before its end"
    return "none is going on"


def _print_cost(cost: list[dict[str, Any]]) -> None:
    from orchestrator.cli.output import Column, amount_or_unknown, print_table

    figures = ("estimated", "reserved", "final")
    columns = [Column("PROVIDER"), *(Column(name.upper(), right=True) for name in figures)]
    rows = [
        [item["provider"], *(amount_or_unknown(item[name]) for name in figures), item["unit"]]
        for item in cost
    ]
    print_table([*columns, Column("UNIT")], rows)
