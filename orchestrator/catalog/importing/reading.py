"""A documentation page of a Rivya model as a draft of its parameter table.

Pages have two layouts (cells that run into each other, and Markdown), any language, and may be cut
off. So facts are found by what does not change: the names of fields and types, the form of values,
and the JSON of the examples. Each fact is compared with whatever else the page says of it. What is
not certain then is left out and reported as a doubt.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.draft import Doubt, Draft, Imported
from orchestrator.catalog.importing.examples import Examples, find_examples
from orchestrator.catalog.importing.glued import starts
from orchestrator.catalog.importing.kind_table import find_kind_tables
from orchestrator.catalog.importing.overview import (
    amounts,
    read_billing,
    read_inputs,
    read_price,
    read_prompt_limit,
    read_title,
)
from orchestrator.catalog.importing.page import open_page
from orchestrator.catalog.importing.param_table import (
    RowsMissing,
    Surroundings,
    find_param_table,
    header_lines,
)
from orchestrator.catalog.importing.params import read_param
from orchestrator.catalog.importing.pipes import find_grids
from orchestrator.catalog.importing.references import Rest, read_references, read_section
from orchestrator.catalog.importing.request_table import MODEL_ID, Words, find_request_tables
from orchestrator.catalog.importing.typesetting import typesetting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from orchestrator.catalog.importing.kind_table import KindTable
    from orchestrator.catalog.importing.page import Page
    from orchestrator.catalog.importing.param_table import ParamTable
    from orchestrator.catalog.importing.request_table import RequestTable
    from orchestrator.catalog.importing.typesetting import Typesetting

PROVIDER = "rivya"
UNIT = "credits"

#: An id that stands alone on a line of the overview.
_ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def read_page(data: bytes, today: date) -> Imported:
    """The table that a saved page describes, as far as the page tells it for certain.

    `today` is the day of the import. Raises UsageError for what is no text at all.
    """
    page = open_page(data)
    examples, grids = find_examples(page), find_grids(page)
    requests = tuple(find_request_tables(page, grids, _possible_ids(page, examples)))
    around = Surroundings(page, grids, requests, examples, _words(requests))
    kinds = find_kind_tables(page, grids)
    try:
        table = find_param_table(around, _style(around, kinds))
    except RowsMissing as missing:
        return Imported(None, (missing.doubt,))
    return _assembled(around, table, kinds, today)


def _possible_ids(page: Page, examples: Examples) -> set[str]:
    """What may be the model's id: as the examples have it, else what stands alone on a line."""
    named = {request.model for request in examples.requests}
    return named or {page.line(n) for n in page.filled if _ID.fullmatch(page.line(n))}


def _words(requests: Iterable[RequestTable]) -> Words:
    """The words for "yes" and "no", on which all request tables of a page have to agree."""
    found = {table.words for table in requests}
    return found.pop() if len(found) == 1 else Words()


def _style(around: Surroundings, kinds: list[KindTable]) -> Typesetting:
    """How the page is written, by its lines outside of tables and examples."""
    page = around.page
    glued = {n for n in page.filled if any(starts(page.line(n)))}
    aside = around.examples.lines.union(
        glued,
        header_lines(around),
        *(table.lines for table in around.requests),
        *(grid.lines for grid in around.grids),
        *(table.lines for table in kinds),
    )
    sentences = [page.line(number) for number in page.filled if number not in aside]
    descriptions = [text for table in around.requests for text in table.descriptions]
    return typesetting(sentences, descriptions)


def _assembled(
    around: Surroundings, table: ParamTable, kinds: list[KindTable], today: date
) -> Imported:
    page, examples = around.page, around.examples
    known = examples.lines.union(table.lines, *(found.lines for found in around.requests))
    taken = known.union(*(found.lines for found in kinds))
    outside = [number for number in page.filled if number not in taken]
    sections = [read_section(page, found, known) for found in kinds]
    counts = {section.most[0] for section in sections if section.most is not None}
    alone = amounts(page, [n for n in outside if n not in counts])
    if set(alone.values()) != {reply.reserved_credits for reply in examples.replies}:
        # The number among the references may be the price, where that is not found elsewhere.
        sections = [replace(section, sure=False) for section in sections]

    doubts: list[Doubt] = []
    model = _model(around, doubts)
    billing = read_billing(page, outside, doubts)
    draft = Draft(
        provider=_provider(page, doubts),
        model=model,
        title=read_title(page, model) if model else None,
        source=f"Rivya model page of {model}" if model else None,
        read=today.isoformat(),
        price=read_price(alone, examples.replies, billing, doubts),
        unit=UNIT,
        billing=billing,
        prompt_limit=read_prompt_limit(page, outside, around.requests, doubts),
        params=tuple(read_param(row, around.words, examples, doubts) for row in table.rows),
        references=read_references(
            kinds,
            sections,
            Rest(page, examples, read_inputs(page, outside)),
            doubts,
        ),
    )
    return Imported(draft, tuple(sorted(doubts)))


def _provider(page: Page, doubts: list[Doubt]) -> str | None:
    if any(PROVIDER in line.lower() for line in page.lines):
        return PROVIDER
    doubts.append(Doubt(1, "provider", "the page does not name the provider."))
    return None


def _model(around: Surroundings, doubts: list[Doubt]) -> str | None:
    """The model's id, on which the request table and all examples have to agree."""
    examples = around.examples
    stated = [
        *((table.model, table.line) for table in around.requests),
        *((request.model, request.line) for request in examples.requests),
        *((reply.model, reply.line) for reply in examples.replies),
    ]
    found = {model: line for model, line in stated if model is not None}
    if len(found) == 1 and all(map(MODEL_ID.fullmatch, found)):
        return next(iter(found))
    reason = f"the page names {', '.join(found) or 'none'}."
    doubts.append(Doubt(min(found.values(), default=1), "model", reason))
    return None
