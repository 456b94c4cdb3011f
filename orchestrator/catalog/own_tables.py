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
    from collections.abc import Iterator, Mapping

    from orchestrator.catalog.spec import Model
    from orchestrator.catalog.table_problems import Wire

#: The environment variable that names the folder.
VARIABLE = "ORCHESTRATOR_MODELS"
#: The folder's name beside a manifest.
FOLDER = "models"

#: No provider in particular: a table may name any.
_ANY: Mapping[str, Wire] = {}

#: How names of files end that hold YAML.
_SUFFIXES = frozenset({".yaml", ".yml"})

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


def catalog_with(folder: Path | None, providers: Mapping[str, Wire] = _ANY) -> Catalog:
    """The shipped tables, and those of a folder in addition or in their place.

    A table's provider is one of `providers`, whose requests can carry what it says; where these
    are left out, any. Raises WrongTables with every problem of every table.
    """
    if folder is None:
        return shipped()
    models, problems = check_folder(folder, providers)
    if problems:
        raise WrongTables(problems)
    merged = {**shipped().models, **{model.name: model for model in models}}
    return Catalog(dict(sorted(merged.items())))


def check_folder(
    folder: Path, providers: Mapping[str, Wire] = _ANY
) -> tuple[tuple[Model, ...], tuple[Problem, ...]]:
    """The models that a folder's tables describe, and all that is wrong with the tables.

    Files whose names end with `.yaml` are tables; hidden ones are not. `providers` as of
    `catalog_with`.
    """
    models: dict[str, Model] = {}
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    for file in _tables(folder):
        found = check_table(file, providers)
        if isinstance(found, tuple):
            problems += found
        elif found.name in models:
            place = parse(_text(file), str(file)).entries()["model"].place
            message = f"{files[found.name]} describes {found.name} too. Remove one."
            problems.append(
                Problem(str(file), place.line, place.column, "model", "repeated-model", message)
            )
        else:
            models[found.name], files[found.name] = found, file
    return tuple(models.values()), tuple(problems)


def table_files(folder: Path) -> dict[str, Path]:
    """The file of each model that a folder's sound tables describe, by `provider/model`."""
    found = ((check_table(file), file) for file in _tables(folder))
    return {model.name: file for model, file in found if not isinstance(model, tuple)}


def folder_warnings(folder: Path, *, named: bool) -> tuple[Problem, ...]:
    """What a folder holds that is no table and may be meant as one, and facts still in doubt.

    `named` says that somebody named the folder, so that it is there for its tables.
    """
    from orchestrator.catalog.doubts import doubt_warnings

    warnings = list(_passed_over(folder))
    files = _tables(folder)
    for file in files:
        try:
            text = _text(file)
            warnings += doubt_warnings(parse(text, str(file)), text)
        except TableFault:
            continue
    if named and not files:
        hint = "tables are files whose names end with .yaml"
        warnings.append(_overlooked(folder, "the folder holds no table", hint))
    return tuple(warnings)


def check_table(file: Path, providers: Mapping[str, Wire] = _ANY) -> Model | tuple[Problem, ...]:
    """The model that a table describes, or all that is wrong with it, in the file's order.

    `providers` as of `catalog_with`.
    """
    from orchestrator.catalog.doubts import doubt_problems
    from orchestrator.catalog.table_problems import provider_problems, schema_problems

    try:
        text = _text(file)
        root = parse(text, str(file))
        problems = provider_problems(root, providers) + schema_problems(root)
        # A fact that must not be empty is a problem already.
        told = {(problem.line, problem.column) for problem in problems}
        doubts = doubt_problems(root, text)
        problems += tuple(one for one in doubts if (one.line, one.column) not in told)
        return problems or read_table(text, str(file))
    except TableFault as fault:
        return (fault.problem,)


def _tables(folder: Path) -> list[Path]:
    """The files of a folder that are tables."""
    return [
        file
        for file in sorted(folder.glob("*.yaml"))
        if not file.name.startswith(".") and file.is_file()
    ]


def _passed_over(folder: Path) -> Iterator[Problem]:
    """A warning for each entry of a folder that looks like a table and is not read as one."""
    tables = set(_tables(folder))
    for entry in sorted(folder.glob("[!.]*")):
        suffix = entry.suffix.lower()
        if entry.is_dir():
            if any(inner.suffix.lower() in _SUFFIXES for inner in entry.glob("*")):
                hint = f"tables lie in {folder} itself: move them there"
                yield _overlooked(entry, "tables in a folder of their own are not read", hint)
        elif suffix in _SUFFIXES and entry.is_symlink() and not entry.exists():
            hint = "mend the link, or remove it"
            yield _overlooked(entry, "this link leads nowhere, so no table is read", hint)
        elif suffix in _SUFFIXES and entry not in tables:
            hint = f"a table's name ends with .yaml: call it {entry.stem}.yaml"
            yield _overlooked(entry, "this file is not read as a table", hint)


def _overlooked(path: Path, message: str, hint: str) -> Problem:
    return Problem(str(path), 1, 1, "", "no-table", message, hint)


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
