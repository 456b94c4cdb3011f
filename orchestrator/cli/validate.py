"""`orchestrator validate`: every problem of every manifest at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import catalogue, options
from orchestrator.cli.annotations import annotation
from orchestrator.cli.output import say, tell
from orchestrator.errors import UsageError, WrongTables

if TYPE_CHECKING:
    from orchestrator.jobs import Problem


@click.command("validate")
@click.argument(
    "manifests", metavar="MANIFEST...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github"]),
    help="text, which is the default, or github: annotations for GitHub's workflows.",
)
@catalogue.option
@options.json
def validate(manifests: tuple[Path, ...], form: str | None, as_json: bool) -> None:
    r"""Find every problem of manifests.

    \b
    Examples:
      orchestrator validate manifest.yaml
      orchestrator validate manifests/*.yaml
      orchestrator validate manifest.yaml --json
      orchestrator validate manifests/*.yaml --format github

    Prints each problem as `file:line:column: message`, and exits 2 where there is one. Files
    that a manifest names are read too; nothing is sent.
    """
    from orchestrator.cli.editor_schema import stale_schema
    from orchestrator.cli.gone_models import gone_models
    from orchestrator.manifest.check import check

    if as_json and form is not None:
        raise UsageError("--json and --format exclude each other: leave one of them out.")
    problems: list[Problem] = []
    warnings: list[Problem] = []
    jobs = 0
    for path in manifests:
        try:
            catalog = catalogue.catalog_for(path.parent)
        except WrongTables as wrong:
            problems += [problem for problem in wrong.problems if problem not in problems]
            tell(f"{path} was not checked: its own tables have to be right first.", "note")
            continue
        manifest, found = check(path, catalog)
        problems += found
        if manifest is not None:
            jobs += len(manifest.jobs)
            warnings += manifest.warnings
            warnings += gone_models(path, manifest)
        warnings += stale_schema(path, catalog)
    if form != "github":
        for warning in warnings:
            tell_warning(warning)
    if as_json:
        options.print_problems(problems, warnings, jobs)
    else:
        for line in _lines(problems, warnings, form):
            say(line)
        tell(_summary(len(manifests), jobs, problems))
    raise SystemExit(2 if problems else 0)


def _lines(problems: list[Problem], warnings: list[Problem], form: str | None) -> list[str]:
    """What is printed on stdout; GitHub is told of warnings there too."""
    if form != "github":
        return [str(problem) for problem in problems]
    return [
        *(annotation(problem, "error") for problem in problems),
        *(annotation(warning, "warning") for warning in warnings),
    ]


def tell_warning(warning: Problem) -> None:
    """Print a manifest's warning to stderr, in the form of a problem."""
    hint = f" ({warning.hint})" if warning.hint else ""
    where = f"{warning.file}:{warning.line}:{warning.column}: "
    tell(f"{warning.message}{hint}", "warning", where)


def _summary(manifests: int, jobs: int, problems: list[Problem]) -> str:
    from orchestrator.report.figures import counted

    if not problems:
        return f"{counted(manifests, 'manifest')} valid, {counted(jobs, 'job')}"
    files = len({problem.file for problem in problems})
    where = f" in {counted(files, 'file')}" if files > 1 else ""
    return f"{counted(len(problems), 'problem')}{where}"
