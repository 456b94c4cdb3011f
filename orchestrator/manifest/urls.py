"""Whether a URL can be a provider's to fetch: https, public, nothing secret in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from orchestrator import hosts

_NOT_IN_URLS = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")

#: What is wrong, and what to do.
Complaint = tuple[str, str]


def is_url(text: str) -> bool:
    """Whether a reference's text is meant as a URL rather than a path."""
    return "://" in text or text.startswith("data:")


def complaint_about(url: str) -> Complaint | None:
    """Why a provider could not or should not fetch this URL; None where all is well."""
    if url.startswith("data:"):
        return "a data URL cannot be sent", "save it as a file, and write the path"
    if _NOT_IN_URLS.search(url):
        return "the URL holds a character that URLs cannot hold", "write it as %XX"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        return f"this is no URL: {error}", "write https://host/path"
    if parts.scheme == "file":
        return "a file URL means nothing to a provider", "write the path"
    if parts.scheme != "https":
        return f"the URL must be https, not {parts.scheme}", "use an https URL"
    if parts.username is not None or parts.password is not None:
        return "the URL holds a user name or password", "use a URL that works without"
    why = _refusal(host)
    return None if why is None else (why, "use a URL that the provider can reach")


def _refusal(host: str) -> str | None:
    """Why a host is not public; None where it is, or where its letters leave that to others."""
    try:
        name = hosts.looked_up(host)
    except ValueError:
        # Newer rules for names allow what Python's codec does not.
        return None
    if not hosts.HOST.fullmatch(name):
        return f"the host `{host}` is no name that can be looked up"
    return None if hosts.refusal(name) is None else f"the host `{host}` is not public"
