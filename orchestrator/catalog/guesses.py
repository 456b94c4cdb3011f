"""What was meant by lines in which a YAML parser stopped too late to say it itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A value in brackets or quotes, and the end of the text.
_CLOSED_VALUE = re.compile(
    r"""(\{\{[^{}]*\}\}|\{[^{}]*\}|\[[^\[\]]*\]|"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]*$"""
)
#: What stands before a line's key: spaces, and dashes of list items.
_BEFORE_KEY = re.compile(r"[ \t]*(?:-[ \t]+)*")
_DASH_WITHOUT_SPACE = re.compile(r"[ \t]*(?:-[ \t]+)*-(?=[\w\"'])")
_COLON = re.compile(r":(?:\s|$)")
#: Lines above that are searched for a quote.
_MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a text; line and column count from 0."""

    lines: list[str]
    line: int
    column: int

    @property
    def text(self) -> str:
        """The whole line; empty behind the last one."""
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def before(self) -> str:
        """The line up to here."""
        return self.text[: self.column]

    @property
    def character(self) -> str:
        """What stands here; a space where the line has ended."""
        return self.text[self.column : self.column + 1] or " "

    def at(self, column: int, line: int | None = None) -> Spot:
        """Another place of the same text."""
        return Spot(self.lines, self.line if line is None else line, column)


@dataclass(frozen=True, slots=True)
class Told:
    """What is wrong, where, and what to do."""

    spot: Spot
    message: str
    hint: str


def told_by_what_precedes(stopped: Spot) -> Told | None:
    """What stands before this place explains why nothing can follow; None where it does not.

    A text that begins with a bracket or a quote and goes on behind its end, a quote that an earlier
    line leaves open, a dash without a space.
    """
    found = _CLOSED_VALUE.search(stopped.before)
    if found is None:
        return _quote_above(stopped) or _dash_without_space(stopped)
    opening = "{{" if found[1].startswith("{{") else found[1][0]
    if opening[0] in "[{":
        message = f"a text that begins with {opening} needs quotes"
        return Told(stopped.at(found.start()), message, 'write "…" around the whole text')
    if opening == "'":
        hint = "write a ' inside the text twice, or put it in double quotes"
    else:
        hint = "put single quotes around the whole text, or remove these"
    return Told(stopped, "text stands behind the closing quote", hint)


def _quote_above(stopped: Spot) -> Told | None:
    """A quote that some line above opens, and that this line closes by opening its own."""
    quote = stopped.before[-1:]
    if quote not in {'"', "'"}:
        return None
    for line in range(stopped.line - 1, max(-1, stopped.line - _MOST_LINES), -1):
        text = stopped.lines[line]
        if text.count(quote) % 2:
            message, hint = "the quote that opens here is never closed", "close it on its line"
            return Told(stopped.at(text.rindex(quote), line), message, hint)
    return None


def second_colon(stopped: Spot) -> Told:
    """A colon where no key can be: what stands before it, or above, tells why."""
    if not _COLON.search(stopped.before):
        line = stopped.line - 1
        while line >= 0 and not stopped.lines[line].split("#")[0].strip():
            line -= 1
        told = _wrong_line_above(stopped, stopped.at(0, line)) if line >= 0 else None
        if told is not None:
            return told
    message = "a second colon stands in this value"
    return Told(stopped, message, "put a text that holds a colon and a space in quotes")


def _wrong_line_above(stopped: Spot, above: Spot) -> Told | None:
    dash = _dash_without_space(above) or _dash_without_space(stopped)
    if dash is not None:
        return dash
    own, other = _key_column(stopped.text), _key_column(above.text)
    if own == other and not _COLON.search(above.text):
        message = "a key needs a colon and a space behind it"
        return Told(above.at(other), message, "write `key: value`")
    if own > other:
        message = "this line is indented further than the key above it"
        return Told(stopped.at(own), message, "indent the keys of one mapping alike")
    return None


def _dash_without_space(spot: Spot) -> Told | None:
    dash = _DASH_WITHOUT_SPACE.match(spot.text)
    if dash is None:
        return None
    return Told(spot.at(dash.end() - 1), "a dash needs a space behind it", "write `- key: value`")


def _key_column(text: str) -> int:
    match = _BEFORE_KEY.match(text)
    assert match is not None, "the pattern matches any text"
    return match.end()
