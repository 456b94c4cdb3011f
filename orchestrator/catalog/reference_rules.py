"""A table's `references`: which files a model takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.catalog.nodes import FIELD_NAME
from orchestrator.catalog.spec import KINDS, KindRule, ReferenceRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.nodes import Node

_FIELDS = ("field", "uploads", "min_files", "max_files", "kinds", "combinations", "rule")
_REQUIRED = ("field", "uploads", "max_files", "kinds", "rule")
_KIND_FIELDS = ("max_size", "mime_types", "duration_token")

_MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_SIZE = re.compile(r"([0-9]+) ?(bytes|KB|MB|GB)")
#: Pages say "10 MB" and leave open which. The larger reading refuses no file that the provider
#: takes, and an upload that it refuses costs nothing.
_UNITS: Mapping[str, int] = {"bytes": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def read_rules(node: Node) -> ReferenceRules:
    """The rules that a table's `references` describes.

    Raises CatalogError with file, line and field for the first thing that is wrong.
    """
    fields = node.fields(_FIELDS, _REQUIRED)
    most = fields["max_files"].count(least=1)
    least = fields["min_files"].count() if "min_files" in fields else 0
    if least > most:
        fields["min_files"].fail(f"must not exceed `max_files`, which is {most}.")
    kinds = tuple(_kind(name, entry) for name, entry in fields["kinds"].entries().items())
    if not kinds:
        fields["kinds"].fail("must name at least one kind.")
    return ReferenceRules(
        field=fields["field"].matching(FIELD_NAME, "the name of a body field"),
        min_files=least,
        max_files=most,
        kinds=kinds,
        combinations=_combinations(fields.get("combinations"), kinds, most),
        uploads=fields["uploads"].boolean(),
        rule=fields["rule"].text(),
    )


def _kind(name: str, node: Node) -> KindRule:
    if name not in KINDS:
        node.fail(f"is no kind of reference; kinds are {', '.join(KINDS)}.", at_key=True)
    fields = node.fields(_KIND_FIELDS)
    types = fields["mime_types"].items() if "mime_types" in fields else ()
    return KindRule(
        kind=name,
        max_bytes=_size(fields["max_size"]) if "max_size" in fields else None,
        mime_types=tuple(item.matching(_MIME_TYPE, "a MIME type") for item in types),
        duration_token=fields["duration_token"].boolean() if "duration_token" in fields else False,
    )


def _size(node: Node) -> int:
    match = _SIZE.fullmatch(node.text())
    if not match:
        node.fail("must be a size such as `10 MB`, in bytes, KB, MB or GB.")
    return int(match[1]) * _UNITS[match[2]]


def _combinations(
    node: Node | None, kinds: tuple[KindRule, ...], most: int
) -> tuple[Mapping[str, int], ...]:
    names = [kind.kind for kind in kinds]
    if node is None:
        return (dict.fromkeys(names, most),)
    found = tuple(
        {kind: count.count(least=1) for kind, count in item.fields(names).items()}
        for item in node.items()
    )
    if not found or not all(found):
        node.fail("must be a list of mappings from a kind to the most files of it.")
    return found
