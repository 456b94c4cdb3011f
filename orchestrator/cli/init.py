"""`orchestrator init`: a first manifest and what belongs beside it."""

from __future__ import annotations

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import catalogue
from orchestrator.cli.editor_schema import SCHEMA_FILE
from orchestrator.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.catalog.spec import Catalog

#: Each file of a new folder, and the package's file that it is made from.
_FILES = {
    "manifest.yaml": "manifest.yaml",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
}


@click.command("init")
@click.argument(
    "folder",
    metavar="[DIR]",
    default=Path(),
    type=click.Path(path_type=Path, file_okay=False),
)
@catalogue.option
def init(folder: Path) -> None:
    r"""Write a first manifest and what belongs to it.

    \b
    Examples:
      orchestrator init
      orchestrator init films

    Writes manifest.yaml, the JSON Schemas by which editors complete and check it, .env.example
    and .gitignore, to DIR or here. A file that is there already is kept as it is.
    """
    from orchestrator.cli.output import say, tell

    catalog = catalogue.catalog_for(folder)
    try:
        for path, written in _files(folder, catalog):
            if written:
                say(str(path))
            else:
                tell(f"{path} is there already and was kept.", "note")
    except OSError as error:
        raise DiskError(
            f"{error.filename or folder} cannot be written: {error.strerror}. Name another folder."
        ) from error
    manifest = shlex.quote(os.fspath(folder / "manifest.yaml"))
    tell("Next, without a key and without spending anything:")
    words = shlex.join(catalogue.typed())
    for command, option in (("validate", ""), ("plan", ""), ("run", "--sandbox")):
        tell("  " + " ".join(filter(None, ("orchestrator", command, manifest, option, words))))


def _files(folder: Path, catalog: Catalog) -> Iterator[tuple[Path, bool]]:
    """Write what is not there; each file, and whether it was written."""
    folder.mkdir(parents=True, exist_ok=True)
    starter = resources.files("orchestrator.cli") / "starter"
    for name, source in _FILES.items():
        yield folder / name, _write_new(folder / name, (starter / source).read_text("utf-8"))
    yield _schemas(folder / "schemas", catalog)


def _write_new(path: Path, text: str) -> bool:
    """Write a file that is not there; whether it was written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _schemas(folder: Path, catalog: Catalog) -> tuple[Path, bool]:
    """Write all schemas to a new folder, or that of manifests to one that is there."""
    from orchestrator.catalog.schema import manifest_schema, write_schemas

    path = folder / SCHEMA_FILE
    if not os.path.lexists(folder):
        write_schemas(folder, catalog)
        return path, True
    import json

    text = json.dumps(manifest_schema(catalog), indent=2, ensure_ascii=False) + "\n"
    return path, _write_new(path, text)
