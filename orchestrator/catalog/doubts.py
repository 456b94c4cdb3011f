"""Facts of a table that an import marked, and that nobody has settled since.

An unknown fact that is left empty would count as "there is no limit", so a mark beside nothing is
told until a person has written what holds, or has taken the mark away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.catalog.nodes import Node

#: How a table marks a doubtful field, in a comment behind its value.
MARK = "# DOUBT"

#: Facts that decide nothing of what is sent: without them costs and limits are not known.
_HARMLESS = frozenset({"price", "billing", "prompt_limit"})

#: What is left of a line where nothing stands but the mark: null, and what closes a mapping.
_NOTHING_BUT_THE_MARK = re.compile(rf"(?:null|Null|NULL|~)?[\s,\]}}]*{MARK}\b")
#: What parts the lines of YAML.
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def doubt_problems(root: Node, text: str) -> tuple[Problem, ...]:
    """The marked facts that decide what is sent, in the file's order; `text` is the table's."""
    return tuple(
        _told(node, "write what holds, or remove the mark to say that there is no such rule")
        for node in _doubtful(root, text)
        if node.path not in _HARMLESS
    )


def doubt_warnings(root: Node, text: str) -> tuple[Problem, ...]:
    """The marked facts that decide only what is known beforehand, in the file's order."""
    return tuple(
        _told(node, "write the figure, or remove the mark to leave it unknown")
        for node in _doubtful(root, text)
        if node.path in _HARMLESS
    )


def _told(node: Node, hint: str) -> Problem:
    place, message = node.place, f"`{node.path}` is in doubt: its line is marked {MARK}"
    return Problem(node.file, place.line, place.column, node.path, "doubtful", message, hint)


def _doubtful(root: Node, text: str) -> Iterator[Node]:
    """The empty values with the mark behind them."""
    if MARK not in text:
        return
    lines = _LINE_BREAK.split(text)
    for node in _nodes(root):
        # An empty value at the end of a text stands behind its last line.
        line = lines[node.place.line - 1] if node.place.line <= len(lines) else ""
        if node.value is None and _NOTHING_BUT_THE_MARK.match(line, node.place.column - 1):
            yield node


def _nodes(node: Node) -> Iterator[Node]:
    """A value and all that it holds, in the file's order."""
    yield node
    held = node.value.values() if isinstance(node.value, dict) else node.value
    for inner in held if held is not None and not isinstance(held, str) else ():
        yield from _nodes(inner)
