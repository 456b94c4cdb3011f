"""YAML text → plain values and a position index, from the parser's events, under a guard.

Reading events costs a tenth of composing nodes, and the guard sees each event before anything is
built: size, depth, what aliases multiply, repeated keys, foreign tags.
"""

from __future__ import annotations

import gc
import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from orchestrator.jobs import Problem
from orchestrator.manifest import scalars
from orchestrator.manifest.data import Data
from orchestrator.manifest.positions import LINE_SHIFT, Path, Positions
from orchestrator.manifest.problems import path_text
from orchestrator.manifest.syntax import broken_syntax, unreadable_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

#: An event of the parser; PyYAML's two parsers share no typed base that has the marks.
Event: TypeAlias = Data

#: libyaml where PyYAML was built with it, else the slower parser in Python.
_LOADER: Data = getattr(yaml, "CLoader", yaml.Loader)

#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 1024 * 1024
#: Deepest nesting, aliases included.
MAX_DEPTH = 64
#: Aliases may bring in this many nodes, and this many times what is written.
_ALIAS_NODES = 65_536
_ALIAS_FACTOR = 16

#: YAML 1.1 takes these for line breaks, YAML 1.2 and editors do not: they are hidden from the
#: parser behind code points that stand for nothing.
_HIDDEN = {"\x85": "\ufdd0", "\u2028": "\ufdd1", "\u2029": "\ufdd2"}
_HIDE = str.maketrans(_HIDDEN)
_SHOW = str.maketrans({hidden: shown for shown, hidden in _HIDDEN.items()})
_NEEDS_HIDING = re.compile("[\x85\u2028\u2029]")

#: The key of an entry that is not kept.
_NO_KEY = object()


