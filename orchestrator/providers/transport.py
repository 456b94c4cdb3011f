"""The one place that sends requests to a provider, and adds its credential to them.

A create goes out at most once: no redirects, no connection reuse, no repetition. What matters
after a failure is whether the request may have left this machine, and that is all a failure says:
`NotSent` (provably not) or `Lost` (perhaps).
"""

from __future__ import annotations

import asyncio
import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO

import aiohttp
from yarl import URL

from orchestrator.errors import CredentialsError
from orchestrator.providers.base import Reply
from orchestrator.providers.origins import credential_trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace, TracebackType

    from orchestrator.providers.base import Request, Upload
    from orchestrator.providers.origins import Origin

#: Longest reply body that is read, in bytes, also after decompression.
BODY_CAP = 4 * 1024 * 1024

#: A shorter key is no secret, and may be part of any word.
SHORTEST_SECRET = 8

#: Failures of aiohttp that come before the first byte of a request.
_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # DNS, refused, unreachable, TLS, certificates
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
#: First match wins.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the host name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "the server's certificate is not valid"),
    (aiohttp.ClientSSLError, "the TLS connection failed"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (aiohttp.ConnectionTimeoutError, "no connection was made in time"),
    (aiohttp.ServerFingerprintMismatch, "the server's certificate is not the expected one"),
    (TimeoutError, "no reply came in time"),
    (aiohttp.ServerDisconnectedError, "the server closed the connection without a reply"),
    (aiohttp.ClientPayloadError, "the reply was cut off"),
    (aiohttp.ClientResponseError, "the reply is not readable HTTP"),
    (aiohttp.InvalidURL, "the URL is not valid"),
    (aiohttp.NonHttpUrlClientError, "the URL is not http"),
    (OSError, "the connection was reset"),
)


class TransportError(Exception):
    """No whole reply came. `reason` is short; it holds no secret, and no path of a URL."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NotSent(TransportError):
    """Nothing of the request left this machine."""


class Lost(TransportError):
    """The request may have arrived, and its reply did not, or not whole."""


@dataclass(slots=True)
class _Progress:
    """How far one traced request has come."""

    on_sent: Callable[[], None] | None = None
    #: Moved on with every piece of an upload.
    deadline: asyncio.Timeout | None = None
    patience: float = 0.0
    sent: bool = False

    def headers(self) -> None:
        """Note that bytes are about to be handed to the socket."""
        self.sent = True
        if self.on_sent is not None:
            self.on_sent()

    def moved(self) -> None:
        """Note that a piece of the body is on its way."""
        if self.deadline is not None and not self.deadline.expired():
            now = asyncio.get_running_loop().time()
            self.deadline.reschedule(now + self.patience)


class Transport:
    """Sends one account's requests to its own origin, as an async context manager.

    `create_timeout` and `connect_timeout` are seconds; the first covers a whole create, the
    second its way to a connection. `reuse` keeps connections alive between creates, for accounts
    whose creates may be repeated with their key. Without a credential, what is public can be
    asked for, and nothing created. Raises CredentialsError for a key that no header can carry.
    """

    def __init__(
        self,
        origin: Origin,
        credential: str | None,
        *,
        create_timeout: float,
        connect_timeout: float = 30,
        reuse: bool = False,
    ) -> None:
        trouble = None if credential is None else credential_trouble(credential)
        if trouble is not None:
            raise CredentialsError(f"the key of {origin.site} {trouble}: copy it again")
        self._origin = origin
        self._credential = credential
        # How the key is recognized where a service repeats it; JSON may escape a slash.
        secret = credential or ""
        spellings = {secret, secret.replace("/", "\\/")}
        self._spellings = spellings if len(secret) >= SHORTEST_SECRET else set()
        self._reuse = reuse
        self._connect_timeout = connect_timeout
        self._create_timeout = aiohttp.ClientTimeout(total=create_timeout, connect=connect_timeout)
        self._upload_timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)

    async def __aenter__(self) -> Transport:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_headers)
        trace.on_request_chunk_sent.append(_note_chunk)
        kept = aiohttp.TCPConnector(limit=0)
        # A connection of its own for each create: on one kept alive, a reset cannot be told from
        # the server having closed it long before. With a key that does not matter.
        once = kept if self._reuse else aiohttp.TCPConnector(force_close=True, limit=0)
        self._once = _session(once, [trace])
        self._kept = _session(kept, [])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._once.close()
        await self._kept.close()

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send one create, once.

        `on_sent` is called just before the first byte is handed to the socket: from then on the
        request may have left. Raises NotSent or Lost; CredentialsError where there is none;
        ValueError for a method other than POST, because aiohttp repeats the idempotent ones by
        itself.
        """
        if self._credential is None:
            raise CredentialsError(f"a create needs the key of {self._origin.site}")
        if request.method != "POST":
            raise ValueError(f"a create is a POST, not {request.method}")
        progress = _Progress(on_sent)
        try:
            async with self._once.request(
                request.method,
                self._url(request.path),
                data=request.body,
                headers=self._headers(request),
                allow_redirects=False,
                timeout=self._create_timeout,
                trace_request_ctx=progress,
            ) as response:
                return self._without_key(await _reply(response))
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, sent=progress.sent, site=self._origin.site) from None

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        """Send a poll, an upload or a balance request, which may be repeated freely.

        `timeout` is in seconds: of the whole request, but for an upload the longest time without
        progress. Raises NotSent or Lost; OSError where the file to upload cannot be opened.
        """
        if request.upload is not None:
            return await self._upload(request, request.upload, timeout)
        try:
            async with self._kept.request(
                request.method,
                self._url(request.path),
                data=request.body,
                headers=self._headers(request),
                allow_redirects=False,
                timeout=_timeout(timeout, self._connect_timeout),
            ) as response:
                return self._without_key(await _reply(response))
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, sent=False, site=self._origin.site) from None

    async def _upload(self, request: Request, upload: Upload, timeout: float) -> Reply:
        file = await asyncio.to_thread(_opened, upload.path)
        try:
            async with asyncio.timeout(timeout) as deadline:
                progress = _Progress(deadline=deadline, patience=timeout)
                async with self._once.request(
                    request.method,
                    self._url(request.path),
                    data=_form(upload, file),
                    headers=self._headers(request),
                    allow_redirects=False,
                    timeout=self._upload_timeout,
                    trace_request_ctx=progress,
                ) as response:
                    return self._without_key(await _reply(response))
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, sent=progress.sent, site=self._origin.site) from None
        finally:
            file.close()

    def _without_key(self, reply: Reply) -> Reply:
        """The reply without this account's key, which some services repeat in their errors."""
        body, headers = reply.body, reply.headers
        for spelling in self._spellings:
            body = body.replace(spelling.encode(), b"[key]")
            if any(spelling in value for value in headers.values()):
                headers = {name: text.replace(spelling, "[key]") for name, text in headers.items()}
        return Reply(reply.status, headers, body)

    def _url(self, path: str) -> URL:
        """The URL of a path, verbatim: nothing in it is decoded, encoded or normalised again."""
        return URL(self._origin.url(path), encoded=True)

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {**request.headers, "Accept-Encoding": "identity"}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential}"
        return headers


