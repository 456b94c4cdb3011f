"""YAML 1.2 core scalars: what an unquoted text means, and how a value is written back.

PyYAML's own resolver follows YAML 1.1, where `16:9` is 969, `no` is false and `012` is ten.
"""

from __future__ import annotations

import math
import re

#: What a scalar can be.
Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_NUMBER_START = frozenset("-+.0123456789")
_NO_TEXT_START = _NUMBER_START | {word[0] for word in _WORDS if word}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
#: Python refuses to read longer decimal integers, as reading them takes quadratic time.
_LONGEST_INTEGER = 4000

#: A longer text hardly recurs, and of short ones this many are kept.
_LONGEST_KEPT = 24
_MOST_KEPT = 4096

_TAG = "tag:yaml.org,2002:"


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text and text[0] not in _NO_TEXT_START:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    number = _number(text)
    return text if number is None else number


class Plain(dict[str, Scalar]):
    """The values of unquoted scalars by their texts: short ones, which recur, are read once.

    So a key that a hundred thousand jobs have is one text in memory too.
    """

    def __missing__(self, text: str) -> Scalar:
        value = plain(text)
        if len(text) <= _LONGEST_KEPT and len(self) < _MOST_KEPT:
            self[text] = value
        return value


def _number(text: str) -> int | float | None:
    if _DECIMAL.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else float(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if _NOT_A_NUMBER.fullmatch(text) else None


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with an explicit tag. Raises ValueError where they do not agree."""
    if tag in {"!", _TAG + "str"}:
        return text
    value = plain(text)
    if tag == _TAG + "float" and type(value) is int:
        return float(value)
    fits = {
        _TAG + "int": type(value) is int,
        _TAG + "float": type(value) is float,
        _TAG + "bool": type(value) is bool,
        _TAG + "null": value is None,
    }
    if not fits.get(tag, False):
        raise ValueError(tag)
    return value


def is_core_collection(tag: str, *, mapping: bool) -> bool:
    """Whether an explicit tag says no more than what the collection is anyway."""
    return tag in {"!", _TAG + ("map" if mapping else "seq")}


def as_text(value: object) -> str:
    """A scalar as YAML writes it: `true`, `15`, `0.5`; null is the empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return str(value)
