"""The shape of a value: all that a JSON Schema's verdict on it can depend on.

A schema asks for keys, types, lengths, bounds, patterns and listed values. Two jobs that answer all
of these alike get the same verdict, so of a hundred thousand jobs a handful needs the validator.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
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
    #: Texts and numbers that the schema lists.
    listed: frozenset[str | float]

    def of(self, value: Data) -> Hashable:
        """The shape of a value."""
        if isinstance(value, str):
            return value if value in self.listed else self._text(value)
        if isinstance(value, dict):
            return ("{}", *[(key, self.of(item)) for key, item in value.items()])
        if isinstance(value, list):
            return ("[]", *[self.of(item) for item in value])
        if isinstance(value, bool) or value is None:
            return str(value)
        if value in self.listed:
            return (isinstance(value, int), value)
        bounds = tuple((value > bound) - (value < bound) for bound in self.bounds)
        return (isinstance(value, int), value == value // 1, bounds)

    def _text(self, text: str) -> Hashable:
        # Between two stated lengths, and above all of them, texts are alike.
        place = (bisect_left(self.lengths, len(text)), bisect_right(self.lengths, len(text)))
        if not self.patterns:
            return place
        return (place, tuple(bool(pattern.search(text)) for pattern in self.patterns))


def shapes_for(schema: Data) -> Shapes:
    """The questions of a schema, which may not use `multipleOf`: see `is_shapely`."""
    nodes = [node for node in _nodes(schema) if isinstance(node, dict)]
    listed = [one for node in nodes for one in _listed(node) if isinstance(one, str | int | float)]
    return Shapes(
        lengths=tuple(sorted(_stated(nodes, _LENGTHS))),
        bounds=tuple(sorted(_stated(nodes, _BOUNDS))),
        patterns=tuple(re.compile(pattern) for pattern in sorted(_stated(nodes, ("pattern",)))),
        listed=frozenset(listed),
    )


def is_shapely(schema: Data) -> bool:
    """Whether shapes can answer for a schema: they know whole numbers, but no other multiples."""
    return not any(isinstance(node, dict) and "multipleOf" in node for node in _nodes(schema))


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
