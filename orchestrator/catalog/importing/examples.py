"""The example requests and replies of a page: a second witness for what its tables say.

An example's values are placeholders and no defaults. What counts is which parameters it names,
of which type they are, and that they are values which the model takes.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.catalog.importing.page import Page

#: Quotation marks that a typesetter made of straight ones.
_QUOTES = {ord(mark): '"' for mark in "\u201c\u201d\u201e"}
#: The body field in which references travel.
REFERENCES_FIELD = "referenceMediaItems"
#: Where the parameters of an example begin, and the name of one of them.
_PARAMS = re.compile(r'"params"\s*:\s*\{')
_NAME = re.compile(r'\s*,?\s*"([^"\\]+)"\s*:\s*')


@dataclass(frozen=True, slots=True)
class Request:
    """An example of a create's body."""

    line: int
    model: str
    #: Without references.
    params: Mapping[str, Any]
    #: Whether it carries references.
    references: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """An example of a create's reply."""

    line: int
    model: str | None
    reserved_credits: float | None


@dataclass(frozen=True, slots=True)
class Examples:
    """All whole examples of a page."""

    requests: tuple[Request, ...]
    replies: tuple[Reply, ...]
    #: Numbers of the lines that JSON stands on.
    lines: frozenset[int]
    #: Parameters that are named anywhere, with their lines: also where an example is not whole.
    named: Mapping[str, int]

    def values(self, key: str) -> list[tuple[int, Any]]:
        """Each value that a request gives a parameter, after the request's line."""
        return [
            (request.line, request.params[key])
            for request in self.requests
            if key in request.params
        ]


def find_examples(page: Page) -> Examples:
    """The examples of a page. One that was cut off is no witness, but for what it names."""
    requests, replies, lines = [], [], set[int]()
    text = "\n".join(page.lines).translate(_QUOTES)
    starts = list(accumulate((len(line) + 1 for line in page.lines), initial=0))
    for first, last, value in _objects(text, starts):
        lines.update(range(first, last + 1))
        if "reserved_credits" in value:
            replies.append(_reply(first, value))
        elif isinstance(value.get("model"), str) and value.keys() & {"prompt", "params"}:
            requests.append(_request(first, value))
    named = {name: line for line, name in _names(text, starts)}
    return Examples(tuple(requests), tuple(replies), frozenset(lines), named)


def _request(line: int, body: Mapping[str, Any]) -> Request:
    params = body.get("params")
    stated = dict(params) if isinstance(params, dict) else {}
    references = stated.pop(REFERENCES_FIELD, None)
    return Request(line, body["model"], stated, references is not None)


def _reply(line: int, body: Mapping[str, Any]) -> Reply:
    model, reserved = body.get("model"), body["reserved_credits"]
    is_number = isinstance(reserved, int | float) and not isinstance(reserved, bool)
    return Reply(
        line,
        model if isinstance(model, str) else None,
        reserved if is_number else None,
    )


def _objects(text: str, starts: list[int]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Each JSON object with its first and last line; those inside another one are its part.

    `starts` has the place in the text where each line begins.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_without_repetition)
    place = text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield bisect_right(starts, place), bisect_right(starts, end - 1), value
        place = text.find("{", end)


def _names(text: str, starts: list[int]) -> Iterator[tuple[int, str]]:
    """Each parameter that an example names, with its line, as far as the example can be read."""
    decoder = json.JSONDecoder()
    for params in _PARAMS.finditer(text):
        place = params.end()
        while (name := _NAME.match(text, place)) is not None:
            if name[1] != REFERENCES_FIELD:
                yield bisect_right(starts, name.start(1)), name[1]
            try:
                _, place = decoder.raw_decode(text, name.end())
            except (ValueError, RecursionError):
                break


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found
