"""Numbers, ranges and sizes as a page writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A number as the provider's pages write it. Others, such as `1,5`, `1.500` and `1e3`, are left to
#: a person.
NUMBER = r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{0,19}[1-9])?"
_PART = rf"(?:min|max|step) {NUMBER}"
#: `min A / max B / step C`; each part may be missing.
RANGE = rf"{_PART}(?: ?/ ?{_PART}){{0,2}}"

#: What stands in an empty cell. A page that was typeset anew may have a longer dash.
DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d")

#: Full-width letters, digits and signs of CJK pages, and the plain ones.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}

_SIZE = re.compile(r"([0-9]{1,9}) ?([A-Za-z\u0410-\u044f]{2,3})")
#: Units in the languages that do not write `MB`. Pages leave open which of the two megabytes they
#: mean; tables take the larger one.
_UNITS: Mapping[str, int] = {
    **dict.fromkeys(("KB", "KiB", "Ko", "КБ"), 1024),
    **dict.fromkeys(("MB", "MiB", "Mo", "МБ"), 1024**2),
    **dict.fromkeys(("GB", "GiB", "Go", "ГБ"), 1024**3),
}


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds of a number; absent ones are None."""

    min: float | None = None
    max: float | None = None
    step: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


def narrow(text: str) -> str:
    """The text with full-width letters, digits and signs as plain ones. For numbers alone."""
    return text.translate(_FULL_WIDTH)


def is_wide(text: str) -> bool:
    """Whether a text holds full-width forms, so that nobody knows what the wire would take."""
    return any(ord(char) in _FULL_WIDTH for char in text)


def number(text: str) -> int | float | None:
    """The number that the whole text is, None where it is none; whole numbers are ints."""
    plain = narrow(text)
    if not re.fullmatch(NUMBER, plain):
        return None
    return float(plain) if "." in plain else int(plain)


def bounds(text: str) -> Range | None:
    """The range that the whole text is, None where it is none or contradicts itself."""
    plain = narrow(text)
    if not re.fullmatch(RANGE, plain):
        return None
    parts = [part.split() for part in plain.split("/")]
    found = {name: number(value) for name, value in parts}
    if len(found) < len(parts):
        return None
    low, high, step = (found.get(name) for name in ("min", "max", "step"))
    if (low is not None and high is not None and low > high) or (step is not None and step <= 0):
        return None
    return Range(low, high, step)


def size(text: str) -> int | None:
    """The bytes that a text such as `10 MB` means, None where it means none."""
    match = _SIZE.fullmatch(narrow(text))
    if match is None or match[2] not in _UNITS:
        return None
    return int(match[1]) * _UNITS[match[2]] or None
