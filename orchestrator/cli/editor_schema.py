"""The schema that a manifest names for editors, and whether it still tells the truth."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from orchestrator.cli import catalogue
from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.catalog.spec import Catalog

#: Name of the file that holds the schema of manifests.
SCHEMA_FILE = "manifest.schema.json"
#: The comment by which editors find a manifest's schema.
_COMMENT = re.compile(r"\ufeff?#\s*yaml-language-server:\s*\$schema=(\S+)")
#: The comment stands in one of the first lines; this many characters are read.
_BEGINNING = 4096


def stale_schema(path: Path, catalog: Catalog) -> list[Problem]:
    """A warning where the local schema that a manifest's comment names is missing or stale.

    None where no comment names one, where it names a URL, or a schema of another name.
    """
    found = _named_schema(path)
    if found is None:
        return []
    line, column, name = found
    schema = path.parent / name
    what = schema_finding(schema, catalog)
    if what is None:
        return []
    words = shlex.join(catalogue.as_seen_from(schema.parent.parent, path.parent))
    hint = f"write it again with: orchestrator schemas --write {schema.parent} {words}".rstrip()
    return [Problem(str(path), line, column, "", "stale-schema", f"{name} {what}", hint)]


def _named_schema(path: Path) -> tuple[int, int, str] | None:
    """Line, column and path of the schema in a manifest's comment; None where it is not ours."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return None
    for number, line in enumerate(beginning.splitlines(), start=1):
        found = _COMMENT.match(line)
        if found is not None:
            name = found.group(1)
            is_ours = "://" not in name and name.rpartition("/")[2] == SCHEMA_FILE
            return (number, found.start(1) + 1, name) if is_ours else None
        if line and not line.startswith("#"):
            return None
    return None


def schema_finding(schema: Path, catalog: Catalog) -> str | None:
    """What is wrong with a schema's file, as the end of a sentence; None where nothing is."""
    from orchestrator.catalog.schema.document import manifest_schema

    try:
        stands = json.loads(schema.read_bytes())
    except OSError:
        return "cannot be read"
    except ValueError:
        return "is no JSON"
    return None if stands == manifest_schema(catalog) else "is stale"
