from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import ssl
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import client_exceptions

from orchestrator.errors import CredentialsError
from orchestrator.providers.base import Request, Upload
from orchestrator.providers.origins import Origin
from orchestrator.providers.transport import BODY_CAP, Lost, NotSent, Transport, translate
from tests.providers.wire import closed_port, http, reset, wire

KEY = "sk-canary-4711"
CREATE = Request("POST", "/v1/create", b'{"a":1}', {"Content-Type": "application/json"})
POLL = Request("GET", "/v1/tasks/a%2Fb%20c?x=%2e%2E")


def transport(port, *, scheme="http", host="127.0.0.1", create_timeout=5.0, connect_timeout=5.0):
    origin = Origin(scheme, host, port)
    return Transport(origin, KEY, create_timeout=create_timeout, connect_timeout=connect_timeout)


# --- what goes out ------------------------------------------------------------------------------


async def test_a_create_carries_its_bytes_and_the_credential_on_a_connection_of_its_own():
    answer = http(b'{"id":"t1"}', X_Trace="T", Set_Cookie="a=b")
    async with wire(answer) as served, transport(served.port) as sending:
        reply = await sending.create(CREATE)
        await sending.create(CREATE)
    assert (reply.status, reply.body, reply.headers["x-trace"]) == (200, b'{"id":"t1"}', "T")
    assert served.connections == 2
    for request in served.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert body == CREATE.body
        assert head.startswith(b"POST /v1/create HTTP/1.1\r\n")
        assert f"Authorization: Bearer {KEY}".encode() in head
        assert b"Accept-Encoding: identity" in head
        assert b"Connection: close" in head
        assert b"Cookie" not in head


async def test_polls_share_a_connection_and_their_path_goes_out_verbatim():
    answer = http(Set_Cookie="a=b")
    async with wire(answer) as served, transport(served.port, host="localhost") as sending:
        await sending.ask(POLL)
        await sending.ask(POLL)
    assert served.connections == 1
    for request in served.requests:
        assert request.startswith(b"GET /v1/tasks/a%2Fb%20c?x=%2e%2E HTTP/1.1\r\n")
        assert f"Authorization: Bearer {KEY}".encode() in request
        assert b"Cookie" not in request


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    async with wire(http()) as served, transport(served.port) as sending:
        assert (await sending.create(CREATE)).status == 200
        assert (await sending.ask(POLL)).status == 200


async def test_a_request_cannot_replace_the_credential():
    request = Request("POST", "/v1", b"", {"Authorization": "Bearer other"})
    async with wire(http()) as served, transport(served.port) as sending:
        await sending.create(request)
    assert served.requests[0].count(b"Authorization") == 1
    assert KEY.encode() in served.requests[0]


async def test_without_a_credential_what_is_public_is_asked_for_and_nothing_is_created():
    async with wire(http(b"[]")) as served:
        origin = Origin("http", "127.0.0.1", served.port)
        async with Transport(origin, None, create_timeout=5) as asking:
            assert (await asking.ask(POLL)).body == b"[]"
            with pytest.raises(CredentialsError, match="a create needs the key of http://127"):
                await asking.create(CREATE)
    (request,) = served.requests
    assert b"authorization" not in request.lower()


@pytest.mark.parametrize("key", ["", "sk\nX: y", "schlüssel", "sk\0", "sk canary", "sk-canary "])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key):
    with pytest.raises(CredentialsError, match=r"^the key of https://rivya\.ai ") as refusal:
        Transport(Origin("https", "rivya.ai", 443), key, create_timeout=1)
    assert not key or key.strip() not in str(refusal.value)


async def test_a_create_is_a_post_because_other_methods_are_repeated():
    async with transport(closed_port()) as sending:
        with pytest.raises(ValueError, match="POST"):
            await sending.create(Request("PUT", "/v1"))


# --- what is never done -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_reply_and_is_not_followed(status):
    async with wire(http()) as canary:
        answer = http(status=f"{status} Moved", Location=f"http://127.0.0.1:{canary.port}/")
        async with wire(answer) as served, transport(served.port) as sending:
            assert (await sending.create(CREATE)).status == status
            assert (await sending.ask(POLL)).status == status
    assert canary.connections == 0


# --- nothing was sent ---------------------------------------------------------------------------


async def test_a_refused_connection_is_not_sent():
    sent = []
    port = closed_port()
    async with transport(port) as sending:
        words = f"^cannot connect to http://127.0.0.1:{port}: connection refused$"
        with pytest.raises(NotSent, match=words):
            await sending.create(CREATE, on_sent=lambda: sent.append(1))
        with pytest.raises(NotSent):
            await sending.ask(POLL)
    assert not sent


