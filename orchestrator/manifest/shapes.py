"""The shape of a value: all that a JSON Schema's verdict on it can depend on.

A schema asks for keys, types, lengths, bounds, patterns and listed values. Two jobs that answer all
of these alike get the same verdict, so of a hundred thousand jobs a handful needs the validator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from orchestrator.manifest.data import Data

_LENGTHS = ("minLength", "maxLength")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


@dataclass(frozen=True, slots=True)
class Shapes:
    """The questions that one schema asks of texts and numbers."""

    lengths: tuple[int, ...]
    bounds: tuple[float, ...]
    patterns: tuple[re.Pattern[str], ...]
    #: Texts that the schema lists.
    words: frozenset[str]

    def of(self, value: Data) -> Hashable:
        """The shape of a value."""
        if isinstance(value, str):
            return value if value in self.words else self._text(value)
        if isinstance(value, dict):
            return ("{}", *[(key, self.of(item)) for key, item in value.items()])
        if isinstance(value, list):
            return ("[]", *[self.of(item) for item in value])
        if isinstance(value, bool) or value is None:
            return str(value)
        bounds = tuple((value > bound) - (value < bound) for bound in self.bounds)
        return (isinstance(value, int), value == value // 1, bounds)

    def _text(self, text: str) -> Hashable:
        lengths = tuple((len(text) > n) - (len(text) < n) for n in self.lengths)
        if not self.patterns:
            return ("", lengths)
        return ("", lengths, tuple(bool(pattern.search(text)) for pattern in self.patterns))


def shapes_for(schema: Data) -> Shapes:
    """The questions of a schema. It may use `multipleOf: 1` in no other form than `integer`."""
    nodes = [node for node in _nodes(schema) if isinstance(node, dict)]
    words = [word for node in nodes for word in _listed(node) if isinstance(word, str)]
    return Shapes(
        lengths=tuple(sorted(_stated(nodes, _LENGTHS))),
        bounds=tuple(sorted(_stated(nodes, _BOUNDS))),
        patterns=tuple(re.compile(pattern) for pattern in sorted(_stated(nodes, ("pattern",)))),
        words=frozenset(words),
    )


def _nodes(schema: Data) -> Iterator[Data]:
    yield schema
    children = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict | list):
        for child in children:
            yield from _nodes(child)


def _stated(nodes: list[dict[str, Data]], keywords: tuple[str, ...]) -> set[Data]:
    return {node[word] for node in nodes for word in keywords if _is_scalar(node.get(word))}


def _listed(node: dict[str, Data]) -> list[Data]:
    listed = node.get("enum", [])
    return listed if isinstance(listed, list) else []


def _is_scalar(value: Data) -> bool:
    return isinstance(value, str | int | float)
