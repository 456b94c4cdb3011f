"""A saved page as lines: what copying and extracting do to white space is undone here."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from orchestrator.errors import UsageError

#: Pages are a few thousand bytes long; what is larger than this is something else.
LARGEST_PAGE = 1_000_000

#: Characters that show nothing: soft hyphen, zero-width and directional marks, byte-order mark.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF]
)


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a page, with single plain spaces and without invisible characters."""

    lines: tuple[str, ...]
    #: 1-based numbers of the lines on which something stands.
    filled: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        filled = tuple(number for number, line in enumerate(self.lines, 1) if line)
        object.__setattr__(self, "filled", filled)

    @property
    def last(self) -> int:
        """The number of the last line on which something stands; a cut may have shortened it."""
        return self.filled[-1] if self.filled else 1

    def line(self, number: int) -> str:
        """The text of a line, by its 1-based number."""
        return self.lines[number - 1]

    def after(self, number: int) -> int | None:
        """The number of the next line on which something stands."""
        return next((found for found in self.filled if found > number), None)

    def before(self, number: int) -> int | None:
        """The number of the line before on which something stands."""
        return next((found for found in reversed(self.filled) if found < number), None)


def open_page(data: bytes) -> Page:
    """The page that a file's bytes hold. A last character that was cut in its middle is left out.

    Raises UsageError for what is no UTF-8 text, and for what is too large to be a page.
    """
    if len(data) > LARGEST_PAGE:
        raise UsageError(
            f"the page is larger than {LARGEST_PAGE:,} bytes. Save the text of one model's page."
        )
    # A cut page may have been saved with a line break behind the half character.
    text = _decoded(data.rstrip()).replace("\r\n", "\n").replace("\r", "\n")
    return Page(tuple(_tidied(line) for line in text.split("\n")))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return data[: error.start].decode("utf-8")
        raise UsageError(
            f"the page is no UTF-8 text (byte {error.start:,}). Save it as text, in UTF-8."
        ) from None


def _tidied(line: str) -> str:
    """Every kind of space becomes a plain one, runs of spaces become one, none stands outside."""
    visible = unicodedata.normalize("NFC", line.translate(_INVISIBLE))
    return " ".join("".join(" " if _is_control(char) else char for char in visible).split())


def _is_control(char: str) -> bool:
    """Whether a character breaks lines, does something, or is none at all."""
    return unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs", "Zl", "Zp")
