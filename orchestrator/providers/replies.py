"""Reading replies that may hold anything: JSON, numbers, words and waits, none of them trusted."""

from __future__ import annotations

import json
import math
import time
import unicodedata
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from orchestrator.providers.base import Fault
from orchestrator.providers.urls import without_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.providers.base import Reply

#: Longest text of a provider that is kept, in characters.
LONGEST_TEXT = 500
#: Longest URL or token that is followed or sent back, in characters.
LONGEST_URL = 8192


def read_object(reply: Reply) -> dict[str, Any] | None:
    """The reply's JSON object; None where the body is anything else.

    A nesting too deep for the parser counts as unreadable: it is the reply's fault, not the run's.
    """
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def member(document: Mapping[str, Any] | None, *names: str) -> Any:  # noqa: ANN401 - JSON is anything
    """The first of these members that is there and not null."""
    for name in names:
        value = document.get(name) if document is not None else None
        if value is not None:
            return value
    return None


def mapping(value: object) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def word(value: object) -> str | None:
    """A non-empty string, cleaned; None for anything else."""
    return (clean(value) or None) if isinstance(value, str) else None


def identifier(value: object) -> str | None:
    """A task id: text or a whole number, printable, of sane length; None for anything else.

    Ids are compared and sent back, so nothing is cut from them.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
        return None
    return text if text.isprintable() and text.isascii() and " " not in text else None


def opaque(value: object) -> str | None:
    """A token or an address to be sent back as it came; None for anything else.

    Signed addresses and tokens are long: nothing is cut from them.
    """
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_URL:
        return None
    return value if value.isprintable() and " " not in value else None


def media_url(value: object) -> str | None:
    """An absolute http or https URL; None for anything else.

    Whether it may be fetched is the download's to decide: here it only has to be one.
    """
    url = opaque(value)
    return url if url is not None and url.startswith(("https://", "http://")) else None


def amount(value: object) -> float | None:
    """A finite amount of credits that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def clean(text: str) -> str:
    """A provider's text made safe to show and store: no control characters, one line, cut."""
    if text.isidentifier() and text.isascii() and len(text) <= LONGEST_TEXT:
        return text
    kept = "".join(
        " " if unicodedata.category(char)[0] in "CZ" else char for char in text[: LONGEST_TEXT * 2]
    )
    return without_query(" ".join(kept.split())[:LONGEST_TEXT])


def envelope_fault(reply: Reply, document: Mapping[str, Any] | None) -> Fault:
    """The error of a reply in either provider's envelope, with its trace.

    Rivya: `{"error": {"code", "message", "requestId"}}`. AceDataCloud: `{"error": {"code",
    "message"}, "trace_id"}`, where `error` may be a bare string or null.
    """
    error = member(document, "error")
    trace = word(member(mapping(error), "requestId", "request_id")) or word(
        member(document, "trace_id", "requestId", "request_id")
    )
    if isinstance(error, str):
        return Fault(f"http_{reply.status}", clean(error) or "no message", trace)
    code = word(member(mapping(error), "code")) or f"http_{reply.status}"
    message = word(member(mapping(error), "message", "detail"))
    if message is None and document is None:
        message = "the reply is no JSON object"
    return Fault(code, message or "no message", trace)


def retry_after(reply: Reply) -> float | None:
    """How long the reply asks to wait, in seconds; None where it does not say so sensibly.

    Accepts seconds and an HTTP date, measured against the reply's own `Date` where it has one.
    """
    text = reply.headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _until(text, reply.headers.get("date"))
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str, now: str | None) -> float | None:
    try:
        due = parsedate_to_datetime(date).timestamp()
        start = parsedate_to_datetime(now).timestamp() if now else time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, due - start)
