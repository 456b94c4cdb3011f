"""Texts that others wrote, made fit to be read in a page."""

from __future__ import annotations

import unicodedata

#: Marks that turn the direction of all the text that follows, so that it reads as something else.
_DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
#: Control characters, half pairs, private and unassigned characters.
_UNSEEN = frozenset({"Cc", "Cs", "Co", "Cn"})


def readable(text: str, most: int) -> str:
    """The text as one line of at most `most` characters, without what nobody can see.

    Joiners stay: emoji and several scripts are written with them.
    """
    # A text may be far longer than what is shown of it; white space may shrink it by half.
    kept = "".join(" " if _is_unseen(char) else char for char in text[: most * 4])
    line = " ".join(kept.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _is_unseen(char: str) -> bool:
    return char in _DIRECTION_MARKS or unicodedata.category(char) in _UNSEEN
