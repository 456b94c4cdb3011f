"""`orchestrator models import`: a new table, read from a provider's documentation page."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.catalog.doubts import MARK
from orchestrator.cli import options
from orchestrator.errors import DiskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.importing import Imported

#: The day of an import, which alone makes no other table.
_DAY = re.compile(r'^ *"?read"?: .*$', re.MULTILINE)


@click.command("import")
@click.argument("page", metavar="PAGE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="FILE",
    help="Where to write the table, in place of stdout; a folder, or FOLDER/, takes MODEL.yaml.",
)
@click.option("--force", is_flag=True, help="Replace a table that says something else.")
@options.json
def import_page(page: Path, out: str | None, force: bool, as_json: bool) -> None:
    r"""Read a new table from a saved page of Rivya's documentation.

    \b
    Examples:
      orchestrator models import sora-3.txt --out models/
      orchestrator models import sora-3.txt --out models/sora-3.yaml --force
      orchestrator models import sora-3.txt --json

    PAGE is the text of one model's page, in any language, as copied or as Markdown. What it does
    not tell for certain is never guessed: it is listed with its line, left empty in the table and
    marked there, and the command exits 1. Where rows may be missing, there is no table. Tables
    in models/ beside a manifest are used at once, but for those with a marked field that decides
    what is sent. A table that is there and says something else is kept, unless --force is given.
    """
    from orchestrator.catalog.importing import read_page
    from orchestrator.cli.output import print_json

    found = read_page(_bytes(page), datetime.now(UTC).date())
    document = _document(found)
    if out is not None and found.draft is not None:
        _save(found, document, _file(out, found.draft.model), page, force=force, as_json=as_json)
    elif found.draft is not None and not as_json:
        _print_table(found)
    if as_json:
        print_json(document)
    _tell_doubts(found, page)
    raise SystemExit(1 if found.doubts else 0)


def _bytes(page: Path) -> bytes:
    from orchestrator.catalog.importing.page import LARGEST_PAGE

    try:
        with page.open("rb") as file:
            return file.read(LARGEST_PAGE + 1)
    except OSError as error:
        raise UsageError(f"{page} cannot be read: {error.strerror}. Name a saved page.") from error


def _document(found: Imported) -> dict[str, Any]:
    """What `--json` prints: as of `models show`, with the doubts."""
    from dataclasses import asdict

    from orchestrator.catalog.tables import MODEL_FIELDS
    from orchestrator.cli.models import model_document
    from orchestrator.cli.output import SCHEMA_VERSION

    facts = dict.fromkeys(MODEL_FIELDS) if found.draft is None else model_document(found.draft)
    doubts = [asdict(doubt) for doubt in found.doubts]
    return {"schema_version": SCHEMA_VERSION, **facts, "doubts": doubts}


def _print_table(found: Imported) -> None:
    from orchestrator.catalog.importing import table_text
    from orchestrator.cli.output import write_text

    assert found.draft is not None
    write_text(table_text(found.draft, found.doubts))


def _save(
    found: Imported,
    document: Mapping[str, Any],
    file: Path,
    page: Path,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write the table: YAML, or JSON where that is asked for and the name says so."""
    from orchestrator.catalog.importing import table_text
    from orchestrator.cli.output import tell

    assert found.draft is not None
    text = table_text(found.draft, found.doubts)
    if as_json and file.suffix == ".json":
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    try:
        _refuse_loss(file, page, text, force=force)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise DiskError(
            f"the table cannot be written to {file}: {error.strerror}. Name another file."
        ) from error
    tell(f"The table is in {file}.")


def _file(out: str, model: str | None) -> Path:
    """The file that `--out` means: one named after the model where a folder is named."""
    path = Path(out)
    if not path.is_dir() and not out.endswith(("/", os.sep)):
        return path
    if model is None:
        raise UsageError(f"the page does not tell the model's id: name a file in {path}.")
    return path / f"{model}.yaml"


def _refuse_loss(file: Path, page: Path, text: str, *, force: bool) -> None:
    """Raise UsageError where writing this text would lose something else."""
    if not file.exists():
        return
    if file.samefile(page):
        raise UsageError(f"{file} is the page itself. Name another file with --out.")
    there = file.read_text("utf-8", "replace")
    is_table = not there.strip() or "provider:" in there or '"provider":' in there
    if not is_table:
        raise UsageError(f"{file} holds something else than a table. Name another file with --out.")
    if not force and there.strip() and _DAY.sub("", there) != _DAY.sub("", text):
        raise UsageError(
            f"{file} holds another table, which may be somebody's work. Name another file with "
            "--out, or replace it with --force."
        )


def _tell_doubts(found: Imported, page: Path) -> None:
    from orchestrator.cli.output import tell

    for doubt in found.doubts:
        tell(f"{page}:{doubt.line}: {doubt.field}: {doubt.reason}")
    if found.draft is None:
        tell("No table: rows may be missing. Save the whole page and import it again.")
    elif found.doubts:
        tell(
            f"Fill in what is marked {MARK} in the table, or remove the mark where there is no "
            "such rule; the lines are those of the page."
        )
