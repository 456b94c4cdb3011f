"""`{{name}}`: plain substitution, nothing else. What was put in is never looked at again."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.manifest.scalars import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.manifest.data import Data

_VARIABLE = re.compile(r"\{\{[ \t]*([^{}\r\n]*?)[ \t]*\}\}")

#: Longest text that substitution makes, in characters: far above any prompt, far below memory.
MAX_CHARACTERS = 1_000_000


#: What a calculation or a filter would need, and no name does.
_NO_NAME = re.compile(r"[|()*/+\[\]'\"]|^$")


@lru_cache(maxsize=4096)
def names_in(text: str) -> tuple[str, ...]:
    """The variables that a text asks for, in order."""
    return tuple(_VARIABLE.findall(text)) if "{{" in text else ()


def is_unfinished(text: str) -> bool:
    """Whether a `{{` is left over that opens no variable."""
    return "{{" in text and "{{" in _VARIABLE.sub("", text)


def is_name(text: str) -> bool:
    """Whether what stands between the braces could be a name, rather than an expression."""
    return _NO_NAME.search(text) is None


def whole_variable(text: str) -> str | None:
    """The variable's name where the text is one variable and nothing else."""
    match = _VARIABLE.fullmatch(text)
    return match[1] if match else None


def fill(text: str, values: Mapping[str, Data]) -> str | None:
    """The text with every variable's value; None where it would exceed `MAX_CHARACTERS`.

    Every name must be in `values`: ask `names_in` first.
    """
    if "{{" not in text:
        return text
    texts = {name: as_text(values[name]) for name in names_in(text)}
    if len(text) + sum(len(texts[name]) for name in names_in(text)) > MAX_CHARACTERS:
        return None
    return _VARIABLE.sub(lambda match: texts[match[1]], text)
