"""The command line: one file per command; the only place that prints.

Commands are imported when they are called, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple

import click

from orchestrator import __version__
from orchestrator.catalog.suggest import nearest
from orchestrator.errors import LedgerCorrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_CODES = """\b
Exit codes:
  0    every selected job is stored; nothing was found wrong
  1    some jobs failed or are quarantined; a check found something
  2    wrong usage or an invalid manifest; nothing was sent
  3    stopped early; the same command again resumes
  4    jobs whose create has an unknown outcome wait for `resolve`
  5    stopped by the budget or the balance; for `plan`: it does not fit
  6    a key is missing or was refused
  7    the disk or the ledger
  129  SIGHUP, 130 SIGINT, 143 SIGTERM; everything is saved
"""


class Lazy(NamedTuple):
    """A command that is not imported yet."""

    #: Module and name, as in `orchestrator.cli.plan:plan`.
    target: str
    #: The first line of its help.
    summary: str


#: All commands, in the order in which a campaign meets them.
COMMANDS: Mapping[str, Lazy] = {
    "init": Lazy("orchestrator.cli.init:init", "Write a first manifest and what belongs to it."),
    "validate": Lazy("orchestrator.cli.validate:validate", "Find every problem of manifests."),
    "plan": Lazy("orchestrator.cli.plan:plan", "Show what a run would send, cost and take."),
    "run": Lazy(
        "orchestrator.cli.run:run",
        "Run a manifest, or a saved plan; the same command again resumes.",
    ),
    "status": Lazy("orchestrator.cli.status:status", "Show how a run stands."),
    "resolve": Lazy("orchestrator.cli.resolve:resolve", "Decide jobs that wait for a person."),
    "rebuild": Lazy(
        "orchestrator.cli.rebuild:rebuild", "Make a damaged ledger again from what is left of it."
    ),
    "report": Lazy("orchestrator.cli.report:report", "Write the HTML report again."),
    "export": Lazy("orchestrator.cli.export:export", "Write the results as data."),
    "verify": Lazy("orchestrator.cli.verify:verify", "Hash every stored video again."),
    "models": Lazy("orchestrator.cli.models:models", "Show what is known about the models."),
    "schemas": Lazy("orchestrator.cli.schemas:schemas", "Check or write the JSON Schemas."),
    "sandbox": Lazy("orchestrator.cli.sandbox:sandbox", "Serve the emulated providers."),
    "doctor": Lazy("orchestrator.cli.doctor:doctor", "Check keys, clock, disk and reachability."),
}


#: Where a call keeps what names its run to `rebuild`: a manifest and options, ready for a shell.
RUN = f"{__name__}.run"


class ReaderGone(Exception):
    """Whoever read this program's stdout has gone."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands' names, in the order of the story."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), name)
        _put_examples_first(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called. Raises click's UsageError, with the name that was meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = nearest(args[0], COMMANDS)
            meant = f" Did you mean `{guess}`?" if guess else ""
            ctx.fail(f"There is no command `{args[0]}`.{meant}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, of which `--help` prints. Raises ReaderGone as `invoke` does."""
        try:
            return super().parse_args(ctx, args)
        except BrokenPipeError:
            raise ReaderGone from None

    def invoke(self, ctx: click.Context) -> object:
        """Call the command. Raises ReaderGone for a broken pipe, which click would take for 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None
        except (LedgerCorrupt, BaseExceptionGroup) as error:
            _name_run(error, ctx.meta.get(RUN))
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])


def _name_run(error: BaseException, typed: str | None) -> None:
    """Let the command that mends a ledger name the run as it was typed, where that is known."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            _name_run(inner, typed)
    elif isinstance(error, LedgerCorrupt) and typed is not None:
        from orchestrator.ledger.sqlite.opening import REBUILD

        error.args = (str(error).replace(REBUILD, f"orchestrator rebuild {typed}"),)


def _put_examples_first(command: click.Command) -> None:
    r"""Let a command's help begin with its examples: they are what most people look for.

    The docstrings write `\b`, by which click keeps lines as they are, as two characters.
    """
    paragraphs = cleandoc(command.help or "").replace("\\b\n", "\b\n").split("\n\n")
    if command.short_help is None:
        command.short_help = paragraphs[0].replace("\n", " ")
    paragraphs.sort(key=lambda paragraph: not paragraph.startswith("\b\nExamples:"))
    command.help = "\n\n".join(paragraphs)
    for below in getattr(command, "commands", {}).values():
        _put_examples_first(below)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="orchestrator")
def cli() -> None:
    r"""Run manifests of paid AI video generations: never pay twice, never lose a paid video.

    \b
    Examples:
      orchestrator init films && cd films
      orchestrator validate manifest.yaml
      orchestrator plan manifest.yaml
      orchestrator run manifest.yaml --sandbox
    """


_put_examples_first(cli)
