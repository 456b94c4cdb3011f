"""The client: which replies mean what, which URLs are fetched at all, and how slow is too slow."""

from __future__ import annotations

import asyncio
import email.utils
import time
from functools import partial

import pytest

from orchestrator.providers.origins import check_public_url, guarded_socket
from orchestrator.storage.download import Downloads, _next_url, _retry_after
from orchestrator.storage.outcomes import Expired, Invalid, Transient
from tests.providers.wire import closed_port
from tests.storage.conftest import downloads
from tests.storage.host import Host, raw


async def read(client, url):
    with await client.get(url) as incoming:
        chunks = []
        while chunk := await incoming.chunk():
            chunks.append(chunk)
        return b"".join(chunks)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_a_refused_url_needs_a_fresh_one(status, host, client):
    host.script = [raw(b"<Error/>", f"{status} No")]
    with pytest.raises(Expired) as refusal:
        await read(client, host.url)
    assert refusal.value.status == status


@pytest.mark.parametrize("status", [202, 204, 300, 304, 408, 425, 429, 500, 502, 503, 504])
async def test_trouble_of_the_host_is_tried_again(status, host, client):
    body = b"" if status in (204, 304) else b"busy"
    host.script = [raw(body, f"{status} Later", Retry_After="7")]
    with pytest.raises(Transient, match=str(status)) as trouble:
        await read(client, host.url)
    assert trouble.value.retry_after == 7


async def test_a_part_that_nobody_asked_for_is_not_taken_for_the_whole(host, client, small):
    host.script = [raw(small[5:], "206 Partial Content", Content_Range="bytes 5-9/10")]
    with pytest.raises(Transient):
        await read(client, host.url)


async def test_no_connection_is_tried_again(client):
    with pytest.raises(Transient, match="no connection"):
        await read(client, f"http://127.0.0.1:{closed_port()}/v.mp4")


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 2x", b"\0\1\2\r\n\r\n"])
async def test_a_broken_reply_is_tried_again(reply, host, client):
    host.script = [reply, reply]
    with pytest.raises(Transient):
        await read(client, host.url)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None), ("", None), ("0", 0), ("12", 12), (" 12 ", 12), ("-1", None), ("NaN", None),
        ("1e3", None), ("1000000000", 300), ("9" * 400, 300), ("soon", None), ("²", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        (email.utils.formatdate(time.time() + 86400, usegmt=True), 300),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_all_its_forms_and_clamped(text, seconds):
    assert _retry_after(text) == seconds


def test_retry_after_as_a_date_counts_from_now():
    soon = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert 55 <= _retry_after(soon) <= 60


# --- URLs and addresses -------------------------------------------------------------------------


async def test_redirects_are_followed_a_few_times(host, client, small):
    host.script = [raw(status="302 Found", Location="/a"), raw(status="307 x", Location="b?c=%2F")]
    assert await read(client, host.url) == small
    assert [headers[""].split()[1] for headers in host.requests] == [
        "/out/video.mp4?sig=a%2Fb", "/a", "/b?c=%2F",
    ]  # fmt: skip


async def test_redirects_without_an_end_are_given_up(host, client):
    host.script = [raw(status="302 Found", Location="/again")] * 20
    with pytest.raises(Transient, match="redirected more than 5"):
        await read(client, host.url)
    assert len(host.requests) == 6


@pytest.mark.parametrize(
    "location",
    ["http://10.0.0.1/v", "https://169.254.169.254/v", "ftp://x.example/", "", "http://[::1"],
)
async def test_a_redirect_to_where_no_result_may_lie_is_not_followed(location, host, client):
    host.script = [raw(status="302 Found", Location=location)]
    with pytest.raises(Invalid):
        await read(client, host.url)
    assert len(host.requests) == 1


def test_a_redirect_from_https_to_http_is_not_followed():
    with pytest.raises(Invalid, match="https to http"):
        _next_url("https://cdn.example.com/v", "http://cdn.example.com/v")
    assert _next_url("https://a.example/v", "https://b.example/w") == "https://b.example/w"


async def test_no_private_address_is_connected_to_by_text():
    async with Host() as canary, strict() as client:
        for url in (canary.url, canary.url.replace("127.0.0.1", "localhost"), "https://10.1.1.1/v"):
            with pytest.raises(Invalid):
                await read(client, url)
    assert canary.connections == 0


PUBLIC_ONLY = partial(check_public_url, loopback_allowed=False)


def strict(check_url=PUBLIC_ONLY):
    return Downloads(check_url=check_url, open_socket=guarded_socket(loopback_allowed=False))


async def test_each_hop_is_judged_before_it_is_taken(host):
    judged = []

    def check_url(url):
        judged.append(url)
        return "refused" if url.endswith("/b") else None

    async with Host() as canary:
        host.script = [raw(status="302 Found", Location="/a")]
        host.script.append(raw(status="302 Found", Location=canary.url.split("?")[0] + "/b"))
        socket_factory = guarded_socket(loopback_allowed=True)
        async with Downloads(check_url=check_url, open_socket=socket_factory) as client:
            with pytest.raises(Invalid, match="refused"):
                await read(client, host.url)
    assert len(judged) == 3
    assert canary.connections == 0


@pytest.mark.parametrize("host_name", ["localhost", "127.0.0.1", "2130706433", "[::ffff:7f00:1]"])
async def test_no_private_address_is_connected_to_even_where_the_url_looks_public(host_name):
    async with Host() as canary, strict(check_url=lambda url: None) as client:
        with pytest.raises((Invalid, Transient)) as refusal:
            await read(client, canary.url.replace("127.0.0.1", host_name))
    assert canary.connections == 0
    if host_name in ("localhost", "127.0.0.1"):
        assert "not a public address" in str(refusal.value)


async def test_proxies_and_netrc_of_the_environment_are_not_used(
    monkeypatch, tmp_path, host, client
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    await read(client, host.url)
    assert "authorization" not in host.requests[0]


# --- slowness -----------------------------------------------------------------------------------


def dripping(size, pause, count):
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * count))
        for _ in range(count):
            writer.write(bytes(size))
            await writer.drain()
            await asyncio.sleep(pause)

    return drip


async def test_a_byte_now_and_then_is_no_progress(host):
    host.script = [dripping(1, 0.02, 1000)]
    started = time.monotonic()
    async with downloads(idle_timeout=0.2) as client:
        with pytest.raises(Transient, match="too long"):
            await read(client, host.url)
    assert time.monotonic() - started < 2


async def test_a_slow_download_that_goes_on_takes_as_long_as_it_takes(host):
    host.script = [dripping(1024, 0.02, 30)]
    async with downloads(idle_timeout=0.3) as client:
        assert len(await read(client, host.url)) == 30 * 1024


async def test_time_spent_writing_is_not_held_against_the_host(host):
    host.script = [dripping(1024, 0.0, 3)]
    async with downloads(idle_timeout=0.1) as client:
        with await client.get(host.url) as incoming:
            while await incoming.chunk():  # noqa: ASYNC110 - it waits for the host
                await asyncio.sleep(0.15)


async def test_headers_that_do_not_come_are_not_waited_for(host):
    waiting = asyncio.Event()

    async def silence(writer):
        await waiting.wait()

    host.script = [silence]
    async with downloads(idle_timeout=0.1) as client:
        with pytest.raises(Transient, match="too long"):
            await read(client, host.url)
    waiting.set()
