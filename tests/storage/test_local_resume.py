"""Cuts and resumes: what was paid for with time is not fetched twice, and never spliced."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest

from orchestrator.storage import part
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import Invalid, Transient
from tests.storage import boxes
from tests.storage.fetched import TARGET, appearance, fetch, fetch_until_stored, files, stalling
from tests.storage.host import raw


@pytest.mark.parametrize("name", ["small", "large"])
async def test_cuts_at_random_offsets_cost_little_and_the_bytes_are_the_sources(
    name, request, storage, host, client, run_folder
):
    data = host.data = request.getfixturevalue(name)
    chance = random.Random(name)
    host.cuts = [chance.randrange(len(data) // 40) for _ in range(100 if name == "small" else 30)]
    stored = await fetch_until_stored(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == data
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert host.body_bytes <= 1.2 * len(data)
    storage.settle(stored)
    await storage.sweep()
    assert files(run_folder) == [TARGET]


async def test_a_download_goes_on_in_the_next_run(run_folder, host, client, large):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient, match="cut off"):
        await fetch(LocalStorage(run_folder), host, client)
    stored = await fetch(LocalStorage(run_folder), host, client)
    assert host.ranges() == [None, "bytes=2000000-"]
    assert stored.sha256 == hashlib.sha256(large).hexdigest()


@pytest.mark.parametrize("cut", [1, 100, 2_000_000])
async def test_an_object_that_changed_meanwhile_is_fetched_whole_and_never_spliced(
    cut, storage, host, client, run_folder, large
):
    host.data, host.cuts = large, [cut]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    host.data, host.etag = boxes.mp4(b"other" * 500_000), '"v2"'
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == host.data


@pytest.mark.parametrize("etag", ["", 'W/"weak"', "bare", '"'])
async def test_without_a_strong_etag_nothing_is_resumed(
    etag, storage, host, client, run_folder, large
):
    host.data, host.etag, host.cuts = large, etag, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    assert files(run_folder) == []
    await fetch(storage, host, client)
    assert host.ranges() == [None, None]


async def test_a_part_of_another_task_is_never_resumed(storage, host, client, large):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    await fetch(storage, host, client, part_id="task_2")
    assert host.ranges() == [None, None]


async def test_a_fresh_signature_of_the_same_url_goes_on(storage, host, client, large):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    await fetch(storage, host, client, url=host.url.replace("sig=", "sig=fresh"))
    assert host.ranges()[1] == "bytes=2000000-"


def partial(body, place, **headers):
    return raw(body, status="206 Partial Content", Content_Range=place, **headers)


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: raw(data, ETag='"v1"'),
        lambda data: raw(status="416 Range Not Satisfiable"),
        lambda data: partial(data[9:], f"bytes 9-{len(data) - 1}/{len(data)}"),
        lambda data: partial(data[-5:], f"bytes 2000000-{len(data) - 1}/{len(data)}"),
        lambda data: partial(data[2_000_000:], f"bytes 2000000-{len(data)}/{len(data) + 1}"),
        lambda data: partial(data[2_000_000:-1], f"bytes 2000000-{len(data) - 2}/{len(data)}"),
        lambda data: partial(data[2_000_000:], f"bytes 2000000-{len(data) - 1}/*"),
        lambda data: partial(data[2_000_000:], "nonsense"),
        lambda data: raw(data[2_000_000:], status="206 Partial Content"),
        lambda data: partial(
            data[2_000_000:], f"bytes 2000000-{len(data) - 1}/{len(data)}", ETag='"v2"'
        ),
    ],
    ids=["200", "416", "early", "short", "longer", "last", "star", "garbled", "bare", "etag"],
)
async def test_a_host_that_does_not_go_on_rightly_is_asked_from_the_beginning(
    answer, storage, host, client, run_folder, large
):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    host.script = [answer(large)]
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
    # All but the 200, which brings the whole object at once, cost one more request.
    assert host.ranges()[1:] in (["bytes=2000000-", None], ["bytes=2000000-"])
    assert len(host.requests) == (2 if answer(large).startswith(b"HTTP/1.1 200") else 3)


async def test_a_206_of_pieces_that_ends_early_is_not_taken_for_whole(
    storage, host, client, run_folder, large
):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    place = f"bytes 2000000-{len(large) - 1}/{len(large)}"
    short = raw(b"3\r\nabc\r\n0\r\n\r\n", "206 Partial Content", None,
                Transfer_Encoding="chunked", Content_Range=place)  # fmt: skip
    host.script = [short]
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large


async def test_a_cut_in_pieces_of_unknown_length_is_tried_again(storage, host, client, small):
    body = b"%x\r\n" % len(small) + small + b"\r\n"
    host.script = [raw(body, length=None, Transfer_Encoding="chunked")]
    with pytest.raises(Transient):
        await fetch(storage, host, client)


async def test_a_length_that_promises_too_much_is_tried_again(storage, host, client, small):
    host.script = [raw(small, length=len(small) + 1)]
    with pytest.raises(Transient, match="cut off"):
        await fetch(storage, host, client)


async def test_a_length_that_promises_too_little_never_stores_a_piece(
    storage, host, client, run_folder, small
):
    host.script = [raw(small, length=len(small) - 7)]
    with pytest.raises((Transient, Invalid)):
        await fetch(storage, host, client)
    assert not (run_folder / TARGET).exists()


async def test_notes_that_claim_more_than_is_there_are_not_believed(
    storage, host, client, run_folder, large
):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    (kept,) = run_folder.rglob("*.part")
    with kept.open("r+b") as file:
        file.truncate(1_500_000)
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
    assert host.ranges() == [None, None]


async def test_bytes_beyond_what_was_synced_are_cut_off_before_going_on(
    storage, host, client, run_folder, large
):
    host.data, host.cuts = large, [2_000_000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    (kept,) = run_folder.rglob("*.part")
    with kept.open("ab") as file:
        file.write(b"never synced" * len(large))
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
    assert host.ranges()[1] == "bytes=2000000-"


async def test_long_downloads_are_noted_down_on_the_way(
    storage, host, client, run_folder, large, monkeypatch
):
    monkeypatch.setattr(part, "CHECKPOINT", 1024 * 1024)
    waiting = asyncio.Event()
    host.data, host.script = large, [stalling(large, waiting)]
    task = asyncio.create_task(fetch(storage, host, client))
    await appearance(run_folder, "*.part.json")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting.set()
    await fetch(storage, host, client)
    assert host.ranges()[1] is not None
    assert (run_folder / TARGET).read_bytes() == large