@asynccontextmanager
async def no_tls(answer):
    """A server that answers a TLS greeting with plain bytes, or not at all."""

    async def serve(reader, writer):
        writer.write(answer)
        await reader.read(-1 if not answer else 1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_a_tls_failure_is_not_sent():
    sent = []
    answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with no_tls(answer) as port, transport(port, scheme="https") as sending:
        with pytest.raises(NotSent, match=f"^cannot connect to https://127.0.0.1:{port}: .*TLS"):
            await sending.create(CREATE, on_sent=lambda: sent.append(1))
    assert not sent


async def test_a_connection_that_takes_too_long_is_not_sent():
    patience = {"scheme": "https", "connect_timeout": 0.05}
    async with no_tls(b"") as port, transport(port, **patience) as sending:
        with pytest.raises(NotSent, match="in time"):
            await sending.create(CREATE)


# --- perhaps sent -------------------------------------------------------------------------------


async def test_a_reply_cut_at_any_byte_is_lost_and_the_create_went_out_once():
    whole = http(b'{"id":"t1"}', X_Trace="abc")
    for length in range(len(whole)):
        sent = []

        async def cut(reader, writer, length=length):
            await reader.readexactly(len(CREATE.body))
            writer.write(whole[:length])
            await writer.drain()

        async with wire(cut) as served, transport(served.port) as sending:
            with pytest.raises(Lost):
                await sending.create(CREATE, on_sent=lambda sent=sent: sent.append(1))
        assert (served.connections, len(served.requests), sent) == (1, 1, [1])


async def test_a_reset_is_lost_and_nothing_is_repeated():
    async def break_off(reader, writer):
        reset(writer)

    async with wire(break_off) as served, transport(served.port) as sending:
        with pytest.raises(Lost):
            await sending.create(CREATE)
    assert served.connections == 1


async def test_a_time_out_after_sending_is_lost():
    async def silence(reader, writer):
        await reader.read()

    sent = []
    async with wire(silence) as served, transport(served.port, create_timeout=0.1) as sending:
        with pytest.raises(Lost, match="in time"):
            await sending.create(CREATE, on_sent=lambda: sent.append(1))
        with pytest.raises(Lost, match="in time"):
            await sending.ask(POLL, timeout=0.1)
    assert sent == [1]


@pytest.mark.parametrize(
    "answer",
    [
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
    ],
)
async def test_unreadable_http_is_lost(answer):
    async with wire(answer) as served, transport(served.port) as sending:
        with pytest.raises(Lost):
            await sending.create(CREATE)


# --- bodies -------------------------------------------------------------------------------------


async def test_a_body_is_read_up_to_the_cap_and_lost_beyond_it():
    async with wire(http(b"x" * BODY_CAP)) as served, transport(served.port) as sending:
        assert len((await sending.create(CREATE)).body) == BODY_CAP
    async with wire(http(b"x" * (BODY_CAP + 1))) as served, transport(served.port) as sending:
        with pytest.raises(Lost, match="larger"):
            await sending.create(CREATE)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_a_compression_nobody_asked_for_is_undone(pack):
    name = "gzip" if pack is gzip.compress else "deflate"
    answer = http(pack(b'{"id":"t1"}'), Content_Encoding=name)
    async with wire(answer) as served, transport(served.port) as sending:
        assert (await sending.create(CREATE)).body == b'{"id":"t1"}'


@pytest.mark.parametrize(
    ("body", "encoding", "word"),
    [
        (gzip.compress(bytes(200 * 2**20), 1), "gzip", "larger"),
        (gzip.compress(b"x" * 100)[:-9], "gzip", "cut off"),
        (b"not gzip", "gzip", "broken"),
        (b"?", "br", "unknown"),
    ],
    ids=["bomb", "cut", "broken", "unknown"],
)
async def test_a_compressed_body_that_cannot_be_read_is_lost(body, encoding, word):
    answer = http(body, Content_Encoding=encoding)
    async with wire(answer) as served, transport(served.port) as sending:
        with pytest.raises(Lost, match=word):
            await sending.create(CREATE)


# --- uploads ------------------------------------------------------------------------------------


async def test_an_upload_is_a_form_whose_fields_come_before_the_file(tmp_path):
    path = tmp_path / "bottle.png"
    path.write_bytes(b"\x89PNG" + bytes(300_000))
    upload = Upload(str(path), "image/png", "bottle.png", {"kind": "image", "model": "m"})
    async with wire(http(b'{"url":"u"}')) as served, transport(served.port) as sending:
        reply = await sending.ask(Request("POST", "/v1/files", upload=upload))
    assert reply.body == b'{"url":"u"}'
    (request,) = served.requests
    kind, model, file = (
        request.index(f'name="{name}"'.encode()) for name in ("kind", "model", "file")
    )
    assert kind < model < file
    assert b'filename="bottle.png"' in request
    assert b"Content-Type: image/png" in request
    assert path.read_bytes() in request
    assert f"Bearer {KEY}".encode() in request


async def test_an_upload_may_take_longer_than_its_time_out_while_it_moves(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(24 * 2**20))
    clock = asyncio.get_running_loop().time
    started = clock()

    async def slow(reader, writer):
        tail = b""
        while not tail.endswith(b"--\r\n"):
            tail = await reader.read(2**20)
            if clock() - started < 0.9:
                await asyncio.sleep(0.005)
        writer.write(http())
        await writer.drain()

    upload = Upload(str(path), "video/mp4", "clip.mp4", {})
    async with wire(slow) as served, transport(served.port) as sending:
        reply = await sending.ask(Request("POST", "/v1/files", upload=upload), timeout=0.3)
    assert reply.status == 200
    assert clock() - started > 0.3


async def test_an_upload_that_stops_moving_is_lost(tmp_path):
    path = tmp_path / "clip.mp4"
    with path.open("wb") as file:
        file.truncate(64 * 2**20)
    stalled = asyncio.Event()

    async def stall(reader, writer):
        await stalled.wait()

    upload = Upload(str(path), "video/mp4", "clip.mp4", {})
    async with wire(stall) as served, transport(served.port) as sending:
        with pytest.raises(Lost, match="in time"):
            await sending.ask(Request("POST", "/v1/files", upload=upload), timeout=0.2)
        stalled.set()


async def test_a_file_that_cannot_be_opened_is_an_error_of_its_own(tmp_path):
    upload = Upload(str(tmp_path / "gone.png"), "image/png", "gone.png", {})
    async with transport(closed_port()) as sending:
        with pytest.raises(FileNotFoundError):
            await sending.ask(Request("POST", "/v1/files", upload=upload))


# --- every failure that aiohttp knows -----------------------------------------------------------

#: The only failures that prove that nothing was sent.
BEFORE_SENDING = {
    "ClientConnectorError", "ClientConnectorDNSError", "ClientProxyConnectionError",
    "UnixClientConnectorError", "ClientSSLError", "ClientConnectorSSLError",
    "ClientConnectorCertificateError", "ConnectionTimeoutError", "ServerFingerprintMismatch",
    "InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError",
    "InvalidUrlRedirectClientError", "NonHttpUrlRedirectClientError",
}  # fmt: skip


SITE = "https://api.example.com"


def connector_error(error, kind=aiohttp.ClientConnectorError):
    """A failure to connect as aiohttp tells of one of the system, of TLS or of a resolver."""
    return kind(None, error)


def every_failure(base=aiohttp.ClientError):
    yield base
    for kind in base.__subclasses__():
        if kind.__module__ == client_exceptions.__name__:
            yield from every_failure(kind)


@pytest.mark.parametrize("kind", sorted(set(every_failure()), key=lambda kind: kind.__name__))
def test_a_failure_is_not_sent_only_where_it_proves_it_and_nothing_was_handed_over(kind):
    error = kind.__new__(kind)
    expected = NotSent if kind.__name__ in BEFORE_SENDING else Lost
    assert type(translate(error, sent=False, site=SITE)) is expected
    assert type(translate(error, sent=True, site=SITE)) is Lost


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (connector_error(OSError(errno.ENETUNREACH, "?")), "network is unreachable"),
        (connector_error(OSError("Multiple exceptions")), "no connection could be made"),
        (
            connector_error(socket.gaierror(1, "?"), aiohttp.ClientConnectorDNSError),
            "the host name cannot be resolved",
        ),
        (
            connector_error(ssl.SSLError(1, "?"), aiohttp.ClientConnectorSSLError),
            "the TLS connection failed",
        ),
        (aiohttp.ConnectionTimeoutError(), "no connection was made in time"),
    ],
)
def test_what_could_not_be_connected_to_is_named_with_the_reason_in_words(error, reason):
    assert translate(error, sent=False, site=SITE).reason == f"cannot connect to {SITE}: {reason}"


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), OSError(5, "I/O")])
def test_a_bare_failure_of_the_system_proves_nothing(error):
    assert type(translate(error, sent=False, site=SITE)) is Lost


async def test_a_failure_shows_neither_the_key_nor_the_url():
    async with transport(closed_port()) as sending:
        with pytest.raises(NotSent) as failure:
            await sending.create(CREATE)
    shown = f"{failure.value!r} {failure.value.__cause__!r}"
    assert failure.value.__suppress_context__
    assert KEY not in shown
    assert "/v1/create" not in shown
