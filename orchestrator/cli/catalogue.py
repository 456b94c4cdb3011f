"""Which tables a command works with: the shipped ones, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.catalog.spec import Catalog
    from orchestrator.catalog.table_problems import Wire

#: A command's function.
F = TypeVar("F", bound="Callable[..., Any]")

#: Where a call keeps the folder that `--models` named, and each catalogue that it has read.
_NAMED = f"{__name__}.named"
_READ = f"{__name__}.read"


def option(function: F) -> F:
    """Add `--models DIR`, which `catalog_for` heeds."""
    return click.option(
        "--models",
        type=click.Path(path_type=Path),
        metavar="DIR",
        expose_value=False,
        callback=_remember,
        help="A folder of own tables, in place of $ORCHESTRATOR_MODELS and of models/.",
    )(function)


def _remember(context: click.Context, _option: click.Parameter, folder: Path | None) -> None:
    """Keep what was typed; a folder that is not there is an error of every command."""
    if folder is not None:
        from orchestrator.catalog.own_tables import tables_folder

        tables_folder(folder, {}, None)
    context.meta[_NAMED] = folder


def catalog_for(beside: Path) -> Catalog:
    """The shipped tables and the user's own: of `--models`, the environment, or `beside`/models.

    A call reads a folder once, so that it works with the same tables from its beginning to its
    end. Raises UsageError for a folder that is not there, WrongTables for tables that are wrong.
    """
    from orchestrator.catalog.own_tables import FOLDER, catalog_with

    folder = folder_for(beside)
    read: dict[Path, Catalog] = _meta().setdefault(_READ, {})
    place = (beside / FOLDER if folder is None else folder).absolute()
    if place not in read:
        read[place] = catalog_with(folder, {} if folder is None else _providers())
        _tell_warnings(place, folder)
    return read[place]


def folder_for(beside: Path) -> Path | None:
    """The folder of own tables that `catalog_for` reads; None where there is none.

    Raises UsageError for a folder that was named and is not there.
    """
    from orchestrator.catalog.own_tables import tables_folder

    return tables_folder(_meta().get(_NAMED), os.environ, beside)


def own_files(beside: Path) -> dict[str, Path]:
    """The files of the own tables that `catalog_for` reads, by `provider/model`."""
    from orchestrator.catalog.own_tables import table_files

    folder = folder_for(beside)
    return {} if folder is None else table_files(folder)


def named_folder() -> Path | None:
    """The folder that `--models` or the environment names, None where neither does."""
    from orchestrator.catalog.own_tables import tables_folder

    return tables_folder(_meta().get(_NAMED), os.environ, None)


def name_unless_typed(folder: object) -> None:
    """Go on as if `--models` named this folder, a text, where nobody typed it."""
    meta = _meta()
    if meta.get(_NAMED) is None and isinstance(folder, str):
        meta[_NAMED] = Path(folder)


def typed() -> list[str]:
    """`--models DIR` as it was typed, for a command that goes on with this one."""
    folder = _meta().get(_NAMED)
    return [] if folder is None else ["--models", str(folder)]


def as_seen_from(elsewhere: Path, beside: Path) -> list[str]:
    """What makes a command that looks for tables `elsewhere` find those that lie `beside`."""
    folder, other = folder_for(beside), folder_for(elsewhere)
    if typed() or folder is None or (other is not None and other.samefile(folder)):
        return typed()
    return ["--models", str(folder)]


def _tell_warnings(place: Path, folder: Path | None) -> None:
    """Say on stderr what a folder of tables holds that does not count, or is in doubt.

    `place` is where the tables of a manifest lie, also where there is no such folder.
    """
    from orchestrator.catalog.own_tables import folder_warnings
    from orchestrator.cli.output import near, tell
    from orchestrator.cli.validate import tell_warning

    if folder is not None:
        for warning in folder_warnings(folder, named=folder == named_folder()):
            tell_warning(warning)
    elif place.exists():
        tell(f"{near(place)} is no folder, so no own tables are read from it.", "warning")


def _meta() -> dict[str, Any]:
    """What this call remembers; nothing is remembered outside a call."""
    context = click.get_current_context(silent=True)
    return {} if context is None else context.meta


def _providers() -> dict[str, Wire]:
    """What tables have to heed of each installed provider."""
    from orchestrator.catalog.table_problems import Wire
    from orchestrator.providers.registry import names, provider

    found = (provider(name) for name in names())
    return {
        one.name: Wire(one.own_fields, one.reference_fields, one.takes_files, one.most_references)
        for one in found
    }
