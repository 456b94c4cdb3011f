"""The schemas as files: of manifests, of parameter tables, and of each model's parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.catalog.schema.document import manifest_schema
from orchestrator.catalog.schema.params import model_schema
from orchestrator.catalog.schema.table import table_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog

_SUFFIX = ".schema.json"


def write_schemas(folder: Path, catalog: Catalog) -> list[Path]:
    """Write all schemas below `folder` and remove those of models that are gone.

    Returns the files that the folder now holds. Raises OSError where it cannot be written.
    """
    texts = _texts(catalog)
    for name in _found(folder) - texts.keys():
        (folder / name).unlink()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return [folder / name for name in texts]


def stale_schemas(folder: Path, catalog: Catalog) -> list[str]:
    """What `write_schemas` would change below `folder`: one line for each file, none if current."""
    texts = _texts(catalog)
    found = _found(folder)
    missing = [f"{name} is missing" for name in texts if name not in found]
    differing = [
        f"{name} differs from the tables"
        for name, text in texts.items()
        if name in found and (folder / name).read_bytes() != text.encode()
    ]
    surplus = [f"{name} belongs to no table" for name in sorted(found - texts.keys())]
    return [*missing, *differing, *surplus]


def _texts(catalog: Catalog) -> Mapping[str, str]:
    """Each file's path below the folder, and its text."""
    schemas = {
        f"manifest{_SUFFIX}": manifest_schema(catalog),
        f"model-table{_SUFFIX}": table_schema(),
    }
    for model in catalog.models.values():
        schemas[f"{model.provider}/{model.model}{_SUFFIX}"] = model_schema(model)
    return {name: _text(schema) for name, schema in schemas.items()}


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _found(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(f"*{_SUFFIX}")}
