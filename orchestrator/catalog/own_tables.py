"""Users' own parameter tables: a folder of YAML files that adds to the shipped ones.

A table for a model that is shipped takes the place of the shipped one. Every table is held against
the published schema first, so that an editor and this program agree, and then against itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.catalog.nodes import TableFault, parse
from orchestrator.catalog.spec import Catalog
from orchestrator.catalog.tables import read_table, shipped
from orchestrator.errors import UsageError, WrongTables
from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestrator.catalog.spec import Model

#: The environment variable that names the folder.
VARIABLE = "ORCHESTRATOR_MODELS"
#: The folder's name beside a manifest.
FOLDER = "models"

#: The largest file that is read as a table, in bytes.
_LARGEST = 1_000_000


def tables_folder(
    named: Path | None, environment: Mapping[str, str], beside: Path | None
) -> Path | None:
    """The folder of own tables: that of an option, else the environment's, else `models`.

    `beside` is the manifest's folder. None where nobody named one and the manifest has none.
    Raises UsageError where the named one is no folder.
    """
    stated = environment.get(VARIABLE)
    folder = named or (Path(stated) if stated else None)
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder of tables. Name one that is there.")
        return folder
    default = None if beside is None else beside / FOLDER
    return default if default is not None and default.is_dir() else None


def catalog_with(folder: Path | None, providers: Collection[str] = ()) -> Catalog:
    """The shipped tables, and those of a folder in addition or in their place.

    A table's provider is one of `providers`; where these are left out, any. Raises WrongTables
    with every problem of every table.
    """
    if folder is None:
        return shipped()
    models, problems = check_folder(folder, providers)
    if problems:
        raise WrongTables(problems)
    merged = {**shipped().models, **{model.name: model for model in models}}
    return Catalog(dict(sorted(merged.items())))


def check_folder(
    folder: Path, providers: Collection[str] = ()
) -> tuple[tuple[Model, ...], tuple[Problem, ...]]:
    """The models that a folder's tables describe, and all that is wrong with the tables.

    Files whose names end with `.yaml` are tables; hidden ones are not. `providers` as of
    `catalog_with`.
    """
    models: dict[str, Model] = {}
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.yaml")):
        if file.name.startswith(".") or not file.is_file():
            continue
        found = check_table(file, providers)
        if isinstance(found, tuple):
            problems += found
        elif found.name in models:
            message = f"another table of {folder} describes {found.name} too. Remove one."
            problems.append(Problem(str(file), 1, 1, "model", "repeated-model", message))
        else:
            models[found.name] = found
    return tuple(models.values()), tuple(problems)


def check_table(file: Path, providers: Collection[str] = ()) -> Model | tuple[Problem, ...]:
    """The model that a table describes, or all that is wrong with it, in the file's order.

    `providers` as of `catalog_with`.
    """
    from orchestrator.catalog.table_problems import provider_problems, schema_problems

    try:
        text = _text(file)
        root = parse(text, str(file))
        problems = provider_problems(root, providers) + schema_problems(root)
        return problems or read_table(text, str(file))
    except TableFault as fault:
        return (fault.problem,)


def _text(file: Path) -> str:
    def fail(message: str) -> TableFault:
        return TableFault(Problem(str(file), 1, 1, "", "unreadable", message))

    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise fail(f"the table cannot be read: {error.strerror}.") from error
    if len(data) > _LARGEST:
        raise fail(f"the file is larger than {_LARGEST:,} bytes, so it is no table.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fail("the table is no UTF-8 text. Save it in UTF-8.") from error
