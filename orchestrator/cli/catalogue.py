"""Which tables a command works with: the shipped ones, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.catalog.spec import Catalog

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
    context.meta[_NAMED] = folder


def catalog_for(beside: Path) -> Catalog:
    """The shipped tables and the user's own: of `--models`, the environment, or `beside`/models.

    A call reads a folder once, so that it works with the same tables from its beginning to its
    end. Raises UsageError for a folder that is not there, WrongTables for tables that are wrong.
    """
    from orchestrator.catalog.own_tables import catalog_with, tables_folder

    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    folder = tables_folder(meta.get(_NAMED), os.environ, beside)
    read: dict[Path | None, Catalog] = meta.setdefault(_READ, {})
    place = None if folder is None else folder.absolute()
    if place not in read:
        read[place] = catalog_with(folder)
    return read[place]