def translate(error: BaseException, *, sent: bool, site: str) -> TransportError:
    """What a failure of aiohttp or of a socket means: NotSent or Lost.

    `sent` says that bytes were handed to the socket, whatever the failure claims. `site` is the
    scheme, host and port that the request was for.
    """
    reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "the request broke")
    if not isinstance(error, _BEFORE_SENDING) or sent:
        return Lost(reason)
    return NotSent(f"cannot connect to {site}: {_system_words(error) or reason}")


def _system_words(error: BaseException) -> str | None:
    """What the system said of a connection that was not made, such as `connection refused`."""
    # Of a name or of TLS, the number is that of another library.
    if isinstance(error, aiohttp.ClientConnectorDNSError | aiohttp.ClientSSLError):
        return None
    if not isinstance(error, aiohttp.ClientConnectorError) or error.errno is None:
        return None
    words = os.strerror(error.errno)
    return words[:1].lower() + words[1:]


def _session(
    connector: aiohttp.TCPConnector, traces: list[aiohttp.TraceConfig]
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        trace_configs=traces,
    )


@lru_cache(maxsize=16)
def _timeout(total: float, connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=connect)


async def _note_headers(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.headers()


async def _note_chunk(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    context.trace_request_ctx.moved()


async def _reply(response: aiohttp.ClientResponse) -> Reply:
    """A whole reply. Raises Lost for a body that is too large or cannot be decoded."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > BODY_CAP:
            raise Lost(f"the reply is larger than {BODY_CAP} bytes")
        chunks.append(chunk)
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = _decoded(b"".join(chunks), headers.get("content-encoding", "identity"))
    return Reply(response.status, headers, body)


def _decoded(body: bytes, encoding: str) -> bytes:
    """The body without a compression that nobody asked for. Raises Lost where that fails.

    A create's reply may hold the only copy of a task id, so it is read all the same.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise Lost("the reply is compressed in an unknown way")
    # 32 more than the window's bits: gzip and zlib are told apart by their first bytes.
    inflater = zlib.decompressobj(zlib.MAX_WBITS + 32)
    try:
        plain = inflater.decompress(body, BODY_CAP + 1)
    except zlib.error:
        raise Lost("the reply's compression is broken") from None
    if len(plain) > BODY_CAP:
        raise Lost(f"the reply is larger than {BODY_CAP} bytes")
    if not inflater.eof:
        raise Lost("the reply was cut off")
    return plain


def _opened(path: str | Path) -> BinaryIO:
    return open(path, "rb")  # noqa: PTH123 - closed by the upload


def _form(upload: Upload, file: BinaryIO) -> aiohttp.FormData:
    """The multipart body: plain fields first, then the file, read from disk as it goes out."""
    form = aiohttp.FormData()
    for name, value in upload.fields.items():
        form.add_field(name, value)
    form.add_field("file", file, filename=upload.name, content_type=upload.mime_type)
    return form
