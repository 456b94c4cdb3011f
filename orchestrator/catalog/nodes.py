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
from orchestrator.jobs import Problem

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


class TableFault(CatalogError):
    """One thing is wrong in a table; `problem` has its position."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; both numbers are 1-based, columns count code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a table: text, a list, a mapping, or nothing (`null`)."""

    file: str
    #: Where the value begins.
    place: Place
    #: Like `params.duration.min`; empty for the whole table.
    path: str
    value: str | tuple[Node, ...] | dict[str, Node] | None
    #: Where the key of a mapping's entry begins.
    key: Place | None = None
    #: Whether text stands in quotes or in a block, so that it is no number and no truth value.
    quoted: bool = False

    def fail(self, message: str, *, at_key: bool = False) -> NoReturn:
        """Raise a TableFault that names the file, the place and the field."""
        place = self.key if at_key and self.key is not None else self.place
        said = f"`{self.path}` {message}" if self.path else f"the table {message}"
        raise TableFault(
            Problem(self.file, place.line, place.column, self.path, "wrong-table", said)
        )

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """The mapping's fields that are not null; CatalogError for unknown and missing ones."""
        entries = self.entries()
        for key, node in entries.items():
            if key not in known:
                guess = nearest(key, known)
                hint = f"did you mean `{guess}`?" if guess else f"known are {', '.join(known)}."
                node.fail(f"is not known here: {hint}", at_key=True)
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
    root = Node(file, Place(1, 1), "", None)
    try:
        return _Builder(yaml.parse(text, Loader=_LOADER), root).document()
    except yaml.YAMLError as error:
        from orchestrator.catalog.syntax import broken_syntax

        raise TableFault(broken_syntax(file, text, error)) from error
    except UnicodeError as error:
        root.fail(f"is not YAML: {' '.join(str(error).split())}")


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns the parser's events into nodes, refusing what no table needs."""

    events: Iterator[yaml.Event]
    #: The table as far as it is known beforehand: its file.
    root: Node

    def document(self) -> Node:
        """The only document of the stream."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            self.root.fail("is empty.")
        root = self._node(next(self.events), self.root, 0)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            place, said = _place(after), "a file holds one table; split it here."
            raise TableFault(Problem(root.file, place.line, place.column, "", "wrong-table", said))
        return root

    def _node(self, event: yaml.Event, node: Node, depth: int) -> Node:
        """The node that begins with an event; `node` has its path and its key."""
        node = replace(node, place=_place(event))
        if depth > _DEEPEST:
            node.fail("nests too deep.")
        if isinstance(event, yaml.AliasEvent):
            node.fail("is an alias (`*name`); tables take none. Write the value out.")
        if isinstance(event, yaml.ScalarEvent):
            quoted = event.style not in (None, "")
            is_null = not quoted and event.value in _NULLS
            return replace(node, value=None if is_null else event.value, quoted=quoted)
        if isinstance(event, yaml.SequenceStartEvent):
            return replace(node, value=self._sequence(node, depth))
        return replace(node, value=self._mapping(node, depth))

    def _sequence(self, owner: Node, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item = Node(owner.file, owner.place, f"{owner.path}[{len(items)}]", None)
            items.append(self._node(event, item, depth + 1))
        return tuple(items)

    def _mapping(self, owner: Node, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = _place(event)
            if not isinstance(event, yaml.ScalarEvent):
                replace(owner, place=key).fail("has a key that is not text.")
            path = f"{owner.path}.{event.value}" if owner.path else event.value
            entry = Node(owner.file, key, path, None, key)
            if event.value in entries:
                entry.fail("stands there twice. Remove one.")
            entries[event.value] = self._node(next(self.events), entry, depth + 1)
        return entries


def _place(event: yaml.Event) -> Place:
    """Where an event begins."""
    mark = event.start_mark
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
