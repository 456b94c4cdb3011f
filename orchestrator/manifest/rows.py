"""Table files → rows, by the file's extension."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestrator.manifest.delimited_rows import read_delimited
from orchestrator.manifest.json_rows import read_json_lines
from orchestrator.manifest.source import read_text
from orchestrator.manifest.text_rows import read_lines
from orchestrator.manifest.yaml_rows import read_yaml_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path as FilePath

    from orchestrator.manifest.tables import Table

_READERS: dict[str, Callable[[str, str], Table]] = {
    ".csv": lambda text, file: read_delimited(text, file, ","),
    ".tsv": lambda text, file: read_delimited(text, file, "\t"),
    ".jsonl": read_json_lines,
    ".yaml": read_yaml_rows,
    ".yml": read_yaml_rows,
    ".txt": read_lines,
}

#: The extensions that `rows` may name.
EXTENSIONS = (".csv", ".tsv", ".jsonl", ".yaml", ".txt")


def is_table(name: str) -> bool:
    """Whether the name has an extension that can be read."""
    return PurePath(name).suffix.lower() in _READERS


def read_table(path: FilePath, file: str) -> Table:
    """The rows of a table file; `file` is what problems call it.

    Raises SourceError where the file cannot be read at all. What is wrong inside is in the table's
    problems.
    """
    text = read_text(path, file)
    return _READERS[path.suffix.lower()](text, file)
