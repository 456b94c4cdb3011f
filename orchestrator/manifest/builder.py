"""A parser's events → plain values and their positions, under a guard.

The guard sees each event before anything is built from it: depth, what aliases multiply, repeated
keys, foreign tags.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from orchestrator.jobs import Problem
from orchestrator.manifest import scalars
from orchestrator.manifest.data import Data
from orchestrator.manifest.positions import LINE_SHIFT, Positions
from orchestrator.manifest.problems import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: An event of the parser; PyYAML's two parsers share no typed base that has the marks.
Event: TypeAlias = Data

#: Deepest nesting, aliases included.
MAX_DEPTH = 64
#: Aliases may bring in this many nodes, and this many times what is written.
_ALIAS_NODES = 65_536
_ALIAS_FACTOR = 16

#: The key of an entry that is not kept.
_NO_KEY = object()


class SourceError(Exception):
    """A file cannot be read; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(slots=True)
class _Frame:
    """A collection that is being read."""

    value: Data
    node: int
    anchor: str | None
    is_mapping: bool
    #: Nodes that aliases had brought in when it began.
    aliased_before: int
    #: The key that waits for its value; None where a key comes next.
    key: Data = None
    #: Levels below.
    height: int = 0
    #: Where it begins with a second brace: what this one holds.
    braces: dict[str, Data] | None = None


@dataclass(frozen=True, slots=True)
class _Anchor:
    """What an alias repeats."""

    value: Data
    node: int
    #: Nodes inside, what aliases bring in included; 0 while the collection is still open.
    size: int
    #: Levels inside.
    height: int


