"""A draft as the YAML of a parameter table, its doubtful fields marked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from orchestrator.catalog.doubts import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.catalog.importing.draft import (
        Doubt,
        Draft,
        DraftKind,
        DraftParam,
        DraftReferences,
    )

_INDENT = "  "
#: Text that YAML of any version reads as this very text, without quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ /-][A-Za-z0-9_.]+)*")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_UNITS = (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024), ("bytes", 1))


#: The path of a field, and its line.
_Line = tuple[str, str]


def table_text(draft: Draft, doubts: Sequence[Doubt]) -> str:
    """The table. A field in doubt is `null`, and a comment beside it says what to look for."""
    reasons: dict[str, list[str]] = {}
    for doubt in doubts:
        reasons.setdefault(doubt.field, []).append(f"line {doubt.line}: {doubt.reason}")
    lines = []
    if doubts:
        lines.append("# A draft. Fill in the fields that are marked; the lines are the page's.")
        lines.append("# Where there is no such rule, remove the mark.")
    for path, line in _table(draft, frozenset(reasons)):
        mark = f"  {MARK} {' '.join(reasons[path])}" if path in reasons else ""
        lines.append(f"{line}{mark}")
    return "\n".join(lines) + "\n"


def _table(draft: Draft, doubtful: frozenset[str]) -> Iterator[_Line]:
    for name in ("provider", "model", "title", "source"):
        yield name, f"{name}: {_text(getattr(draft, name))}"
    yield "read", f"read: {json.dumps(draft.read)}"
    yield "", ""
    yield "price", f"price: {_value(draft.price)}"
    yield "unit", f"unit: {draft.unit}"
    yield "billing", f"billing: {_text(draft.billing)}"
    yield "prompt_limit", f"prompt_limit: {_value(draft.prompt_limit)}"
    if draft.params:
        yield "", ""
        yield "params", "params:"
        for param in draft.params:
            yield from _param(param, doubtful)
    if draft.references is not None:
        yield "", ""
        yield from _references(draft.references, doubtful)
    elif "references" in doubtful:
        yield "", ""
        yield "references", "references: null"


def _param(param: DraftParam, doubtful: frozenset[str]) -> Iterator[_Line]:
    place = f"params.{param.key}"
    facts = {
        "type": param.type,
        "options": None if param.options is None else _list(param.options),
        "default": None if param.default is None else _value(param.default),
        "min": None if param.min is None else _value(param.min),
        "max": None if param.max is None else _value(param.max),
        "step": None if param.step is None else _value(param.step),
        "required": "true" if param.required else None,
    }
    yield place, f"{_INDENT}{param.key}:"
    for name, fact in facts.items():
        if fact is not None or f"{place}.{name}" in doubtful:
            yield f"{place}.{name}", f"{_INDENT * 2}{name}: {fact or 'null'}"
    unclear = f"{place}.description" in doubtful
    described = None if unclear else param.description or "The page does not describe it."
    yield f"{place}.description", f"{_INDENT * 2}description: {_text(described)}"


def _references(rules: DraftReferences, doubtful: frozenset[str]) -> Iterator[_Line]:
    place = "references"
    yield place, f"{place}:"
    yield f"{place}.field", f"{_INDENT}field: {_text(rules.field)}"
    yield f"{place}.uploads", f"{_INDENT}uploads: {'true' if rules.uploads else 'false'}"
    if rules.min_files or f"{place}.min_files" in doubtful:
        yield f"{place}.min_files", f"{_INDENT}min_files: {_value(rules.min_files)}"
    yield f"{place}.max_files", f"{_INDENT}max_files: {_value(rules.max_files)}"
    yield f"{place}.kinds", f"{_INDENT}kinds:{'' if rules.kinds else ' null'}"
    for kind in rules.kinds or ():
        yield from _kind(kind, doubtful)
    yield from _combinations(rules)
    yield f"{place}.rule", f"{_INDENT}rule: {_text(rules.rule or None)}"


def _kind(kind: DraftKind, doubtful: frozenset[str]) -> Iterator[_Line]:
    place = f"references.kinds.{kind.kind}"
    facts = {
        "max_size": None if kind.max_bytes is None else _size(kind.max_bytes),
        "mime_types": f"[{', '.join(kind.mime_types)}]" if kind.mime_types else None,
        "duration_token": "true" if kind.duration_token else None,
    }
    told = {
        name: fact
        for name, fact in facts.items()
        if fact is not None or f"{place}.{name}" in doubtful
    }
    yield place, f"{_INDENT * 2}{kind.kind}:{'' if told else ' {}'}"
    for name, fact in told.items():
        yield f"{place}.{name}", f"{_INDENT * 3}{name}: {fact or 'null'}"


def _combinations(rules: DraftReferences) -> Iterator[_Line]:
    """Left out where only the most files count."""
    place = "references.combinations"
    if rules.combinations is None:
        yield place, f"{_INDENT}combinations: null"
        return
    kinds = [kind.kind for kind in rules.kinds or ()]
    if rules.combinations == (dict.fromkeys(kinds, rules.max_files),):
        return
    yield place, f"{_INDENT}combinations:"
    for combination in rules.combinations:
        counts = ", ".join(f"{kind}: {count}" for kind, count in combination.items())
        yield "", f"{_INDENT * 2}- {{{counts}}}"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(json.dumps(value, ensure_ascii=False) for value in values)}]"


def _value(value: float | str | None) -> str:
    """A number bare, text in quotes, nothing as `null`."""
    return json.dumps(value, ensure_ascii=False)


def _text(text: str | None) -> str:
    """Text without quotes where every reader takes it for text."""
    if text is not None and _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return _value(text)


def _size(count: int) -> str:
    unit, factor = next((name, factor) for name, factor in _UNITS if count % factor == 0)
    return f"{count // factor} {unit}"
