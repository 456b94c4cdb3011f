"""The proxy breaks what it is told to break, there and nowhere else."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.sandbox.server import Sandbox
from tests.network.hurry import hurried
from tests.network.proxy import Fault, Proxy, every, first, moved

LOOK = b"GET /rivya/api/v1/generations/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\n\r\n"
CREATE = (
    b"POST /acedatacloud/hailuo/videos HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\n"
    b"Content-Type: application/json\r\nContent-Length: 49\r\n\r\n"
    b'{"action":"generate","prompt":"p","async":true } '
)


async def exchange(proxy, raw=LOOK):
    """What comes back, until the connection ends or half a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.port))
    answer = b""
    try:
        writer.write(raw)
        while piece := await asyncio.wait_for(reader.read(65536), 0.5):
            answer += piece
    except TimeoutError:
        pass
    finally:
        writer.close()
    return answer


async def proxied(script, work, faults=None):
    async with Sandbox(faults=faults, pace=0) as urls, Proxy(urls, script) as proxy:
        return await work(proxy)


async def test_without_a_fault_everything_passes_and_is_noted():
    async def work(proxy):
        first_answer = await exchange(proxy, LOOK + CREATE)
        return first_answer, [asked.on for asked in proxy.asked], proxy.passed

    answer, asked, passed = await proxied(None, work)
    assert answer.count(b"HTTP/1.1 ") == 2, "one connection serves several requests"
    assert asked == ["poll", "create"]
    assert passed["create"] > 20


@pytest.mark.parametrize("passes", [0, 1, 17, 200])
async def test_a_reply_ends_after_just_so_many_bytes(passes):
    whole = await proxied(None, exchange)
    cut = await proxied(every("poll", Fault(reply=passes)), exchange)
    assert len(cut) == passes < len(whole)
    assert cut[:17] == whole[:passes][:17]


async def test_a_reset_is_no_orderly_end():
    with pytest.raises(ConnectionResetError):
        await proxied(every("poll", Fault(reply=0, reset=True)), exchange)
    assert await proxied(every("poll", Fault(reply=0)), exchange) == b""


async def test_a_slammed_connection_is_reset_before_it_is_read():
    async def work(proxy):
        proxy.slammed = 1
        with pytest.raises(ConnectionResetError):
            await exchange(proxy)
        assert proxy.asked == []
        return await exchange(proxy)

    assert (await proxied(None, work)).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    ("passes", "arrives"), [(0, False), (len(CREATE) - 1, False), (None, True)]
)
async def test_a_request_arrives_whole_or_makes_nothing(passes, arrives):
    sandbox = Sandbox(pace=0)
    async with sandbox as urls, Proxy(urls, every("create", Fault(request=passes))) as proxy:
        answer = await exchange(proxy, CREATE)
        assert bool(answer) == arrives
        assert len(sandbox.tasks.all()) == arrives


async def test_a_closed_proxy_refuses_and_opens_on_the_same_port():
    async def work(proxy):
        await proxy.close()
        with pytest.raises(ConnectionRefusedError):
            await exchange(proxy)
        await proxy.open()
        return await exchange(proxy)

    assert await proxied(None, work)


async def test_a_stall_comes_before_the_reply_and_pieces_come_one_by_one():
    loop = asyncio.get_running_loop()
    began = loop.time()
    await proxied(every("poll", Fault(stall=0.2, reply=10)), exchange)
    assert loop.time() - began >= 0.2
    began = loop.time()
    whole = await proxied(every("poll", Fault(pieces=40, every=0.1)), exchange)
    body = whole.partition(b"\r\n\r\n")[2]
    assert loop.time() - began >= 0.1 * ((len(body) - 1) // 40) > 0.1


def test_an_edited_reply_states_its_new_length():
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a": 12}'
    assert moved(reply, b"12", b"345") == (
        b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a": 345}'
    )


def test_faults_are_played_in_turn_on_the_first_requests_of_a_kind():
    async def work(proxy):
        return [len(await exchange(proxy)) for _ in range(2)]

    script = first("poll", Fault(reply=7), Fault(reply=1))
    assert hurried(proxied, script, work, speed=1.0) == [7, 1]
    assert hurried(proxied, first("create", Fault(reply=1)), work, speed=20.0)[0] > 7


def test_a_hurried_clock_keeps_the_order_of_its_waits_and_shortens_them_all():
    async def work():
        began = time.monotonic()
        order = []
        for seconds in (30, 10, 20):
            asyncio.get_running_loop().call_later(seconds, order.append, seconds)
        await asyncio.sleep(40)
        return order, time.monotonic() - began

    order, took = hurried(work, speed=200.0)
    assert order == [10, 20, 30]
    assert 0.19 < took < 5
