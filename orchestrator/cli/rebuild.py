"""`orchestrator rebuild`: a damaged ledger made again from what is left of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import click

from orchestrator.cli import catalogue, options
from orchestrator.errors import OrchestratorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from orchestrator.catalog.spec import Catalog
    from orchestrator.ledger.repair.rebuild import Rebuilt
    from orchestrator.ledger.store import Admission, Row
    from orchestrator.manifest.model import Manifest

#: Exit code where jobs wait for `resolve`.
UNDECIDED = 4


@click.command("rebuild")
@options.run_argument
def rebuild(run: Path, run_dir: Path | None, sandbox: bool) -> None:
    r"""Make a damaged ledger again from what is left of it.

    \b
    Examples:
      orchestrator rebuild manifest.yaml
      orchestrator rebuild manifest.yaml --run-dir out

    RUN is the manifest. Reads what can be read of the damaged ledger, which is kept, and the
    results, the log and the files beside the videos. Sends nothing. Videos that are there and
    tasks that are known are kept. Every other job that may have been sent waits for `resolve`:
    nothing is paid for again unless you say so.
    """
    from orchestrator.ledger.repair.rebuild import rebuild as make_again
    from orchestrator.manifest.check import load

    if run.is_dir():
        raise UsageError(f"{run} is a folder: name the manifest, which says what the jobs are.")
    catalog = catalogue.catalog_for(run.parent)
    manifest = load(run, catalog)
    folder = options.run_folder(manifest, run_dir=run_dir, sandbox=sandbox)
    if not folder.is_dir():
        raise UsageError(f"{run} has not run yet: there is no {folder}. Nothing was changed.")
    arrange = partial(_arrange, manifest, catalog)
    make = partial(make_again, campaign=manifest.campaign, arrange=arrange, task_in=_task_in)
    made = anyio.run(make, folder)
    _tell_result(made, options.typed(run, run_dir, sandbox=sandbox))
    raise SystemExit(UNDECIDED if made.undecided else 0)


def _arrange(manifest: Manifest, catalog: Catalog, rows: Iterable[Row]) -> Sequence[Admission]:
    """The manifest's jobs, each with the row that stands for it already."""
    from orchestrator.ledger.store import Admission
    from orchestrator.plan.plan import make_plan

    entries = make_plan(manifest, catalog, rows).entries
    return [Admission(entry.job, entry.row.row if entry.row else None) for entry in entries]


def _task_in(provider: str, reply: str) -> str | None:
    """The task that a kept reply to a create names; None where it names none."""
    from orchestrator.engine.wire.evidence import kept_reply
    from orchestrator.providers.base import Accepted
    from orchestrator.providers.registry import provider as find_provider

    try:
        outcome = find_provider(provider).read_create(kept_reply(reply))
    except (OrchestratorError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return outcome.task_id if isinstance(outcome, Accepted) else None


def _tell_result(made: Rebuilt, typed: str) -> None:
    from orchestrator.cli.output import near, tell
    from orchestrator.report.figures import counted

    states = ", ".join(f"{number:,} {state}" for state, number in made.counts.items() if number)
    tell(f"{near(made.path)} was made again: {states or 'no jobs'}.")
    if made.kept is not None:
        tell(f"The damaged one is kept as {near(made.kept)}.")
    for task_id, key in made.unplaced.items():
        tell(f"Task {task_id}{f' of {key}' if key else ''} belongs to no job that is known.")
    if made.undecided:
        jobs = counted(made.undecided, "job")
        tell(f"{jobs} may have been sent, and nothing tells what became of it. Look on the")
        tell("provider's site which tasks were made, then decide each job. To list them:")
        tell(f"  orchestrator resolve {typed}")
    tell(f"To go on with the others: orchestrator run {typed}")
