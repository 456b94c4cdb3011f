"""`orchestrator run`: run a manifest or a saved plan, or go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import click

from orchestrator.cli import catalogue, options
from orchestrator.errors import UsageError


@click.command("run")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run what `plan --save` saved, and nothing where anything changed since.",
)
@options.target
@options.selection
@click.option("--yes", is_flag=True, help="Do not ask before spending credits.")
@click.option(
    "--max-credits",
    multiple=True,
    metavar="[PROVIDER=]N",
    help="Spend at most N credits in this call, and do not ask; for each PROVIDER where the "
    "manifest uses several. May be repeated.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tasks at once, for every provider, this time.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="Time that polls and downloads get after a signal.",
)
@options.json
@click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="How progress is shown on stderr.",
)
def run(
    manifest: Path | None,
    plan_file: Path | None,
    select: tuple[str, ...],
    limit: int | None,
    **given: Any,  # noqa: ANN401 - click's options, by name
) -> None:
    r"""Run a manifest, or a saved plan; the same command again resumes.

    \b
    Examples:
      orchestrator run manifests/quickstart.yaml --sandbox
      orchestrator run spring.yaml --max-credits 500
      orchestrator run spring.yaml --select tag:hero --limit 10 --yes
      orchestrator run --plan plan.json --yes

    Jobs that are stored already cost nothing: a second run sends no create for them. The first
    Ctrl-C stops creates and saves; the second ends at once, and the ledger makes that safe.

    Stdout stays empty but for --json: then it holds one document, of how the run stands when it
    ends, also where a key is missing or the disk fails. Of a manifest with problems it is the
    document of `validate --json`. Where the command line is wrong or nobody agreed to spend, there
    is none.
    """
    from orchestrator.cli.session import Call, run_call
    from orchestrator.plan.document import load
    from orchestrator.plan.selection import parse

    saved = load(plan_file) if plan_file else None
    if (manifest is None) == (saved is None):
        raise UsageError("name a manifest, or a saved plan with --plan, and not both")
    if saved is not None:
        if select or limit is not None:
            raise UsageError("a saved plan brings its own --select and --limit")
        select, limit = tuple(saved.options["select"]), saved.options["limit"]
        given["sandbox"] = given["sandbox"] or saved.options["sandbox"]
        saved_folder = saved.options["run_dir"]
        given["run_dir"] = given["run_dir"] or (Path(saved_folder) if saved_folder else None)
        catalogue.name_unless_typed(saved.options.get("models"))
        manifest = Path(saved.manifest)
    assert manifest is not None
    call = Call(
        manifest=manifest,
        catalog=catalogue.catalog_for(manifest.parent),
        selection=parse(select, limit),
        saved=saved,
        plan_file=plan_file,
        **given,
    )
    raise SystemExit(anyio.run(run_call, call))
