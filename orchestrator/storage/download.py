"""Fetching results over HTTP: no credential, no cookies, no proxy, and never a private address.

The URL is somebody else's text. It is judged before each hop, and the address of every connection
is judged by the socket factory. Both judges come from outside, because what is allowed depends on
where the provider itself lives.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from orchestrator.storage.outcomes import Expired, Invalid, Transient

if TYPE_CHECKING:
    import socket
    from types import TracebackType

#: Why a URL may not be fetched, None where it may be.
UrlCheck = Callable[[str], "str | None"]
#: Makes the socket of a connection; raises PermissionError for an address that is refused.
SocketFactory = Callable[[tuple[Any, Any, int, str, tuple[Any, ...]]], "socket.socket"]

REDIRECTS = 5
#: Seconds without the least progress before a download is given up.
IDLE_TIMEOUT = 60.0
#: Bytes that count as progress.
LEAST_PROGRESS = 1024
#: Longest `Retry-After` that is obeyed, in seconds.
RETRY_AFTER_CAP = 300.0

_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
#: Statuses that say nothing about the URL: try again later.
_LATER = frozenset({408, 425, 429})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


class RangeRefused(Exception):
    """The host does not continue the object where it was left: start again from its beginning."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Where to go on with an object of which a beginning is on disk."""

    offset: int
    #: Strong ETag of the object that the beginning belongs to.
    etag: str
    #: The object's whole length, if known.
    total: int | None


class Incoming:
    """One reply whose body is on its way, as a context manager that lets go of it."""

    __slots__ = (
        "_content", "_idle", "_patience", "_progress", "_response",
        "encoding", "etag", "framed", "start", "total",
    )  # fmt: skip

    def __init__(
        self, response: aiohttp.ClientResponse, start: int, total: int | None, idle: float
    ) -> None:
        self._response = response
        self._content = response.content
        self._idle = idle
        #: Seconds left for the next progress, and bytes that came towards it.
        self._patience = idle
        self._progress = 0
        #: Where in the object the body begins.
        self.start = start
        #: Length of the whole object; None where the host does not say.
        self.total = total
        self.etag = _strong_etag(response)
        #: Whether a body that was cut off can be told from a whole one.
        self.framed = total is not None or "Transfer-Encoding" in response.headers
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        #: A compression that was not asked for, else None.
        self.encoding = encoding if encoding not in ("", "identity") else None

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._response.release()

    async def chunk(self) -> bytes:
        """The next bytes of the body, none at its end.

        Raises Transient where it is cut off, or too slow to go on.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            # What has come already needs no watch over how long it takes.
            chunk = self._content.read_nowait()
            if not chunk and not self._content.at_eof():
                async with asyncio.timeout(self._patience):
                    chunk = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(_reason(error)) from None
        self._progress += len(chunk)
        if self._progress >= LEAST_PROGRESS:
            self._patience, self._progress = self._idle, 0
        else:
            self._patience -= clock() - began
        return chunk


class Downloads:
    """The client that fetches results, as an async context manager.

    `idle_timeout` is the longest time in seconds without progress; there is no total one, because
    a large file on a slow line is no failure.
    """

    def __init__(
        self,
        *,
        check_url: UrlCheck,
        open_socket: SocketFactory,
        connect_timeout: float = 30.0,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self._check_url = check_url
        self._open_socket = open_socket
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self._idle = idle_timeout

    async def __aenter__(self) -> Downloads:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._open_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=self._timeout,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, url: str, *, resume: Resume | None = None) -> Incoming:
        """Ask for an object, or for the rest of it; the caller lets go of what comes.

        Raises Expired, Transient, Invalid (a URL or an address that is refused) or RangeRefused.
        A host that ignores `resume` sends everything: `Incoming.start` is 0 then.
        """
        headers = {"Accept-Encoding": "identity"}
        if resume is not None:
            headers["Range"] = f"bytes={resume.offset}-"
            headers["If-Range"] = resume.etag
        response = await self._follow(url, headers)
        try:
            return _incoming(response, resume, self._idle)
        except BaseException:
            response.release()
            raise

    async def _follow(self, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """The reply at the end of the redirects, each of which is judged before it is followed."""
        for _ in range(REDIRECTS + 1):
            refusal = self._check_url(url)
            if refusal is not None:
                raise Invalid(refusal)
            response = await self._send(url, headers)
            if response.status not in _REDIRECT_STATUSES:
                return response
            response.close()
            url = _next_url(url, response.headers.get("Location", ""))
        raise Transient(f"the host redirected more than {REDIRECTS} times")

    async def _send(self, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self._idle):
                # A signed URL is only valid as it is written.
                return await self._session.get(
                    URL(url, encoded=url.isascii()), headers=headers, allow_redirects=False
                )
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PermissionError):
                raise Invalid(error.os_error.strerror or "the address is refused") from None
            raise Transient(_reason(error)) from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise Invalid("the URL is not valid") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(_reason(error)) from None


def _incoming(response: aiohttp.ClientResponse, resume: Resume | None, idle: float) -> Incoming:
    """Judge a reply's status and lengths."""
    status = response.status
    if status == 200:
        return Incoming(response, 0, response.content_length, idle)
    if resume is not None and status == 206:
        return Incoming(response, resume.offset, _ranged_total(response, resume), idle)
    if resume is not None and status == 416:
        raise RangeRefused
    if status in _LATER or status >= 500 or status < 400:
        after = _retry_after(response.headers.get("Retry-After"))
        raise Transient(f"the result's host answered {status}", after)
    raise Expired(status)


def _ranged_total(response: aiohttp.ClientResponse, resume: Resume) -> int:
    """The object's length by a 206. Raises RangeRefused unless it is the rest of our object."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        raise RangeRefused
    first, last, total = (int(number) for number in match.groups())
    same = (
        first == resume.offset
        and last == total - 1
        and resume.total in (None, total)
        and response.content_length in (None, total - first)
        and _strong_etag(response) in (None, resume.etag)
    )
    if not same:
        raise RangeRefused
    return total


def _strong_etag(response: aiohttp.ClientResponse) -> str | None:
    """The ETag that stands for the very bytes; None for a weak one, or none."""
    etag = response.headers.get("ETag", "").strip()
    quoted = len(etag) > 2 and etag.startswith('"') and etag.endswith('"')
    return etag if quoted and etag.isascii() and etag.isprintable() else None


def _next_url(url: str, location: str) -> str:
    """Where a redirect leads. Raises Invalid for a step from https to http, or to nowhere."""
    try:
        following = URL(url, encoded=url.isascii()).join(URL(location, encoded=location.isascii()))
    except ValueError:
        following = URL()
    if not location or not following.absolute:
        raise Invalid("the result's host redirected to no valid URL")
    if url.startswith("https:") and following.scheme != "https":
        raise Invalid("the result's host redirected from https to http")
    return str(following)


def _retry_after(text: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` (seconds or a date), None where it says nothing usable."""
    if text is None:
        return None
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit():
        return min(float(stripped[:12]), RETRY_AFTER_CAP)
    try:
        moment = email.utils.parsedate_to_datetime(stripped).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, moment - time.time()), RETRY_AFTER_CAP)


def _reason(error: BaseException) -> str:
    """What went wrong on the way, without the URL."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "no connection to the result's host"
    if isinstance(error, TimeoutError):
        return "the result's host sent nothing for too long"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the download was cut off"
    return "the connection to the result's host broke"
