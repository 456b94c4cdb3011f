"""What was expected and what was found instead, in words, with the next step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.manifest.data import Data

_TYPE_NAMES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
#: Longest text that a message repeats, in characters.
_LONGEST = 40
#: What YAML 1.1 read as truth values; in YAML 1.2 they are texts.
_OLD_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
#: A number with a unit or a sign behind it.
_WITH_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*[^0-9.\s]+")


def wrong_type(value: Data, types: Iterable[str]) -> tuple[str, str]:
    """Message and hint for a value of none of these JSON types."""
    names = list(dict.fromkeys(types))
    if "number" in names and "integer" in names:
        names.remove("integer")
    wanted = _either([_TYPE_NAMES.get(name, name) for name in names])
    return f"expected {wanted}, found {described(value)}", _hint(value, frozenset(names))


def described(value: Data) -> str:
    """A value in a message: scalars as written, collections by what they are."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text `{shortened(value)}`" if value else "an empty text"
    return spelled(value)


def spelled(value: Data) -> str:
    """A scalar as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def shortened(text: str) -> str:
    """A text that is not too long to be repeated."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def old_truth(value: Data) -> str | None:
    """`true` or `false` where a text such as `yes` was meant as one."""
    return _OLD_TRUTHS.get(value.lower()) if isinstance(value, str) else None


def _either(names: list[str]) -> str:
    if len(names) < 3:
        return " or ".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _hint(value: Data, wanted: frozenset[str]) -> str:
    if value is None:
        return "write a value, or remove the key; a text that begins with # needs quotes"
    if isinstance(value, str):
        return _hint_for_text(value, wanted)
    if "string" in wanted:
        return _hint_where_text_is_wanted(value)
    if "array" in wanted and isinstance(value, dict):
        return "begin each item with a dash"
    if "array" in wanted:
        return f"write it as a list: [{spelled(value)}]"
    if "object" in wanted:
        return "write `name: value`" + (", without a dash" if isinstance(value, list) else "")
    return ""


def _hint_for_text(text: str, wanted: frozenset[str]) -> str:
    if "boolean" in wanted and old_truth(text):
        return f"write {old_truth(text)}"
    if wanted & {"number", "integer"}:
        number = _WITH_UNIT.fullmatch(text.strip())
        if _looks_numeric(text):
            return f"write {text} without quotes"
        return f"write the number alone: {number[1]}" if number else "write a number in digits"
    if "array" in wanted:
        return f"write it as a list: [{shortened(text)}]"
    return "write `name: value`" if "object" in wanted else ""


def _hint_where_text_is_wanted(value: Data) -> str:
    if isinstance(value, list | dict):
        opening = "[" if isinstance(value, list) else "{"
        return f"write one text; one that begins with {opening} needs quotes"
    return f'put it in quotes: "{spelled(value)}"'


def _looks_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
