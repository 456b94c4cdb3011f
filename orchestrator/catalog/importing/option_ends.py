"""Where the options end and the description begins, in a layout that puts nothing between them.

`standard, highQuality level` could be the options `standard` and `high`, or `highQuality`. The end
is told only where something on the page proves it:

- the default, which must be an option, and stands at the beginning of one piece alone: it is the
  last option, and the description follows;
- `false, true` and `true, false`, of which nobody makes anything longer;
- figures of one kind (`16:9, 9:16`, `480p, 720p`) before a word that could not belong to them;
- small Latin letters that run into another script, on a page that puts a space between the two
  wherever they meet within a sentence. Chinese, Japanese and Korean pages do so at will, and often
  begin a description with a Latin word: there, this proves nothing.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.typesetting import (
    is_capital,
    is_east_asian,
    is_foreign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.catalog.importing.typesetting import Typesetting

#: A place in the pieces between commas: the index of the piece, and characters into it.
End = tuple[int, int]

SEPARATOR = ", "
#: An option as the provider's pages have them: one word.
_WORD = re.compile(r"[A-Za-z0-9_.:+/-]+")
#: What a sentence may begin with but a letter.
_OPENING = frozenset('([¿¡"\u00ab\u201c\u201e\u300c\u300e\u3010\uff08')
#: A last option of small letters and figures alone.
_SMALL_WORD = re.compile(r"(?:[a-z0-9_.:-]*[a-z0-9])(?![A-Za-z0-9_.:+/-])")
#: Kinds of figures that options are.
_FIGURES = tuple(
    re.compile(kind) for kind in ("[0-9]+", "[0-9]+:[0-9]+", "[0-9]+x[0-9]+", "[0-9]+[pPkKs]")
)
_TWO_FIGURES = re.compile("[0-9]{2}$")


def split_options(
    text: str, default: str | None, page: Typesetting
) -> tuple[tuple[str, ...], str] | None:
    """The options and the description that `text` runs together; None where that is not certain.

    `default` is a value that must be among the options, None where there is none.
    """
    pieces = text.split(SEPARATOR)
    words = list(takewhile(_WORD.fullmatch, pieces))
    # The first piece that is more than a word holds the end, if none before it does.
    open_pieces = pieces[: len(words) + 1]
    ends = {
        *(_after_default(open_pieces, default) if default else ()),
        *_after_truths(open_pieces),
        *_after_figures(open_pieces, page),
        *_before_other_script(open_pieces, page),
    }
    if len(ends) != 1:
        return None
    ((index, end),) = ends
    options = (*pieces[:index], pieces[index][:end])
    if len(set(options)) < len(options) or default not in (None, *options):
        return None
    return options, SEPARATOR.join([pieces[index][end:], *pieces[index + 1 :]])


def may_be_option(text: str, default: str) -> bool:
    """Whether a default can be among the options that `text` begins with."""
    return any(piece.startswith(default) for piece in text.split(SEPARATOR))


def _after_default(pieces: Sequence[str], default: str) -> Iterator[End]:
    begun = [n for n, piece in enumerate(pieces) if piece.startswith(default)]
    if len(begun) == 1 and _may_end(pieces[begun[0]], len(default)):
        yield begun[0], len(default)


def _after_truths(pieces: Sequence[str]) -> Iterator[End]:
    for one, other in (("false", "true"), ("true", "false")):
        begun = pieces[0] == one and len(pieces) > 1 and pieces[1].startswith(other)
        if begun and _may_end(pieces[1], len(other)):
            yield 1, len(other)


def _after_figures(pieces: Sequence[str], page: Typesetting) -> Iterator[End]:
    *before, last = pieces
    for kind in _FIGURES:
        match = kind.match(last)
        if match and match.end() < len(last) and before and all(map(kind.fullmatch, before)):
            rest = last[match.end() :]
            # `155秒` could be 15 and `5秒`, or 155. A last figure alone cannot be divided.
            other_script = is_foreign(rest[0]) and not _TWO_FIGURES.search(match[0])
            if other_script or (page.capitals and _is_word_with_capital(rest)):
                yield len(before), match.end()


def _before_other_script(pieces: Sequence[str], page: Typesetting) -> Iterator[End]:
    *before, last = pieces
    match = _SMALL_WORD.match(last)
    if match is None or match.end() == len(last):
        return
    word, following = match[0], last[match.end()]
    # Figures that no other option has, as in `off3D-…`, may belong to the sentence.
    figures_fit = word.isalpha() or _shape(word) in {_shape(piece) for piece in before}
    apart = page.letters_apart and (page.figures_apart or not word[-1].isdigit())
    if apart and figures_fit and is_foreign(following) and not is_east_asian(following):
        yield len(before), match.end()


def _shape(word: str) -> str:
    """A word with any figures alike."""
    return re.sub("[0-9]+", "0", word)


def _may_end(piece: str, end: int) -> bool:
    """Whether a description may begin there: with a capital, another script, or a bracket."""
    following = piece[end : end + 1]
    return bool(following) and (
        is_capital(following) or is_foreign(following) or following in _OPENING
    )


def _is_word_with_capital(text: str) -> bool:
    """Whether a text begins with a capital and small letters, and with no further capital."""
    word = "".join(takewhile(str.isalpha, text))
    return is_capital(word[:1]) and word[1:].islower() and not any(map(is_foreign, word))
