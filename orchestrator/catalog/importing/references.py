"""Which references a model takes: the table of kinds, and the lines above it.

Above the table stand a sentence with the rule, the most files as a bare number, and the kinds as a
list. Their labels may be missing, so they are known by their form and their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.draft import Doubt, DraftKind, DraftReferences
from orchestrator.catalog.importing.examples import REFERENCES_FIELD
from orchestrator.catalog.importing.figures import narrow
from orchestrator.catalog.importing.sentences import (
    demands_files,
    figures,
    known_rule,
)
from orchestrator.catalog.spec import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestrator.catalog.importing.examples import Examples
    from orchestrator.catalog.importing.kind_table import KindRow, KindTable
    from orchestrator.catalog.importing.page import Page

_KIND = "|".join(KINDS)
_KINDS = re.compile(rf"(?:{_KIND})(?:, (?:{_KIND}))*")
_COUNT = re.compile(r"[0-9]{1,3}")
_DURATION = "durationToken"
_TEXT_ALONE = frozenset({"text"})


@dataclass(frozen=True, slots=True)
class Section:
    """The lines above a table of kinds, told apart."""

    #: Line number and value of the most files; None where it is not certain.
    most: tuple[int, int] | None
    #: The kinds in the list, None where it is not certain which list that is.
    kinds: frozenset[str] | None
    #: Line numbers of what is left: headings, labels and the rule.
    prose: tuple[int, ...]
    #: Whether the most files cannot be another number of the page.
    sure: bool = True

    def rule(self, page: Page) -> str:
        """The rule in words: behind a word and a colon, right above the most files or their label.

        Empty where no such line stands there.
        """
        number = None if self.most is None else page.before(self.most[0])
        above = None if number is None else page.before(number)
        lines = [page.line(n) for n in (number, above) if n in self.prose and n is not None]
        # What begins with a quotation mark is left of an example.
        return next((line for line in lines if re.match('[^"].*[:\uff1a]', line)), "")


def read_section(page: Page, table: KindTable, known: Collection[int]) -> Section:
    """The lines between a table of kinds and what is `known` to be something else before it."""
    start = max((number for number in known if number < table.line), default=0)
    numbers = [number for number in page.filled if start < number < table.line]
    texts = {number: narrow(page.line(number)) for number in numbers}
    counts = {number: int(text) for number, text in texts.items() if _COUNT.fullmatch(text)}
    lists = [n for n in numbers if _KINDS.fullmatch(page.line(n))]
    # A count belongs to the list of kinds right below it, or below its label.
    joined = [
        (count, kinds)
        for kinds in lists
        for count in counts
        if numbers.index(kinds) - numbers.index(count) in (1, 2)
    ]
    prose = tuple(
        n
        for n in numbers
        if n not in counts
        and n not in lists
        and not any(word in page.line(n) for word in (_DURATION, REFERENCES_FIELD))
    )
    if len(joined) != 1:
        return Section(None, None, prose)
    ((count, kinds),) = joined
    return Section((count, counts[count]), frozenset(page.line(kinds).split(", ")), prose)


@dataclass(frozen=True, slots=True)
class Rest:
    """What the rest of a page says that bears on references."""

    page: Page
    examples: Examples
    #: What the model takes, such as `text` and `file`; None where it is not certain.
    inputs: frozenset[str] | None

    def mention(self, word: str) -> bool:
        """Whether any line holds the word."""
        return any(word in line for line in self.page.lines)


def read_references(
    tables: list[KindTable], sections: list[Section], rest: Rest, doubts: list[Doubt]
) -> DraftReferences | None:
    """The rules for references, None where the model takes none or where nothing is certain."""
    if not tables:
        # Nothing but the page's own word that the model takes text shows that it takes no files.
        mentioned = rest.mention(REFERENCES_FIELD) or rest.mention(_DURATION)
        if mentioned or rest.inputs != _TEXT_ALONE:
            reason = "no table of kinds, sizes and MIME types was found."
            doubts.append(Doubt(rest.page.last, "references", reason))
        return None
    contents = {tuple(replace(row, line=0) for row in table.rows) for table in tables}
    said = {(section.most and section.most[1], section.kinds) for section in sections}
    if len(contents) > 1 or len(said) > 1 or rest.inputs == _TEXT_ALONE:
        reason = "what the page says of references does not agree with itself."
        doubts.append(Doubt(tables[0].line, "references", reason))
        return None
    return _from_table(tables[0], sections[0], rest, doubts)


def _from_table(
    table: KindTable, section: Section, rest: Rest, doubts: list[Doubt]
) -> DraftReferences:
    most = _most(table, section, rest, doubts)
    combinations, rule = _rule(table, section, most, rest, doubts)
    field = REFERENCES_FIELD if rest.mention(REFERENCES_FIELD) else None
    if field is None:
        doubts.append(Doubt(table.line, "references.field", "the page names no field for them."))
    return DraftReferences(
        field=field,
        min_files=_least(table, section, rest, doubts),
        max_files=most,
        kinds=_kinds(table, section, rest, doubts),
        combinations=combinations,
        uploads=True,
        rule=rule,
    )


def _most(table: KindTable, section: Section, rest: Rest, doubts: list[Doubt]) -> int | None:
    """The most files, if the number is that, and no sentence contradicts it."""
    line, most = section.most or (table.line, 0)
    kinds = {row.kind for row in table.rows}
    lines = [rest.page.line(n) for n in section.prose]
    known = [rule for text in lines if (rule := known_rule(text)) is not None]
    figures_told = {figure for text in lines for figure in figures(text)}
    contradicted = not all(_fits(rule.combinations, kinds, most) for rule in known) or (
        len(kinds) == 1 and bool(figures_told) and most not in figures_told
    )
    if most > 0 and section.sure and not contradicted:
        return most
    reason = "which number above the kinds is meant is not certain."
    if contradicted:
        reason = f"{most} stands here, but a sentence above says something else."
    doubts.append(Doubt(line, "references.max_files", reason))
    return None


def _kinds(
    table: KindTable, section: Section, rest: Rest, doubts: list[Doubt]
) -> tuple[DraftKind, ...] | None:
    """The rows, if none can be missing: the list above names them all, and an example follows."""
    names = [row.kind for row in table.rows]
    # Any other text could be a footer below what was cut off.
    whole = len(set(names)) == len(names) and max(rest.examples.lines, default=0) > table.line
    if not whole or section.kinds != frozenset(names):
        reason = f"whether {', '.join(names)} are all kinds is not certain."
        doubts.append(Doubt(table.line, "references.kinds", reason))
        return None
    return tuple(_kind(row, rest, doubts) for row in table.rows)


def _kind(row: KindRow, rest: Rest, doubts: list[Doubt]) -> DraftKind:
    place = f"references.kinds.{row.kind}"
    if row.max_bytes is None:
        doubts.append(Doubt(row.line, f"{place}.max_size", "the size cannot be read."))
    if row.mime_types is None:
        doubts.append(Doubt(row.line, f"{place}.mime_types", "the types cannot be read."))
    # The page says so for videos and audio at once, in a sentence that names the token.
    token = None if row.kind != "image" and not rest.mention(_DURATION) else row.kind != "image"
    if token is None:
        reason = "the page says nothing of duration tokens."
        doubts.append(Doubt(row.line, f"{place}.duration_token", reason))
    return DraftKind(row.kind, row.max_bytes or None, row.mime_types, token)


def _rule(
    table: KindTable,
    section: Section,
    most: int | None,
    rest: Rest,
    doubts: list[Doubt],
) -> tuple[tuple[Mapping[str, int], ...] | None, str]:
    """Which kinds go together, and the rule in words."""
    lines = {n: rest.page.line(n) for n in section.prose}
    known = {n: rule for n, line in lines.items() if (rule := known_rule(line)) is not None}
    others = {figure for n, line in lines.items() if n not in known for figure in figures(line)}
    kinds = [row.kind for row in table.rows]
    if len(known) == 1 and not others:
        (rule,) = known.values()
        if _fits(rule.combinations, set(kinds), most):
            return rule.combinations, rule.text
    words = section.rule(rest.page)
    if words and not known and len(kinds) == 1 and most is not None and others <= {most}:
        return ({kinds[0]: most},), words
    line = min(known, default=max(lines, key=lambda n: len(lines[n]), default=table.line))
    reason = f"which files go together is told in words alone: {words}"
    doubts.append(Doubt(line, "references.combinations", reason))
    return None, words


def _fits(combinations: tuple[Mapping[str, int], ...], kinds: set[str], most: int | None) -> bool:
    """Whether a sentence agrees with the kinds and the number of files of the same section."""
    named = {kind for combination in combinations for kind in combination}
    totals = [sum(combination.values()) for combination in combinations]
    if most is None or named != kinds or max(totals) > most:
        return False
    return len(combinations) > 1 or totals == [most]


def _least(table: KindTable, section: Section, rest: Rest, doubts: list[Doubt]) -> int | None:
    """How many files are needed: none, where neither the rule nor a whole example has one."""
    lines = {n: rest.page.line(n) for n in section.prose}
    demands = [n for n, line in lines.items() if not known_rule(line) and demands_files(line)]
    if demands:
        line, reason = demands[0], f"this may demand files: {lines[demands[0]]}"
    elif not section.rule(rest.page):
        line, reason = table.line, "no sentence above says which files are taken."
    elif all(request.references for request in rest.examples.requests):
        line = table.line
        reason = "no example request without references shows that none is needed."
    else:
        return 0
    doubts.append(Doubt(line, "references.min_files", reason))
    return None
