"""What a credential may be and where it may go, and which addresses a result may come from.

An account's base URL is an `Origin`. Result URLs are somebody else's text: `check_public_url`
judges what is written in them, `guarded_socket` judges the address that is really connected to,
which is the only place that sees through names, redirects and resolvers that change their mind.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import UsageError
from orchestrator.hosts import HOST, is_loopback, is_public, looked_up, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

#: Family, type, protocol, canonical name and socket address, as `socket.getaddrinfo` gives them.
AddrInfo = tuple[Any, Any, int, str, tuple[Any, ...]]

_DEFAULT_PORTS = {"https": 443, "http": 80}
#: A URL up to its path, query or fragment, as `urlsplit` cuts it.
_AUTHORITY = re.compile(r"[^:/?#]+://[^/?#]*")
_PRINTABLE = re.compile(r"[!-~]+")
#: White space, control characters and backslashes, which parsers of URLs disagree about.
_UNSAFE = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")


class AddressRefused(PermissionError):
    """A connection would go to an address that is not public. Nothing was connected."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme, host and port that an account's credential belongs to, and its path prefix."""

    scheme: str
    #: Lower case; IPv6 without brackets.
    host: str
    port: int
    #: Path below which the API lies, without a slash at its end.
    prefix: str = ""

    @classmethod
    def from_url(cls, text: str) -> Origin:
        """Read a base URL. Raises UsageError for anything but https, or http on loopback."""
        parts, host, port = _base_parts(text)
        origin = cls(parts.scheme, host, port, parts.path.rstrip("/"))
        if parts.scheme == "http" and not origin.loopback:
            raise UsageError(
                f"the base URL of {host} is http, which shows the key to everyone on the way: "
                "use https (http is for loopback only)"
            )
        return origin

    @property
    def loopback(self) -> bool:
        """Whether this is the machine itself."""
        return is_loopback(self.host)

    @property
    def text(self) -> str:
        """How the ledger names the origin: a loopback host and port do not count."""
        return "http://127.0.0.1" if self.loopback else self.site

    @property
    def site(self) -> str:
        """Scheme, host and, where it is another than the scheme's, port, such as `http://127.0.0.1:8700`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def url(self, path: str) -> str:
        """The whole URL of a path below the base URL.

        Raises ValueError for a path that could end elsewhere: it begins with a slash and holds
        printable ASCII only.
        """
        if not path.startswith("/") or not _PRINTABLE.fullmatch(path):
            raise ValueError(f"not a path below a base URL: {path!r}")
        return f"{self.site}{self.prefix}{path}"


def _base_parts(text: str) -> tuple[SplitResult, str, int]:
    """A base URL in parts, with its host and port. Never repeats the text: it may hold a key."""
    shape = "write it like https://api.example.com"
    if not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise UsageError(f"the base URL is empty or holds a forbidden character: {shape}")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise UsageError(f"the base URL cannot be read: {shape}") from error
    if parts.scheme not in _DEFAULT_PORTS or not HOST.fullmatch(host) or port == 0:
        raise UsageError(f"the base URL is no https URL with a host: {shape}")
    if "@" in parts.netloc:
        raise UsageError(f"the base URL holds a user name or password: {shape}, and set the key")
    if "?" in text or "#" in text:
        raise UsageError(f"the base URL holds a query or a fragment: {shape}")
    return parts, host, port or _DEFAULT_PORTS[parts.scheme]


def credential_trouble(text: str) -> str | None:
    """Why a text is no credential that a header can carry; None where it is one.

    Never repeats the text.
    """
    if not text:
        return "is empty"
    if _PRINTABLE.fullmatch(text):
        return None
    if len(text.splitlines()) > 1:
        return "holds a line break"
    if any(char.isspace() for char in text):
        return "holds a space"
    if not text.isascii():
        return "holds a character that is not ASCII"
    return "holds a control character"


def check_public_url(url: str, *, loopback_allowed: bool) -> str | None:
    """Why a result URL may not be fetched, as its text shows; None where it may be.

    `loopback_allowed` (the provider itself is on loopback) lets loopback in, by http as well;
    private addresses stay refused.
    """
    if _UNSAFE.search(url):
        return "the URL holds a space, a control character or a backslash"
    end = _AUTHORITY.match(url)
    return _site_refusal(end[0] if end else url, loopback_allowed=loopback_allowed)


@lru_cache(maxsize=256)
def _site_refusal(url: str, *, loopback_allowed: bool) -> str | None:
    """Why nothing may be fetched from a URL's host, by its beginning up to the path."""
    try:
        parts = urlsplit(url)
        host = looked_up(parts.hostname or "")
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return "the URL cannot be read"
    if not HOST.fullmatch(host):
        return "the URL has no host, or one that is no name"
    if "@" in parts.netloc:
        return "the URL holds a user name or password"
    loopback = loopback_allowed and is_loopback(host)
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        return "the URL is not https"
    return None if loopback else refusal(host)


def guarded_socket(*, loopback_allowed: bool) -> Callable[[AddrInfo], socket.socket]:
    """A socket factory that refuses to make a socket for an address that is not public.

    The factory raises AddressRefused, before anything is connected.
    """

    def open_socket(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, where = info
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        if not is_public(address) and not (loopback_allowed and address.is_loopback):
            raise AddressRefused(errno.EACCES, f"{address} is not a public address")
        return socket.socket(family=family, type=kind, proto=protocol)

    return open_socket
