"""Options that several commands share, and what `RUN` on the command line stands for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from orchestrator.cli import RUN, catalogue
from orchestrator.errors import ManifestError, UsageError, WrongTables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.jobs import Problem
    from orchestrator.manifest.heading import Heading
    from orchestrator.manifest.model import Manifest

#: A command's function.
F = TypeVar("F", bound="Callable[..., Any]")

#: Name of the ledger's file: a folder that holds one is a run folder.
_LEDGER = "ledger.db"


def target(function: F) -> F:
    """Add `--run-dir`, `--sandbox` and `--models`: a manifest's run folder and tables."""
    return _all(
        function,
        catalogue.option,
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="The run folder itself, in place of the manifest's.",
        ),
        click.option(
            "--sandbox",
            is_flag=True,
            help="The emulated providers, with a run folder of their own.",
        ),
    )


def selection(function: F) -> F:
    """Add `--select` and `--limit`: which jobs a call may create."""
    return _all(
        function,
        click.option(
            "--select",
            multiple=True,
            metavar="EXPR",
            help="Create only id:GLOB, tag:NAME, model:NAME or state:NAME. May be repeated.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=0),
            metavar="N",
            help="Create only the first N, in the manifest's order.",
        ),
    )


def json(function: F) -> F:
    """Add `--json`, which reaches the command as `as_json`.

    Where a manifest or own tables have problems, stdout then holds what `validate --json` would
    print.
    """

    @wraps(function)
    def call(*arguments: Any, as_json: bool, **options: Any) -> object:  # noqa: ANN401 - click's
        try:
            return function(*arguments, as_json=as_json, **options)
        except (ManifestError, WrongTables) as error:
            if as_json:
                print_problems(error.problems)
            raise

    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    return cast("F", option(call))


def print_problems(
    problems: Sequence[Problem], warnings: Sequence[Problem] = (), jobs: int = 0
) -> None:
    """Print the document of `validate --json`; `jobs` are those of manifests without problems."""
    from dataclasses import asdict

    from orchestrator.cli.output import SCHEMA_VERSION, print_json

    print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "valid": not problems,
            "jobs": jobs,
            "problems": [asdict(problem) for problem in problems],
            "warnings": [asdict(warning) for warning in warnings],
        }
    )


def run_argument(function: F) -> F:
    """Add the argument `RUN`, a manifest or a run folder, with `--run-dir` and `--sandbox`."""
    return click.argument("run", metavar="RUN", type=click.Path(path_type=Path))(target(function))


def _all(function: F, *decorators: Callable[[F], F]) -> F:
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@dataclass(frozen=True, slots=True)
class Target:
    """A run folder that holds a ledger, and how the user named it."""

    folder: Path
    #: Whether a manifest was named, and not the folder itself.
    manifest: bool
    #: `RUN` and its options as they were typed, ready for a shell.
    typed: str
    #: Folder whose `.env` counts: the manifest's, or the run folder where no manifest was named.
    settings: Path


def run_folder(manifest: Manifest | Heading, *, run_dir: Path | None, sandbox: bool) -> Path:
    """The run folder of a manifest: `--run-dir`, else its campaign's below `runs`."""
    if run_dir is not None:
        return run_dir.absolute()
    return manifest.runs / (f"{manifest.campaign}-sandbox" if sandbox else manifest.campaign)


def has_ledger(folder: Path) -> bool:
    """Whether a folder holds a ledger. Raises DiskError where it cannot be looked into."""
    try:
        return (folder / _LEDGER).exists()
    except OSError as error:
        from orchestrator.storage.outcomes import disk_error

        raise disk_error(error, folder) from error


def find_run(run: Path, *, run_dir: Path | None, sandbox: bool) -> Target:
    """The run folder that `RUN`, a manifest or a run folder, stands for.

    Raises UsageError where there is none that holds a ledger, ManifestError for a manifest that
    has problems.
    """
    words = typed(run, run_dir, sandbox=sandbox)
    is_folder = run.is_dir()
    if is_folder:
        if run_dir is not None:
            raise UsageError(f"{run} is a folder already: --run-dir goes with a manifest.")
        folder, settings = run.absolute(), run.absolute()
        remember(f"MANIFEST {shlex.join(['--run-dir', str(run), *catalogue.typed()])}")
    elif not run.exists():
        raise UsageError(f"{run} is not there. Name a manifest or a run folder.")
    else:
        remember(words)
        folder, settings = _folder_of(run, run_dir, sandbox=sandbox), run.absolute().parent
    if not has_ledger(folder):
        from orchestrator.ledger.sqlite.opening import refuse_lost

        refuse_lost(folder / _LEDGER)
        raise UsageError(_no_ledger(run, folder, words))
    return Target(folder, not is_folder, words, settings)


def _folder_of(path: Path, run_dir: Path | None, *, sandbox: bool) -> Path:
    """The run folder of a manifest, whose jobs are only read where that is the way to tell."""
    from orchestrator.manifest.heading import read_heading

    heading = read_heading(path)
    if heading is not None:
        folder = run_folder(heading, run_dir=run_dir, sandbox=sandbox)
        if has_ledger(folder):
            return folder
    from orchestrator.manifest.check import load

    manifest = load(path, catalogue.catalog_for(path.parent))
    return run_folder(manifest, run_dir=run_dir, sandbox=sandbox)


def typed(run: Path, run_dir: Path | None, *, sandbox: bool) -> str:
    """`RUN` and its options as they were typed, quoted for a shell."""
    words = [str(run)]
    if run_dir is not None:
        words += ["--run-dir", str(run_dir)]
    if sandbox:
        words.append("--sandbox")
    return shlex.join([*words, *catalogue.typed()])


def remember(words: str) -> None:
    """Have the command that makes a damaged ledger again name this run: see `typed`."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[RUN] = words


def _no_ledger(run: Path, folder: Path, words: str) -> str:
    if run.is_dir():
        return f"{run} holds no {_LEDGER}, so it is no run folder. Name one, or a manifest."
    sandboxed = folder.with_name(f"{folder.name}-sandbox")
    hint = f"Start it with: orchestrator run {words}"
    if has_ledger(sandboxed):
        hint = "Add --sandbox for its run in the sandbox."
    return f"{run} has not run yet: there is no {folder / _LEDGER}. {hint}"
