"""URLs in texts that others wrote: signatures are in their queries, and are kept nowhere."""

from __future__ import annotations

import re

#: A URL in a text up to its query or fragment. In JSON, slashes and the question mark may be
#: escaped; a backslash that escapes anything else ends the URL, so that JSON stays JSON.
_URL = re.compile(
    r"""(https?:(?:\\?/|\\u002f){2}
        (?:\\/|\\u(?!003f|0023)[0-9a-f]{4}|[^\s"<>\\?\#])*+)
        (?:(?:\?|\#|\\u003f|\\u0023)(?:\\/|\\u[0-9a-f]{4}|[^\s"<>\\])*+)?""",
    re.IGNORECASE | re.VERBOSE,
)


def without_query(text: str) -> str:
    """The text with every URL in it cut before its query."""
    return _URL.sub(r"\1", text) if "://" in text or "\\/" in text or "\\u002" in text else text


def bare(url: str) -> str:
    """One URL without its query and fragment."""
    return url.partition("?")[0].partition("#")[0]
