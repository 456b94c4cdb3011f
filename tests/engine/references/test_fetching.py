"""Fetching: a reference comes whole, from a real host, or not at all."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.engine.references.fetching import LARGEST, WAITS, FetchReference
from tests.engine.material import Hasty, hosting
from tests.storage.host import Host, raw

PICTURE = b"\x89PNG" + bytes(range(256)) * 40


async def fetched(tmp_path, *script, data=PICTURE, most=None, url=None, cuts=()):
    """What came of a fetch: the fault, the file's bytes, the host, and the waits."""
    clock, path = Hasty(), tmp_path / "reference"
    async with Host(data) as host, hosting(idle_timeout=5.0) as client:
        host.script, host.cuts = list(script), list(cuts)
        with anyio.fail_after(10):
            fault = await FetchReference(client, clock)(url or host.url, path, most)
    return fault, path.read_bytes() if path.exists() else None, host, clock.waits


async def test_a_reference_arrives_whole(tmp_path):
    fault, content, host, waits = await fetched(tmp_path)
    assert (fault, content, waits) == (None, PICTURE, [])
    assert len(host.requests) == 1


async def test_no_credential_goes_to_its_host(tmp_path):
    _, _, host, _ = await fetched(tmp_path)
    assert not {"authorization", "cookie"} & host.requests[0].keys()


@pytest.mark.parametrize("status", ["503 Busy", "429 Slow down", "408 Late", "500 Oh"])
async def test_what_may_pass_is_tried_again(tmp_path, status):
    fault, content, _, waits = await fetched(tmp_path, raw(status=status), raw(status=status))
    assert (fault, content) == (None, PICTURE)
    assert waits == list(WAITS[:2])


async def test_a_host_that_says_when_to_come_back_is_obeyed(tmp_path):
    busy = raw(status="503 Busy", Retry_After="42")
    _, content, _, waits = await fetched(tmp_path, busy)
    assert (content, waits) == (PICTURE, [42.0])


async def test_a_cut_reference_is_fetched_again_from_its_beginning(tmp_path):
    fault, content, _, _ = await fetched(tmp_path, cuts=[100, 5000])
    assert (fault, content) == (None, PICTURE)


async def test_after_four_tries_its_job_hears_of_it(tmp_path):
    fault, _, host, waits = await fetched(tmp_path, *[raw(status="503 Busy")] * 9)
    assert fault.code == "reference_unreachable"
    assert len(host.requests) == 1 + len(WAITS)
    assert waits == list(WAITS)


@pytest.mark.parametrize("status", ["403 No", "404 Gone", "410 Gone"])
async def test_a_reference_that_its_host_refuses_is_not_asked_for_again(tmp_path, status):
    fault, _, host, _ = await fetched(tmp_path, raw(status=status))
    assert fault.code == "reference_unreachable"
    assert status[:3] in fault.message
    assert len(host.requests) == 1


@pytest.mark.parametrize("length", [True, None], ids=["stated", "not stated"])
async def test_a_reference_that_is_too_large_is_not_taken(tmp_path, length):
    fault, content, _, _ = await fetched(tmp_path, raw(PICTURE, length=length), most=1000)
    assert fault.code == "reference_too_large"
    assert content is None or len(content) <= 1000


async def test_a_reference_of_just_the_largest_size_is_taken(tmp_path):
    fault, content, _, _ = await fetched(tmp_path, most=len(PICTURE))
    assert (fault, content) == (None, PICTURE)
    assert LARGEST == 100 * 1024 * 1024


async def test_a_compressed_reference_is_none(tmp_path):
    squeezed = raw(PICTURE, Content_Encoding="gzip")
    fault, _, _, _ = await fetched(tmp_path, *[squeezed] * 9)
    assert fault.code == "reference_unreachable"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/a.png", "http://169.254.169.254/latest", "ftp://a.example/x", "x"]
)
async def test_a_url_that_may_not_be_fetched_is_refused_without_a_connection(tmp_path, url):
    fault, _, host, _ = await fetched(tmp_path, url=url)
    assert fault.code == "reference_refused"
    assert host.connections == 0


@pytest.mark.parametrize("status", ["403 No", "503 Busy"])
async def test_a_fault_does_not_tell_the_signature_of_the_url(tmp_path, status):
    fault, _, _, _ = await fetched(tmp_path, *[raw(status=status)] * 4)
    assert "sig=" not in fault.message