class SourceError(Exception):
    """A file cannot be read as YAML; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


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


@dataclass(slots=True)
class _Frame:
    """A collection that is being read."""

    value: Data
    node: int
    anchor: str | None
    is_mapping: bool
    #: The key that waits for its value; None where a key comes next.
    key: Data = None
    #: Nodes inside, what aliases bring in included.
    size: int = 1
    #: Levels below.
    height: int = 0


@dataclass(frozen=True, slots=True)
class _Anchor:
    value: Data
    node: int
    size: int
    height: int


def read_text(path: FilePath, file: str) -> str:
    """The text of a file without its byte order mark. Raises SourceError."""
    try:
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
    hide = _NEEDS_HIDING.search(text) is not None
    builder = _Builder(file=file, show=hide)
    collecting = gc.isenabled()
    # Everything that is built here stays; looking for garbage among it doubles the time.
    gc.disable()
    try:
        builder.read(yaml.parse(text.translate(_HIDE) if hide else text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise SourceError(broken_syntax(file, text, error)) from error
    finally:
        if collecting:
            gc.enable()
    return builder.source()


@dataclass(slots=True)
class _Builder:
    """Turns events into values and positions."""

    file: str
    #: Whether hidden line separators must be shown again.
    show: bool
    root: Data = None
    marks: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("I"))
    aliases: dict[int, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    #: Nodes that aliases brought in so far.
    aliased: int = 0
    documents: int = 0

    def source(self) -> Source:
        """What was read."""
        if not self.marks:
            self.marks.append(0)
            self.ends.append(1)
        positions = Positions(
            self.root, self.marks, self.ends, self.aliases, frozenset(self.dropped)
        )
        return Source(self.file, self.root, positions, tuple(self.problems))

    def read(self, events: Iterator[Event]) -> None:
        """Take all events of the first document."""
        scalar_event, alias_event = yaml.ScalarEvent, yaml.AliasEvent
        start_events = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
        end_events = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        for event in events:
            kind = type(event)
            if kind is scalar_event:
                self._scalar(event)
            elif kind in start_events:
                self._begin(event, is_mapping=kind is yaml.MappingStartEvent)
            elif kind in end_events:
                self._end()
            elif kind is alias_event:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent and not self._first_document(event):
                return

    def _first_document(self, event: Event) -> bool:
        self.documents += 1
        if self.documents > 1:
            text = "a second document begins here: a file holds one"
            self._report(event, "multiple-documents", text, "remove the line `---`")
        return self.documents == 1

    def _node(self, event: Event) -> int:
        node = len(self.marks)
        mark = event.start_mark
        self.marks.append(mark.line << LINE_SHIFT | mark.column)
        self.ends.append(node + 1)
        return node

    def _scalar(self, event: Event) -> None:
        # Nine of ten events come here, so what `_node` does is written out.
        mark = event.start_mark
        node = len(self.marks)
        self.marks.append(mark.line << LINE_SHIFT | mark.column)
        self.ends.append(node + 1)
        value = event.value
        if self.show:
            value = value.translate(_SHOW)
        if event.tag is not None:
            value = self._tagged(event, value)
        elif event.implicit[0]:
            value = scalars.plain(value)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(value, node, 1, 0)
        self._attach(event, value, node)

    def _tagged(self, event: Event, text: str) -> scalars.Scalar:
        try:
            return scalars.tagged(text, event.tag)
        except ValueError:
            self._bad_tag(event)
            return text

    def _begin(self, event: Event, *, is_mapping: bool) -> None:
        node = self._node(event)
        if len(self.stack) >= MAX_DEPTH:
            self._too_deep(event)
        if event.tag is not None and not scalars.is_core_collection(event.tag, mapping=is_mapping):
            self._bad_tag(event)
        value: Data = {} if is_mapping else []
        self._attach(event, value, node)
        self.stack.append(_Frame(value, node, event.anchor, is_mapping))
        if event.anchor is not None:
            # A size of 0 marks an anchor whose collection is still open.
            self.anchors[event.anchor] = _Anchor(value, node, 0, 0)

    def _end(self) -> None:
        frame = self.stack.pop()
        self.ends[frame.node] = len(self.marks)
        if frame.anchor is not None and self.anchors[frame.anchor].node == frame.node:
            self.anchors[frame.anchor] = _Anchor(
                frame.value, frame.node, frame.size, frame.height + 1
            )
        self._grow(frame.size, frame.height + 1)

    def _grow(self, size: int, height: int) -> None:
        if self.stack:
            parent = self.stack[-1]
            parent.size += size
            parent.height = max(parent.height, height)

    def _alias(self, event: Event) -> None:
        node = self._node(event)
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            raise self._fatal(
                event,
                "unknown-alias",
                f"no anchor is called `{event.anchor}`",
                "quote the text if the star belongs to it",
            )
        if anchor.size == 0:
            text = f"`*{event.anchor}` stands inside what it repeats"
            raise self._fatal(event, "recursive-alias", text, "write the value out")
        self.aliased += anchor.size
        if self.aliased > _ALIAS_NODES + _ALIAS_FACTOR * node:
            text = "the aliases of this file multiply to too many values"
            raise self._fatal(event, "alias-bomb", text, "write fewer aliases of aliases")
        if len(self.stack) + anchor.height > MAX_DEPTH:
            self._too_deep(event)
        self.aliases[node] = anchor.node
        self._attach(event, anchor.value, node)
        self._grow(anchor.size - 1, anchor.height)

    def _attach(self, event: Event, value: Data, node: int) -> None:
        """Put a value where it belongs: in a list, behind its key, or as the next key."""
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.size += 1
        if not frame.is_mapping:
            frame.value.append(value)
        elif frame.key is None:
            frame.key = self._checked_key(event, frame.value, value, node)
        else:
            if frame.key is not _NO_KEY:
                frame.value[frame.key] = value
            frame.key = None

    def _checked_key(self, event: Event, mapping: dict[str, Data], key: Data, node: int) -> Data:
        if isinstance(key, str) and key not in mapping:
            return key
        self.dropped.add(node)
        if isinstance(key, str):
            text = f"`{key}` stands here a second time"
            self._report(event, "duplicate-key", text, "keep one of them", key)
        elif isinstance(key, dict | list):
            hint = "put a text that begins with {{ or [ in quotes"
            self._report(event, "bad-key", "a key is a plain text", hint)
        else:
            name = scalars.as_text(key)
            hint = f'write "{name}" in quotes'
            self._report(event, "bad-key", f"a key is a text, and {name or 'null'} is none", hint)
        return _NO_KEY

    def _bad_tag(self, event: Event) -> None:
        text = f"the tag `{event.tag}` does not belong to this value"
        self._report(event, "bad-tag", text, "leave it out; quotes make a text of any value")

    def _too_deep(self, event: Event) -> None:
        raise self._fatal(event, "too-deep", f"nested deeper than {MAX_DEPTH} levels", "")

    def _report(self, event: Event, code: str, text: str, hint: str, key: str = "") -> None:
        self.problems.append(self._problem(event, code, text, hint, key))

    def _fatal(self, event: Event, code: str, text: str, hint: str) -> SourceError:
        return SourceError(self._problem(event, code, text, hint))

    def _problem(self, event: Event, code: str, text: str, hint: str, key: str = "") -> Problem:
        steps: list[str | int] = []
        for frame in self.stack:
            if not frame.is_mapping:
                # The item that is being read already stands in its list.
                steps.append(max(len(frame.value) - 1, 0))
            elif isinstance(frame.key, str):
                steps.append(frame.key)
            elif frame is not self.stack[-1] and frame.value:
                # The value that is being read already stands behind its key.
                steps.append(next(reversed(frame.value)))
        if key:
            steps.append(key)
        mark = event.start_mark
        path = path_text(tuple(steps))
        return Problem(self.file, mark.line + 1, mark.column + 1, path, code, text, hint)
