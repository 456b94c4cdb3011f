"""How a page is written, as far as that shows where glued cells begin and end."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: How often something must be seen before it counts as this page's way.
_LETTERS_LEAST = 5
_FIGURES_LEAST = 2
_DESCRIPTIONS_LEAST = 3
#: The badges below the title run into each other on every page, on one line.
_GLUED_LINES_MOST = 1

_EAST_ASIAN = ("CJK ", "HIRAGANA ", "KATAKANA", "HALFWIDTH ", "HANGUL ", "BOPOMOFO ", "FULLWIDTH ")
#: A Latin letter or a figure, perhaps a space, and the character that follows.
_MEETING = re.compile(r"(?=([A-Za-z0-9])( ?)([^\x00-\x7f]))")


@dataclass(frozen=True, slots=True)
class Typesetting:
    """What the sentences of a page show about its script."""

    #: Between Latin letters and another script there always is a space.
    letters_apart: bool
    #: The same of figures.
    figures_apart: bool
    #: Every description begins with a capital Latin letter.
    capitals: bool


def typesetting(sentences: Iterable[str], descriptions: Sequence[str]) -> Typesetting:
    """How a page is written, by its lines outside of tables and by certain descriptions."""
    apart = {"letters": 0, "figures": 0}
    glued = {"letters": 0, "figures": 0}
    for line in {*sentences, *descriptions}:
        together = set()
        for character, space, following in _MEETING.findall(line):
            if is_foreign(following):
                kind = "figures" if character.isdigit() else "letters"
                apart[kind] += bool(space)
                together.update([] if space else [kind])
        for kind in together:
            glued[kind] += 1
    return Typesetting(
        letters_apart=apart["letters"] >= _LETTERS_LEAST and glued["letters"] <= _GLUED_LINES_MOST,
        figures_apart=apart["figures"] >= _FIGURES_LEAST and not glued["figures"],
        capitals=len(descriptions) >= _DESCRIPTIONS_LEAST
        and all(is_capital(text[:1]) for text in descriptions),
    )


def is_foreign(char: str) -> bool:
    """Whether a character is a letter or mark of another script than Latin."""
    return unicodedata.category(char)[0] in "LM" and not _is_latin(char)


def is_east_asian(char: str) -> bool:
    """Whether a character is Chinese, Japanese or Korean."""
    return unicodedata.name(char, "").startswith(_EAST_ASIAN)


def is_capital(char: str) -> bool:
    """Whether a character is a capital Latin letter."""
    return char.isupper() and _is_latin(char)


def _is_latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith("LATIN ")
