"""`orchestrator export`: the results ledger as data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options
from orchestrator.errors import DiskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestrator.ledger.sqlite.reading import ReadableLedger

FORMATS = ("jsonl", "csv", "parquet")


@click.command("export")
@options.run_argument
@click.option(
    "--format",
    "formats",
    default="jsonl",
    show_default=True,
    metavar="NAME[,NAME]",
    help="jsonl, csv or parquet (an extra, see above); or several of them, with commas.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write, in place of stdout; for several formats a folder.",
)
def export(run: Path, run_dir: Path | None, sandbox: bool, formats: str, out: Path | None) -> None:
    r"""Write the results as data.

    \b
    Examples:
      orchestrator export manifest.yaml > results.jsonl
      orchestrator export manifest.yaml --format csv --out results.csv
      orchestrator export runs/spring-launch --format jsonl,csv,parquet

    RUN is a manifest or a run folder. One format goes to stdout, several to results.* in the run
    folder, or where --out says. Parquet needs pyarrow, which is an extra:
    pip install 'overnight-orchestrator[parquet]'.
    """
    from orchestrator.cli.output import say
    from orchestrator.ledger.sqlite.reading import read_ledger

    wanted = _wanted(formats)
    target = options.find_run(run, run_dir=run_dir, sandbox=sandbox)
    with read_ledger(target.folder) as ledger:
        if len(wanted) == 1 and out is None:
            _print(ledger, wanted[0])
            return
        for name, path in _places(wanted, out, target.folder):
            _write(ledger, name, path)
            say(str(path))


def _wanted(formats: str) -> list[str]:
    wanted = list(dict.fromkeys(name.strip().lower() for name in formats.split(",")))
    for name in wanted:
        if name not in FORMATS:
            raise UsageError(f"--format {formats}: the formats are {', '.join(FORMATS)}.")
    return wanted


def _places(wanted: Sequence[str], out: Path | None, folder: Path) -> Iterator[tuple[str, Path]]:
    """Each format and its file. Raises UsageError where several would share one file."""
    if len(wanted) == 1 and out is not None and not out.is_dir():
        yield wanted[0], out
        return
    where = out or folder
    if where.exists() and not where.is_dir():
        raise UsageError(f"--out {where} is a file: several formats need a folder.")
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(
            f"{where} cannot be made: {error.strerror}. Choose another --out."
        ) from error
    for name in wanted:
        yield name, where / f"results.{name}"


def _write(ledger: ReadableLedger, name: str, path: Path) -> None:
    from orchestrator.ledger import export as ledger_export

    writers: Mapping[str, Callable[[Path, Iterable[Mapping[str, Any]]], None]] = {
        "jsonl": ledger_export.write_jsonl,
        "csv": ledger_export.write_csv,
        "parquet": ledger_export.write_parquet,
    }
    writers[name](path, ledger_export.results(ledger))


def _print(ledger: ReadableLedger, name: str) -> None:
    from orchestrator.cli.output import write_text
    from orchestrator.ledger.export import FIELDS, cell, results

    if name == "parquet":
        raise UsageError("Parquet is no text: say where to write it, with --out FILE.")
    if name == "jsonl":
        for document in results(ledger):
            write_text(json.dumps(document, ensure_ascii=False) + "\n")
        return
    write_text(_line(FIELDS))
    for document in results(ledger):
        write_text(_line([cell(document[field]) for field in FIELDS]))


def _line(cells: Sequence[str | float]) -> str:
    """One line of CSV."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