@dataclass(slots=True)
class Builder:
    """Takes the events of one file."""

    #: The file's path as the user wrote it.
    file: str
    #: Code points that were hidden from the parser, and what they stand for.
    hidden: Mapping[int, str]
    root: Data = None
    problems: list[Problem] = field(default_factory=list)
    _marks: array[int] = field(default_factory=lambda: array("Q"))
    _ends: array[int] = field(default_factory=lambda: array("I"))
    _aliases: dict[int, int] = field(default_factory=dict)
    _dropped: set[int] = field(default_factory=set)
    _stack: list[_Frame] = field(default_factory=list)
    _anchors: dict[str, _Anchor] = field(default_factory=dict)
    #: Nodes that aliases brought in so far.
    _aliased: int = 0
    _documents: int = 0
    _plain: scalars.Plain = field(default_factory=scalars.Plain)

    def positions(self) -> Positions:
        """The position index of what was read; an empty file begins at its beginning."""
        if not self._marks:
            self._marks.append(0)
            self._ends.append(1)
        dropped = frozenset(self._dropped)
        return Positions(self.root, self._marks, self._ends, self._aliases, dropped)

    def read(self, events: Iterator[Event]) -> None:
        """Take all events of the first document. Raises SourceError where the guard says stop."""
        scalar = yaml.ScalarEvent
        # Nine of ten events are scalars: what `_node` and `_attach` do is written out.
        marks, ends, stack, plain = self._marks, self._ends, self._stack, self._plain
        for event in events:
            kind = type(event)
            if kind is not scalar:
                if not self._take(event):
                    return
                continue
            mark = event.start_mark
            node = len(marks)
            marks.append(mark.line << LINE_SHIFT | mark.column)
            ends.append(node + 1)
            value = event.value
            if event.tag is not None or event.anchor is not None or self.hidden:
                value = self._unusual(event, node)
            elif event.implicit[0]:
                value = plain[value]
            if not stack:
                self.root = value
                continue
            frame = stack[-1]
            if not frame.is_mapping:
                frame.value.append(value)
            elif frame.key is None:
                frame.key = self._key(event, frame.value, value, node)
            else:
                if frame.key is not _NO_KEY:
                    frame.value[frame.key] = value
                frame.key = None

    def _take(self, event: Event) -> bool:
        """Take an event that is no scalar; whether the first document goes on."""
        kind = type(event)
        if kind is yaml.MappingStartEvent:
            self._begin(event, {})
        elif kind is yaml.SequenceStartEvent:
            self._begin(event, [])
        elif kind in {yaml.MappingEndEvent, yaml.SequenceEndEvent}:
            self._end()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            return self._is_first_document(event)
        return True

    def _is_first_document(self, event: Event) -> bool:
        self._documents += 1
        if self._documents > 1:
            text = "a second document begins here: a file holds one"
            self._report(event, "multiple-documents", text, "remove the line `---`")
        return self._documents == 1

    # --- one function for each event -----------------------------------------------------------

    def _unusual(self, event: Event, node: int) -> scalars.Scalar:
        """A scalar with a tag, an anchor, or code points that were hidden."""
        value: scalars.Scalar = event.value.translate(self.hidden)
        if event.tag is not None:
            value = self._tagged(event, str(value))
        elif event.implicit[0]:
            value = scalars.plain(str(value))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, node, 1, 0)
        return value

    def _tagged(self, event: Event, text: str) -> scalars.Scalar:
        try:
            return scalars.tagged(text, event.tag)
        except ValueError:
            self._bad_tag(event)
            return text

    def _begin(self, event: Event, value: Data) -> None:
        node = self._node(event)
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(event)
        is_mapping = isinstance(value, dict)
        if event.tag is not None and not scalars.is_core_collection(event.tag, mapping=is_mapping):
            self._bad_tag(event)
        self._attach(event, value, node)
        self._stack.append(_Frame(value, node, event.anchor, is_mapping, self._aliased))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, node, 0, 0)

    def _end(self) -> None:
        frame = self._stack.pop()
        self._ends[frame.node] = len(self._marks)
        if frame.braces is not None and not frame.value:
            self._read_braces(frame, frame.braces)
        height = frame.height + 1
        if frame.anchor is not None and self._anchors[frame.anchor].node == frame.node:
            size = len(self._marks) - frame.node + self._aliased - frame.aliased_before
            self._anchors[frame.anchor] = _Anchor(frame.value, frame.node, size, height)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, height)

    def _read_braces(self, frame: _Frame, inner: dict[str, Data]) -> None:
        """Report `{{name}}` without quotes, and go on with the text that was meant."""
        outer = self._stack[-1].value if self._stack else None
        key: Data = next(reversed(outer), None) if isinstance(outer, dict) else -1
        if self._stack and (not outer or outer[key] is not frame.value):
            # It is a key, which is a problem of its own.
            return
        steps = list(self._path())
        if isinstance(outer, list):
            steps[-1] = len(outer) - 1
        elif outer:
            steps.append(key)
        text = "{{" + ", ".join(inner) + "}}" if inner else "braces"
        line, column = divmod(self._marks[frame.node], 1 << LINE_SHIFT)
        message = f"{text} without quotes is a mapping to YAML"
        hint = "put the whole text in quotes" + (f': "{text}"' if inner else "")
        self.problems.append(
            Problem(
                self.file,
                line + 1,
                column + 1,
                path_text(tuple(steps)),
                "bad-template",
                message,
                hint,
            )
        )
        if inner and outer:
            outer[key] = frame.value = text

    def _alias(self, event: Event) -> None:
        node = self._node(event)
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            self._lost_alias(event, node)
            return
        if anchor.size == 0:
            text = f"`*{event.anchor}` stands inside what it repeats"
            raise self._fatal(event, "recursive-alias", text, "write the value out")
        self._aliased += anchor.size
        if self._aliased > _ALIAS_NODES + _ALIAS_FACTOR * node:
            text = "the aliases of this file multiply to too many values"
            raise self._fatal(event, "alias-bomb", text, "write fewer aliases of aliases")
        if len(self._stack) + anchor.height > MAX_DEPTH:
            self._too_deep(event)
        self._aliases[node] = anchor.node
        self._attach(event, anchor.value, node)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, anchor.height)

    def _lost_alias(self, event: Event, node: int) -> None:
        """Report an alias without an anchor, and go on without its value."""
        text = f"no anchor is called `{event.anchor}`"
        hint = "put the text in quotes if the star belongs to it"
        self._report(event, "unknown-alias", text, hint)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.is_mapping and frame.key is None:
            self._dropped.add(node)
            frame.key = _NO_KEY
        else:
            self._attach(event, None, node)

    # --- what they have in common --------------------------------------------------------------

    def _node(self, event: Event) -> int:
        node = len(self._marks)
        mark = event.start_mark
        self._marks.append(mark.line << LINE_SHIFT | mark.column)
        self._ends.append(node + 1)
        return node

    def _attach(self, event: Event, value: Data, node: int) -> None:
        """Put a value where it belongs: in a list, behind its key, or as the next key."""
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.value.append(value)
        elif frame.key is None:
            frame.key = self._key(event, frame.value, value, node)
        else:
            if frame.key is not _NO_KEY:
                frame.value[frame.key] = value
            frame.key = None

    def _key(self, event: Event, mapping: dict[str, Data], key: Data, node: int) -> Data:
        """The key, or `_NO_KEY` where it is repeated or no text."""
        if isinstance(key, str) and key not in mapping:
            return key
        self._dropped.add(node)
        if isinstance(key, str):
            text = f"`{key}` stands here a second time"
            self._report(event, "duplicate-key", text, "keep one of them", key)
        elif isinstance(key, dict) and self._follows_brace(node):
            self._stack[-1].braces = key
        elif isinstance(key, dict | list):
            hint = "put a text that begins with {{ or [ in quotes"
            self._report(event, "bad-key", "a key is a plain text", hint)
        else:
            name = event.value if isinstance(event, yaml.ScalarEvent) else scalars.as_text(key)
            text = f"a key is a text, and {name or 'nothing'} is none"
            self._report(event, "bad-key", text, f'write "{name}" in quotes')
        return _NO_KEY

    def _follows_brace(self, node: int) -> bool:
        """Whether a mapping that is a key stands right behind the brace of the one around it."""
        return self._marks[node] == self._marks[self._stack[-1].node] + 1

    def _bad_tag(self, event: Event) -> None:
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        text = f"the tag `{shown}` does not belong to this value"
        hint = "leave it out, or put the text in quotes if the ! belongs to it"
        self._report(event, "bad-tag", text, hint)

    def _too_deep(self, event: Event) -> None:
        raise self._fatal(event, "too-deep", f"nested deeper than {MAX_DEPTH} levels", "")

    def _report(self, event: Event, code: str, text: str, hint: str, key: str = "") -> None:
        self.problems.append(self._problem(event, code, text, hint, key))

    def _fatal(self, event: Event, code: str, text: str, hint: str) -> SourceError:
        return SourceError(self._problem(event, code, text, hint))

    def _problem(self, event: Event, code: str, text: str, hint: str, key: str = "") -> Problem:
        mark = event.start_mark
        path = path_text((*self._path(), *([key] if key else [])))
        return Problem(self.file, mark.line + 1, mark.column + 1, path, code, text, hint)

    def _path(self) -> tuple[str | int, ...]:
        """The path of what is being read."""
        steps: list[str | int] = []
        for frame in self._stack:
            is_open = frame is not self._stack[-1]
            if not frame.is_mapping:
                # An open collection already stands in the list that it belongs to.
                steps.append(len(frame.value) - 1 if is_open else len(frame.value))
            elif isinstance(frame.key, str):
                steps.append(frame.key)
            elif is_open and frame.value:
                steps.append(next(reversed(frame.value)))
        return tuple(steps)
