"""Whether a URL can be a provider's to fetch: https, public, nothing secret in it."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

_NOT_IN_URLS = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")
#: What C libraries read as an IPv4 address: decimal, octal, hexadecimal, one to four parts.
_ADDRESS_LIKE = re.compile(
    r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?"
)
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")

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
    if not _is_public(host.rstrip(".")):
        return f"the host `{host}` is not public", "use a URL that the provider can reach"
    return None


def _is_public(host: str) -> bool:
    if ":" in host:
        return _is_public_address(host)
    if _ADDRESS_LIKE.fullmatch(host):
        try:
            return _is_public_address(socket.inet_ntoa(socket.inet_aton(host)))
        except OSError:
            return False
    return "." in host and not f".{host.lower()}".endswith(_LOCAL_NAMES)


def _is_public_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_global and not address.is_multicast
