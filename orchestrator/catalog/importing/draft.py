"""What an import gives: a draft of a table, and the doubts that a person has to settle.

A draft mirrors `Model` of the catalogue; a fact that could not be read for certain is None there,
and one of the doubts says where on the page to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import ParamType
    from orchestrator.jobs import Value


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """A fact that the page does not tell for certain."""

    #: 1-based line of the page: where the fact stands, or where it should.
    line: int
    #: The table's field, like `params.duration.max`; `params` alone where rows may be missing.
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class DraftParam:
    """One parameter as far as its row tells; see `Param` of the catalogue."""

    key: str
    type: ParamType | None = None
    required: bool | None = None
    default: Value | None = None
    options: tuple[str, ...] | None = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    #: In the page's language; empty where the page says nothing.
    description: str = ""


@dataclass(frozen=True, slots=True)
class DraftKind:
    """What is taken of one kind of reference; see `KindRule` of the catalogue."""

    kind: str
    max_bytes: int | None
    mime_types: tuple[str, ...] | None
    duration_token: bool | None


@dataclass(frozen=True, slots=True)
class DraftReferences:
    """Which references are taken; see `ReferenceRules` of the catalogue."""

    field: str | None
    min_files: int | None
    max_files: int | None
    kinds: tuple[DraftKind, ...] | None
    combinations: tuple[Mapping[str, int], ...] | None
    uploads: bool
    #: In English where the page's sentence is known, else as the page has it.
    rule: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A model's table as far as its page tells."""

    provider: str | None
    model: str | None
    title: str | None
    source: str | None
    #: ISO date: the day of the import.
    read: str
    price: float | None
    unit: str
    billing: str | None
    prompt_limit: int | None
    params: tuple[DraftParam, ...]
    #: None where the model takes none, or where a doubt says that this is not certain.
    references: DraftReferences | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read from a page."""

    #: None where rows of the parameter table may be missing.
    draft: Draft | None
    #: In the page's order; none where every fact of the draft is certain.
    doubts: tuple[Doubt, ...]
