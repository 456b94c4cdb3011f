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
def _parts(text: str) -> tuple[str, ...]:
    """Plain text and the names of variables, in turns; plain text first and last."""
    return tuple(_VARIABLE.split(text))


def names_in(text: str) -> tuple[str, ...]:
    """The variables that a text asks for, in order."""
    return _parts(text)[1::2] if "{{" in text else ()


def is_unfinished(text: str) -> bool:
    """Whether a `{{` is left over that opens no variable."""
    return "{{" in text and "{{" in "".join(_parts(text)[::2])


def is_name(text: str) -> bool:
    """Whether what stands between the braces could be a name, rather than an expression."""
    return _NO_NAME.search(text) is None


def whole_variable(text: str) -> str | None:
    """The variable's name where the text is one variable and nothing else."""
    before, *names = _parts(text)
    return names[0] if len(names) == 2 and not before and not names[1] else None


def fill(text: str, values: Mapping[str, Data]) -> str | None:
    """The text with every variable's value; None where it would exceed `MAX_CHARACTERS`.

    Every name must be in `values`: ask `names_in` first.
    """
    if "{{" not in text:
        return text
    made = list(_parts(text))
    made[1::2] = [as_text(values[name]) for name in made[1::2]]
    return None if sum(map(len, made)) > MAX_CHARACTERS else "".join(made)
