"""From the cells of a row to the facts about a parameter, and what is doubtful about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from orchestrator.catalog.importing.draft import Doubt, DraftParam
from orchestrator.catalog.importing.figures import DASHES, Range, bounds, is_wide, number
from orchestrator.catalog.importing.option_ends import SEPARATOR
from orchestrator.catalog.spec import ParamType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.catalog.importing.examples import Examples
    from orchestrator.catalog.importing.glued import Cells
    from orchestrator.catalog.importing.param_table import Row
    from orchestrator.catalog.importing.request_table import Words

#: The facts that depend on the type; the others are `required` and the description.
_OF_TYPE = ("type", "default", "options", "min", "max", "step")
#: An option: words of plain letters, figures and the signs that occur in them, but no `...`.
_WORD = "-?[A-Za-z0-9](?:[A-Za-z0-9_.:+/-]*[A-Za-z0-9+])?"
_OPTION = re.compile(rf"(?!.*\.\.|etc\b){_WORD}(?: {_WORD})*")


@dataclass(frozen=True, slots=True)
class _Unclear:
    """A fact that a reading does not tell."""

    reason: str


#: Characters of a cell that a reason repeats.
_LONGEST_SHOWN = 60

#: By name, what one reading of a row says.
_Facts = dict[str, Any]


def read_param(row: Row, words: Words, examples: Examples, doubts: list[Doubt]) -> DraftParam:
    """The parameter that a row describes, as far as all readings of it and the examples agree."""
    if not row.readings:
        unclear = _Unclear("the cells of this row cannot be told apart.")
        facts: _Facts = dict.fromkeys(("required", *_OF_TYPE, "description"), unclear)
    else:
        told = [_facts(cells, words) for cells in row.readings]
        facts = {name: _agreed([one[name] for one in told]) for name in told[0]}
    for line, value in examples.values(row.key):
        facts |= _contradicted(facts, line, value)
    if isinstance(facts["type"], _Unclear):
        facts |= dict.fromkeys(_OF_TYPE, facts["type"])
    for name, fact in facts.items():
        if isinstance(fact, _Unclear):
            doubts.append(Doubt(row.line, f"params.{row.key}.{name}", fact.reason))
    certain = {name: fact for name, fact in facts.items() if not isinstance(fact, _Unclear)}
    return DraftParam(key=row.key, **certain)


def _facts(cells: Cells, words: Words) -> _Facts:
    return {
        "required": _required(cells.required, words),
        **dict.fromkeys(_OF_TYPE),
        **_facts_of_type(cells, words),
        "description": "" if cells.description in DASHES else cells.description,
    }


def _agreed(values: Sequence[object]) -> object:
    """What all readings say; unclear where one does not know or another says something else."""
    first = values[0]
    for value in values:
        if isinstance(value, _Unclear):
            return value
        if value != first:
            return _Unclear(f"this can be read as `{first}` or as `{value}`.")
    return first


def _required(cell: str, words: Words) -> bool | _Unclear:
    if _is_empty(cell):
        return _Unclear("the cell is empty, which says nothing.")
    if words.no is None or cell not in (words.yes, words.no):
        return _Unclear(f"whether `{cell}` means yes or no is not certain.")
    return cell == words.yes


def _facts_of_type(cells: Cells, words: Words) -> _Facts:
    """The type, and what a parameter of that type has."""
    if cells.type not in get_args(ParamType):
        return {"type": _Unclear(f"`{cells.type}` is not `select`, `number` or `text`.")}
    if cells.default in (words.yes, words.no):
        return {"type": _Unclear("the columns may stand in another order.")}
    facts = {"select": _select, "number": _number, "text": _text}[cells.type](cells)
    return {"type": cast("ParamType", cells.type), **facts}


def _select(cells: Cells) -> _Facts:
    if not _is_empty(cells.range):
        return {"type": _Unclear(f"a `select` has no range, but `{cells.range}` stands there.")}
    options = _options(cells)
    default = _stated(cells.default)
    if isinstance(default, str) and isinstance(options, tuple) and default not in options:
        options = default = _Unclear(f"the default `{default}` is none of {cells.options}.")
    elif isinstance(default, str) and (is_wide(default) or not _OPTION.fullmatch(default)):
        default = _Unclear(f"`{default}` is no plain option.")
    elif cells.options is None and default not in (None, *cells.description.split(SEPARATOR)):
        default = _Unclear(f"whether `{default}` is one of the options is not certain.")
    return {"options": options, "default": default}


def _number(cells: Cells) -> _Facts:
    if cells.options is None or not _is_empty(cells.options):
        return {"type": _Unclear(f"a `number` has no options, but `{cells.options}` stands there.")}
    default: object = _stated(cells.default)
    if isinstance(default, str):
        read = number(default)
        default = _Unclear(f"`{default}` is no number.") if read is None else read
    limits = _bounds(cells.range)
    if isinstance(limits, Range) and isinstance(default, int | float) and default not in limits:
        default = limits = _Unclear(f"the default {default} is outside of `{cells.range}`.")
    if isinstance(limits, _Unclear):
        return {"default": default, **dict.fromkeys(("min", "max", "step"), limits)}
    return {"default": default, "min": limits.min, "max": limits.max, "step": limits.step}


def _text(cells: Cells) -> _Facts:
    if not _is_empty(cells.range) or cells.options is None or not _is_empty(cells.options):
        return {"type": _Unclear("a `text` has neither range nor options, but one stands there.")}
    default = _stated(cells.default)
    if isinstance(default, str) and not default[0].isalnum():
        default = _Unclear(f"whether `{default}` is meant word by word is not certain.")
    return {"default": default}


def _stated(cell: str) -> str | _Unclear | None:
    """A default's text, None where a dash says that there is none."""
    if cell == "":
        return _Unclear("the cell is empty, which says nothing; a dash would mean none.")
    return None if cell in DASHES else cell


