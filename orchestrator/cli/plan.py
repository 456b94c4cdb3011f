"""`orchestrator plan`: what a run would send, cost and take; nothing is sent."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import catalogue, options
from orchestrator.cli.earlier import TASKS
from orchestrator.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.catalog.spec import Catalog
    from orchestrator.ledger.store import Ended, Spend
    from orchestrator.manifest.model import Manifest
    from orchestrator.plan.plan import Plan
    from orchestrator.plan.selection import Selection

#: Exit code where the budget does not allow what is still to run.
DOES_NOT_FIT = 5


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan against what its run folder holds already."""

    plan: Plan
    #: Tasks that ended here, of which it is known how long they took.
    ended: Sequence[Ended]
    spend: Mapping[str, Spend]
    attempts_made: int


@click.command("plan")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan for `run --plan FILE`, which refuses to run where anything changed since.",
)
@options.target
@options.selection
@options.json
@click.option("--requests", is_flag=True, help="Show each request that a run would send.")
def plan(
    manifest: Path,
    save: Path | None,
    run_dir: Path | None,
    sandbox: bool,
    select: tuple[str, ...],
    limit: int | None,
    as_json: bool,
    requests: bool,
) -> None:
    r"""Show what a run would send, cost and take.

    \b
    Examples:
      orchestrator plan manifest.yaml
      orchestrator plan manifest.yaml --save plan.json
      orchestrator plan manifest.yaml --select tag:hero --limit 10
      orchestrator plan manifest.yaml --requests --json

    Nothing is sent, and nothing is written but the saved plan. No key is needed. Exits 5 where
    the budget does not allow all of it.
    """
    from orchestrator.cli.gone_models import with_gone_models
    from orchestrator.cli.plan_page import print_plan, print_requests, tell_warnings
    from orchestrator.cli.selected import tell_left_out, tell_unmatched
    from orchestrator.manifest.check import load
    from orchestrator.plan.document import plan_document
    from orchestrator.plan.selection import parse

    selection = parse(select, limit)
    catalog = catalogue.catalog_for(manifest.parent)
    loaded = load(manifest, catalog)
    if not sandbox:
        loaded = with_gone_models(manifest, loaded)
    folder = options.run_folder(loaded, run_dir=run_dir, sandbox=sandbox)
    options.remember(options.typed(manifest, run_dir, sandbox=sandbox))
    outlook = look(loaded, catalog, folder, selection)
    document = plan_document(outlook.plan, outlook.ended, outlook.spend, outlook.attempts_made)
    if save is not None:
        # Before anything is printed: who reads it may go away.
        given = {"sandbox": sandbox, "run_dir": run_dir, "select": list(select), "limit": limit}
        _save(outlook.plan, save, {**given, "models": catalogue.named_folder()})
    tell_warnings(outlook.plan)
    tell_unmatched(selection, outlook.plan)
    tell_left_out(outlook.plan)
    if as_json:
        _print_document(document, outlook.plan, requests=requests)
    else:
        print_plan(outlook, document)
        if requests:
            print_requests(_requests(outlook.plan))
    if save is not None:
        _tell_saved(save)
    raise SystemExit(0 if document["budget"]["fits"] else DOES_NOT_FIT)


def look(manifest: Manifest, catalog: Catalog, folder: Path, selection: Selection) -> Outlook:
    """The plan of a manifest against its run folder, which is only read, and need not exist."""
    from orchestrator.ledger.sqlite.opening import LEDGER_FILE, refuse_lost
    from orchestrator.ledger.sqlite.reading import read_ledger
    from orchestrator.plan.plan import make_plan

    if not options.has_ledger(folder):
        refuse_lost(folder / LEDGER_FILE)
        return Outlook(make_plan(manifest, catalog, (), selection), (), {}, 0)
    with read_ledger(folder) as ledger:
        made = make_plan(manifest, catalog, ledger.rows(), selection)
        ended = [one for name in made.providers() for one in ledger.ended(name, TASKS)]
        return Outlook(made, ended, ledger.spend(), ledger.attempts_made())


def _requests(made: Plan) -> list[dict[str, Any]]:
    from orchestrator.cli.wiring import job_requests

    return job_requests(made)


def _print_document(document: dict[str, Any], made: Plan, *, requests: bool) -> None:
    from orchestrator.cli.output import plain_numbers, print_json

    printed = plain_numbers(document)
    printed["warnings"] = [asdict(warning) for warning in made.manifest.warnings]
    print_json({**printed, "requests": _requests(made)} if requests else printed)


def _save(made: Plan, path: Path, given: Mapping[str, Any]) -> None:
    """Save the plan, its paths absolute: it may be applied from another folder."""
    from orchestrator.plan.document import save

    absolute = {
        name: str(value.absolute()) if isinstance(value, Path) else value
        for name, value in given.items()
    }
    try:
        save(made, path, absolute)
    except OSError as error:
        raise DiskError(
            f"the plan cannot be saved to {path}: {error.strerror}. Name another file with --save."
        ) from error


def _tell_saved(path: Path) -> None:
    import shlex

    from orchestrator.cli.output import tell

    tell(f"Saved. To run exactly this: orchestrator run --plan {shlex.quote(os.fspath(path))}")
