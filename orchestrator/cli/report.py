"""`orchestrator report`: the HTML report of a run, written again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("report")
@options.run_argument
def report(run: Path, run_dir: Path | None, sandbox: bool) -> None:
    r"""Write the HTML report again.

    \b
    Examples:
      orchestrator report manifest.yaml
      orchestrator report runs/spring-launch

    RUN is a manifest or a run folder. Prints the path of the page, which every run writes at its
    end; works while a run is going on.
    """
    from orchestrator.cli.output import say
    from orchestrator.ledger.sqlite.reading import read_ledger
    from orchestrator.report.page import write_report

    target = options.find_run(run, run_dir=run_dir, sandbox=sandbox)
    with read_ledger(target.folder) as ledger:
        say(str(write_report(ledger, target.folder)))
