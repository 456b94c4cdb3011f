"""A table file's YAML as nodes that know their line.

Every scalar is read as the text that stands there: a field's own type decides what it means.
So `16:9`, `no` and `2026-05-11` need no quotes, whatever YAML version a reader has in mind.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import yaml

from orchestrator.catalog.suggest import nearest
from orchestrator.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Names of parameters and of body fields.
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

#: The C parser where PyYAML was built with it.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
#: A table nests five levels; deeper text is no table, and must not exhaust the stack.
_DEEPEST = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[-+]?\d{1,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a table: text, a list, a mapping, or nothing (`null`)."""

    file: str
    #: 1-based.
    line: int
    #: Like `params.duration.min`; empty for the whole table.
    path: str
    value: str | tuple[Node, ...] | dict[str, Node] | None

    def fail(self, message: str) -> NoReturn:
        """Raise a CatalogError that names the file, the line and the field."""
        place = f"`{self.path}` " if self.path else "the table "
        raise CatalogError(f"{self.file}:{self.line}: {place}{message}")

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """The mapping's fields that are not null; CatalogError for unknown and missing ones."""
        entries = self.entries()
        for key, node in entries.items():
            if key not in known:
                guess = nearest(key, known)
                hint = f"did you mean `{guess}`?" if guess else f"known are {', '.join(known)}."
                node.fail(f"is not known here: {hint}")
        present = {key: node for key, node in entries.items() if node.value is not None}
        for key in required:
            if key not in present:
                self.fail(f"lacks `{key}`. Add it.")
        return present

    def entries(self) -> dict[str, Node]:
        """The mapping, whatever its keys are."""
        if not isinstance(self.value, dict):
            self.fail("must be a mapping (`key: value` lines).")
        return self.value

    def items(self) -> tuple[Node, ...]:
        """The list's items."""
        if not isinstance(self.value, tuple):
            self.fail("must be a list (`[a, b]`).")
        return self.value

    def text(self) -> str:
        """The text, which may not be empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.fail("must be text.")
        return self.value.strip()

    def matching(self, pattern: re.Pattern[str], meaning: str) -> str:
        """The text, which must be `meaning` as `pattern` describes it."""
        text = self.text()
        if not pattern.fullmatch(text):
            self.fail(f"must be {meaning}, not `{text}`.")
        return text

    def number(self) -> int | float:
        """The finite number; whole numbers are ints."""
        text = self.value if isinstance(self.value, str) else ""
        if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            self.fail(f"must be a number, not {self._shown()}.")
        return float(text)

    def count(self, least: int = 0) -> int:
        """The whole number, which must be at least `least`."""
        number = self.number()
        if not isinstance(number, int) or number < least:
            self.fail(f"must be a whole number of at least {least}, not {self._shown()}.")
        return number

    def boolean(self) -> bool:
        """Whether it says `true`; only `true` and `false` are taken."""
        if self.value not in ("true", "false"):
            self.fail(f"must be `true` or `false`, not {self._shown()}.")
        return self.value == "true"

    def _shown(self) -> str:
        return f"`{self.value}`" if isinstance(self.value, str) else "a list, mapping or nothing"


def parse(text: str, file: str) -> Node:
    """A table file's text as nodes; `file` is what messages call it.

    Raises CatalogError for anything that is not one plain YAML document: tables use no anchors.
    """
    try:
        events = yaml.parse(text, Loader=_LOADER)
        return _Builder(events, file).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"{file}:{line}: the table is not YAML: {error.problem}.") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise CatalogError(f"{file}: the table is not YAML: {error}") from error


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns the parser's events into nodes, refusing what no table needs."""

    events: Iterator[yaml.Event]
    file: str

    def document(self) -> Node:
        """The only document of the stream."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise CatalogError(f"{self.file}: the table is empty.")
        root = self._node(next(self.events), "", 0)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            line = _line(after)
            raise CatalogError(f"{self.file}:{line}: a file holds one table; split it here.")
        return root

    def _node(self, event: yaml.Event, path: str, depth: int, line: int | None = None) -> Node:
        node = Node(self.file, line or _line(event), path, None)
        if depth > _DEEPEST:
            node.fail("nests too deep.")
        if isinstance(event, yaml.AliasEvent):
            node.fail("is an alias (`*name`); tables take none. Write the value out.")
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.style in (None, "") and event.value in _NULLS
            return replace(node, value=None if is_null else event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return replace(node, value=self._sequence(path, depth))
        return replace(node, value=self._mapping(path, depth))

    def _sequence(self, path: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]", depth + 1))
        return tuple(items)

    def _mapping(self, path: str, depth: int) -> dict[str, Node]:
        """Each value stands at the line of its key, which is where a reader looks for it."""
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                Node(self.file, line, path, None).fail("has a key that is not text.")
            child = f"{path}.{event.value}" if path else event.value
            if event.value in entries:
                Node(self.file, line, child, None).fail("stands there twice. Remove one.")
            entries[event.value] = self._node(next(self.events), child, depth + 1, line)
        return entries


def _line(event: yaml.Event) -> int:
    """The 1-based line on which an event begins."""
    return 1 if event.start_mark is None else event.start_mark.line + 1