def _bounds(cell: str) -> Range | _Unclear:
    if cell in DASHES:
        return Range()
    found = bounds(cell)
    return _Unclear(f"`{cell}` is no range `min A / max B / step C`.") if found is None else found


def _options(cells: Cells) -> tuple[str, ...] | _Unclear:
    if cells.options is None:
        text = cells.description
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        return _Unclear(f"where the options end and the description begins is not certain: {shown}")
    if _is_empty(cells.options):
        return _Unclear("a `select` has options, but none stand here.")
    options = tuple(cells.options.split(SEPARATOR))
    plain = all(_OPTION.fullmatch(option) for option in options) and not is_wide(cells.options)
    # `480p, 720p or 1080p` is no list, and a list of one may be anything.
    alike = len({" " in option for option in options}) == 1
    sure = len(options) > 1 or options[0] == cells.default
    if plain and alike and sure and len(set(options)) == len(options):
        return options
    return _Unclear(f"`{cells.options}` is no plain list of options.")


def _contradicted(facts: _Facts, line: int, value: object) -> _Facts:
    """What an example's value makes unclear. It is no default, but a value that can be sent."""
    sent = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    fits = isinstance(value, str) if facts["type"] != "number" else sent is not None
    if not fits and not isinstance(facts["type"], _Unclear):
        return {"type": _Unclear(f"the example in line {line} has {value!r}, of another type.")}
    unclear = _Unclear(f"the example in line {line} has {value!r}, which is not allowed here.")
    options, low, high = facts["options"], facts["min"], facts["max"]
    if isinstance(options, tuple) and value not in options:
        return {"options": unclear}
    if sent is not None and isinstance(low, int | float) and sent < low:
        return {"min": unclear}
    if sent is not None and isinstance(high, int | float) and sent > high:
        return {"max": unclear}
    return {}


def _is_empty(cell: str) -> bool:
    return cell == "" or cell in DASHES
