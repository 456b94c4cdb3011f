"""URLs without what only signs them, and so changes while the object stays the same."""

from __future__ import annotations

from urllib.parse import unquote

#: Query parameters that sign a URL: lower case.
_SIGNATURE_NAMES = frozenset({"signature", "expires", "sig"})
_SIGNATURE_PREFIXES = ("x-amz-", "x-goog-")


def unsigned(url: str) -> str:
    """The URL's text without the query parameters that only sign it."""
    address, mark, query = url.partition("?")
    if not mark:
        return url
    query, fragment_mark, fragment = query.partition("#")
    kept = [part for part in query.split("&") if not _is_signature(part)]
    return address + ("?" if kept else "") + "&".join(kept) + fragment_mark + fragment


def _is_signature(part: str) -> bool:
    name = unquote(part.partition("=")[0]).lower()
    return name in _SIGNATURE_NAMES or name.startswith(_SIGNATURE_PREFIXES)
