"""`orchestrator schemas`: the JSON Schemas that are derived from the parameter tables."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import catalogue
from orchestrator.cli.editor_schema import SCHEMA_FILE
from orchestrator.errors import DiskError, UsageError

if TYPE_CHECKING:
    from orchestrator.catalog.spec import Catalog

_DEFAULT = Path("schemas")


@click.command("schemas")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@click.option("--check", is_flag=True, help="Exit 1 where a schema is stale.")
@click.option(
    "--write",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all schemas to DIR; those of models that are gone are removed.",
)
@catalogue.option
def schemas(folder: Path | None, check: bool, write: Path | None) -> None:
    r"""Check or write the JSON Schemas.

    \b
    Examples:
      orchestrator schemas
      orchestrator schemas --check
      orchestrator schemas --write schemas

    They are derived from the parameter tables: `manifest.schema.json` for editors, and one for
    each model. DIR is `schemas` where it is left out.
    """
    if write is not None:
        if check or folder is not None:
            raise UsageError("--write DIR stands alone: it says where, and leaves nothing stale.")
        _write(write)
        return
    stale = _show(folder or _DEFAULT)
    raise SystemExit(1 if check and stale else 0)


def _show(folder: Path) -> bool:
    """Print what is wrong below a folder; whether anything is."""
    from orchestrator.catalog.schema import stale_schemas
    from orchestrator.cli.output import say, tell

    findings = stale_schemas(folder, _catalog(folder))
    for finding in findings:
        say(f"{folder}/{finding}")
    if findings:
        words = shlex.join(["--write", str(folder), *catalogue.typed()])
        tell(f"To mend that: orchestrator schemas {words}")
    else:
        tell(f"The schemas in {folder} are current.")
    return bool(findings)


def _write(folder: Path) -> None:
    from orchestrator.catalog.schema import write_schemas
    from orchestrator.cli.output import say

    try:
        _refuse_foreign(folder)
        written = write_schemas(folder, _catalog(folder))
    except OSError as error:
        raise DiskError(
            f"the schemas cannot be written to {folder}: {error.strerror}. Name another folder."
        ) from error
    for path in written:
        say(str(path))


def _catalog(folder: Path) -> Catalog:
    """The shipped tables and the user's own, which lie where the folder of the schemas does."""
    is_name = folder.name not in ("", "..")
    return catalogue.catalog_for(folder.parent if is_name else folder.resolve().parent)


def _refuse_foreign(folder: Path) -> None:
    """Writing removes schemas of no table: a folder that is not ours would lose its own."""
    if (folder / SCHEMA_FILE).exists():
        return
    foreign = next(folder.rglob("*.schema.json"), None)
    if foreign is not None:
        raise UsageError(
            f"{folder} holds other schemas, such as {foreign}, which would be removed. "
            "Name a new folder, such as schemas. Nothing was written."
        )
