"""`orchestrator validate`: every problem of every manifest at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import options
from orchestrator.cli.output import say, tell

if TYPE_CHECKING:
    from orchestrator.jobs import Problem


@click.command("validate")
@click.argument(
    "manifests", metavar="MANIFEST...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@options.json
def validate(manifests: tuple[Path, ...], as_json: bool) -> None:
    r"""Find every problem of manifests.

    \b
    Examples:
      orchestrator validate manifest.yaml
      orchestrator validate manifests/*.yaml
      orchestrator validate manifest.yaml --json

    Prints each problem as `file:line:column: message`, and exits 2 where there is one. Files
    that a manifest names are read too; nothing is sent.
    """
    from orchestrator.catalog.tables import shipped
    from orchestrator.cli.editor_schema import stale_schema
    from orchestrator.manifest.check import check

    problems: list[Problem] = []
    warnings: list[Problem] = []
    jobs = 0
    for path in manifests:
        manifest, found = check(path, shipped())
        problems += found
        if manifest is not None:
            jobs += len(manifest.jobs)
            warnings += manifest.warnings
        warnings += stale_schema(path, shipped())
    for warning in warnings:
        tell_warning(warning)
    if as_json:
        options.print_problems(problems, warnings, jobs)
    else:
        for problem in problems:
            say(str(problem))
        tell(_summary(len(manifests), jobs, problems))
    raise SystemExit(2 if problems else 0)


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
