"""Where every key and value of a document stands, in 12 bytes each.

Nodes (keys and values alike) are numbered in the order in which they begin. A path is found by
walking the values beside the numbers, stepping over what lies between.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

#: Names of keys and numbers of items, from the root.
Path = tuple[str | int, ...]

#: A line number is kept above this many bits of column.
LINE_SHIFT = 32
_COLUMN_MASK = (1 << LINE_SHIFT) - 1


@dataclass(frozen=True, slots=True)
class Positions:
    """The position index of one document."""

    #: The root value that the numbers belong to.
    root: object
    #: By node: line and column, both from 0, as `line << LINE_SHIFT | column`.
    marks: array[int]
    #: By node: the number after the last node inside it.
    ends: array[int]
    #: Alias to the node that it stands for.
    aliases: dict[int, int]
    #: Key nodes that did not make it into the value: repeated, or no text.
    dropped: frozenset[int]
    _items: dict[int, array[int]] = field(default_factory=dict, repr=False)

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its key.

        What came in by an alias stands where its anchor stands. A path that leads nowhere is
        located at the last part of it that exists.
        """
        node = found = 0
        value = self.root
        for step in path:
            entry = self._entry(node, value, step)
            if entry is None:
                break
            found, node, value = entry
            node = self.aliases.get(node, node)
            if not key or step is not path[-1]:
                found = node
        mark = self.marks[found]
        return (mark >> LINE_SHIFT) + 1, (mark & _COLUMN_MASK) + 1

    def _entry(self, node: int, value: object, step: str | int) -> tuple[int, int, object] | None:
        """Key node, value node and value one step below; the key of an item is the item."""
        if isinstance(value, dict) and step in value:
            name_node = self._key(node, value, str(step))
            return name_node, self.ends[name_node], value[step]
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            item = self._items_of(node)[step]
            return item, item, value[step]
        return None

    def _key(self, node: int, value: dict[str, object], name: str) -> int:
        child = node + 1
        names = iter(value)
        while True:
            if child not in self.dropped and next(names) == name:
                return child
            child = self.ends[self.ends[child]]

    def _items_of(self, node: int) -> array[int]:
        if node not in self._items:
            starts = array("I")
            child, end = node + 1, self.ends[node]
            while child < end:
                starts.append(child)
                child = self.ends[child]
            self._items[node] = starts
        return self._items[node]
