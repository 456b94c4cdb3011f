"""Files → text, and YAML text → plain values with a position index.

Reading the parser's events costs a tenth of composing nodes; see `builder` for the guard.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from orchestrator.catalog.syntax import broken_syntax, unreadable_text
from orchestrator.jobs import Problem
from orchestrator.manifest.builder import Builder, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.positions import Path, Positions

#: libyaml where PyYAML was built with it, else the slower parser in Python.
_LOADER: Data = getattr(yaml, "CLoader", yaml.Loader)

#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 1024 * 1024

#: YAML 1.1 takes these for line breaks, YAML 1.2 and editors do not: they are hidden from the
#: parser behind code points that stand for nothing.
_HIDE = str.maketrans({"\x85": "\ufdd0", "\u2028": "\ufdd1", "\u2029": "\ufdd2"})
_HIDDEN = {ord(hidden): chr(shown) for shown, hidden in _HIDE.items()}
_NEEDS_HIDING = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file: its value, the positions of everything in it, and what is wrong so far."""

    #: The file's path as the user wrote it.
    file: str
    value: Data
    positions: Positions
    problems: tuple[Problem, ...] = ()

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its key."""
        return self.positions.locate(path, key=key)


def read_text(path: FilePath, file: str) -> str:
    """The text of a file without its byte order mark. Raises SourceError."""
    try:
        # A pipe or a device would block, or never end.
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise SourceError(Problem(file, 1, 1, "", "no-file", f"{file} {what}"))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        text = f"{file} cannot be read: {error.strerror or error}"
        raise SourceError(Problem(file, 1, 1, "", "no-file", text)) from error
    if len(data) > MAX_BYTES:
        text = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB"
        raise SourceError(Problem(file, 1, 1, "", "too-large", text, "split it"))
    return decode(data, file)


def decode(data: bytes, file: str) -> str:
    """UTF-8, or UTF-16 with a byte order mark, as text. Raises SourceError at the bad byte."""
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="replace")
        raise SourceError(unreadable_text(file, before, encoding)) from error


def parse(text: str, file: str) -> Source:
    """Read one YAML document. Raises SourceError where there is nothing to go on with."""
    hides = _NEEDS_HIDING.search(text) is not None
    builder = Builder(file, _HIDDEN if hides else {})
    try:
        with nothing_to_collect(), _loading(text.translate(_HIDE) if hides else text) as loader:
            # What `yaml.parse` gives, at half its price: that asks twice for each event.
            builder.read(iter(loader.get_event, None))
    except yaml.YAMLError as error:
        raise SourceError(broken_syntax(file, text, error)) from error
    return Source(file, builder.root, builder.positions(), tuple(builder.problems))


@contextmanager
def _loading(text: str) -> Iterator[Data]:
    loader = _LOADER(text)
    try:
        yield loader
    finally:
        loader.dispose()


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """For work that builds much and throws nothing away: looking for garbage doubles its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
