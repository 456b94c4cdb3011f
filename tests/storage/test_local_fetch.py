"""Fetching: what is stored is whole, and it is the object that was asked for."""

from __future__ import annotations

import asyncio
import gc
import gzip
import hashlib
import random
import resource

import pytest

from orchestrator.errors import DiskError, UsageError
from orchestrator.storage import local, part
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import Invalid, NoRoom, Taken, Transient
from tests.storage import boxes
from tests.storage.host import raw

TARGET = "videos/grid/cup.mp4"


async def fetch(storage, host, client, target=TARGET, part_id="task_1", url=None):
    return await storage.fetch(url or host.url, target, part_id=part_id, client=client)


async def fetch_until_stored(storage, host, client, tries=200):
    for _ in range(tries):
        try:
            return await fetch(storage, host, client)
        except Transient:
            continue
    raise AssertionError("never stored")


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


async def appearance(folder, pattern):
    """Wait for a file that another task is about to make."""
    for _ in range(500):
        if any(folder.rglob(pattern)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{pattern} never came")


# --- the good way -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_video_is_stored_with_its_hash_and_what_it_says_of_itself(
    name, request, storage, host, client, run_folder
):
    data = host.data = request.getfixturevalue(name)
    stored = await fetch(storage, host, client)
    storage.settle(stored)
    await storage.sweep()
    assert (run_folder / TARGET).read_bytes() == data
    assert (stored.path, stored.bytes) == (TARGET, len(data))
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert (stored.duration_s, stored.width, stored.height) == (3.0, 640, 360)
    assert files(run_folder) == [TARGET]


async def test_the_url_goes_out_as_it_is_written_and_nothing_secret_beside_it(
    storage, host, client
):
    host.script = [raw(status="302 Found", Location=host.url, Set_Cookie="a=b")]
    await fetch(storage, host, client)
    assert len(host.requests) == 2
    for headers in host.requests:
        assert headers[""] == "GET /out/video.mp4?sig=a%2Fb HTTP/1.1"
        assert headers["accept-encoding"] == "identity"
        assert not {"authorization", "cookie", "range"} & headers.keys()


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_body_without_a_length_is_stored_where_it_verifies(
    name, request, storage, host, client, run_folder
):
    data = request.getfixturevalue(name)
    host.script = [raw(data, length=None)]
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == data


# --- cuts and resumes ---------------------------------------------------------------------------


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

    async def stall(writer):
        writer.write(raw(large, ETag='"v1"')[:2_500_000])
        await writer.drain()
        await waiting.wait()

    host.data, host.script = large, [stall]
    task = asyncio.create_task(fetch(storage, host, client))
    await appearance(run_folder, "*.part.json")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting.set()
    await fetch(storage, host, client)
    assert host.ranges()[1] is not None
    assert (run_folder / TARGET).read_bytes() == large


# --- what does not verify -----------------------------------------------------------------------


HTML = b"<html>Your link has expired</html>"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda data: raw(HTML), "HTML"),
        (lambda data: raw(HTML, length=None), "HTML"),
        (lambda data: raw(b""), "empty"),
        (lambda data: raw(data[:-1]), "cut off"),
        (lambda data: raw(data[: len(data) // 2]), "cut off"),
        (lambda data: raw(data[:-1], length=None), "cut off"),
        (lambda data: raw(gzip.compress(data), Content_Encoding="gzip"), "compressed"),
        (lambda data: raw(data, Content_Encoding="br"), "compressed"),
        (lambda data: raw(bytes(1_000_000)), "unknown type"),
    ],
    ids=[
        "html", "html-endless", "empty", "one-byte-short", "half", "cut-unseen",
        "gzip", "br", "zeros",
    ],
)  # fmt: skip
async def test_what_does_not_verify_is_kept_apart_with_the_reason(
    make, word, storage, host, client, run_folder, small
):
    answer = make(small)
    host.script = [answer, answer]
    with pytest.raises(Invalid, match=word) as refusal:
        await fetch(storage, host, client)
    body = answer.partition(b"\r\n\r\n")[2]
    kept = run_folder / refusal.value.path
    assert refusal.value.path.startswith("quarantine/grid/cup.")
    assert body.startswith(kept.read_bytes())
    assert word in (kept.parent / f"{kept.name}.txt").read_text()
    assert files(run_folder) == sorted([refusal.value.path, f"{refusal.value.path}.txt"])


async def test_a_large_object_that_does_not_verify_is_kept_apart_too(
    storage, host, client, run_folder, large
):
    host.data = large[:-1]
    with pytest.raises(Invalid, match="cut off") as refusal:
        await fetch(storage, host, client)
    assert (run_folder / refusal.value.path).read_bytes() == large[:-1]
    assert len(files(run_folder)) == 2


async def test_a_refused_object_can_be_looked_at_again(storage, host, client, run_folder):
    host.script = [raw(HTML), raw(HTML)]
    for _ in range(2):
        with pytest.raises(Invalid):
            await fetch(storage, host, client)
    assert await fetch(storage, host, client)
    assert len(list((run_folder / "quarantine").rglob("*.bin"))) == 1


async def test_an_unseen_cut_is_asked_once_more(storage, host, client, run_folder, small):
    host.script = [raw(small[:-1], length=None)]
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == small


async def endless(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + boxes.ftyp())
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def test_an_endless_body_ends_at_the_cap(run_folder, host, client, monkeypatch):
    monkeypatch.setattr(local, "QUARANTINE_CAP", 100_000)
    host.script = [endless]
    with pytest.raises(Invalid, match="larger than 3000000") as refusal:
        await fetch(LocalStorage(run_folder, byte_cap=3_000_000), host, client)
    assert (run_folder / refusal.value.path).stat().st_size == 100_000
    assert len(files(run_folder)) == 2


async def test_a_length_beyond_the_cap_is_refused_before_it_is_read(run_folder, host, client):
    host.script = [raw(boxes.mp4(), length=5_000_000_000)]
    with pytest.raises(Invalid, match="larger"):
        await fetch(LocalStorage(run_folder), host, client)


async def test_a_gzip_bomb_is_neither_inflated_nor_read_to_its_end(storage, host, client):
    bomb = gzip.compress(bytes(64 * 2**20), 1) * 40
    host.script = [raw(bomb, Content_Encoding="gzip")]
    with pytest.raises(Invalid, match="compressed"):
        await fetch(storage, host, client)


async def test_a_large_object_that_begins_like_no_video_is_not_read_to_its_end(
    storage, host, client, run_folder
):
    async def pages(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    host.script = [pages]
    with pytest.raises(Invalid, match="HTML") as refusal:
        await fetch(storage, host, client)
    assert (run_folder / refusal.value.path).stat().st_size < 3_000_000


# --- names --------------------------------------------------------------------------------------


async def test_a_run_that_died_before_its_ledger_had_the_file_does_not_fetch_it_again(
    run_folder, host, client, small
):
    first = await fetch(LocalStorage(run_folder), host, client)
    again = LocalStorage(run_folder)
    second = await fetch(again, host, client)
    assert second == first
    assert host.connections == 1
    again.settle(second)
    await again.sweep()
    assert files(run_folder) == [TARGET]


async def test_a_target_with_the_same_content_is_adopted(storage, host, client, run_folder, small):
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(small)
    before = (run_folder / TARGET).stat().st_ino
    await fetch(storage, host, client)
    assert (run_folder / TARGET).stat().st_ino == before
    assert files(run_folder) == [TARGET]


@pytest.mark.parametrize("mine", [lambda data: b"mine", lambda data: bytes(len(data))])
@pytest.mark.parametrize("name", ["small", "large"])
async def test_another_file_is_never_overwritten_and_the_next_name_needs_no_download(
    name, mine, request, storage, host, client, run_folder
):
    data = host.data = request.getfixturevalue(name)
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(mine(data))
    with pytest.raises(Taken):
        await fetch(storage, host, client)
    stored = await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    storage.settle(stored)
    await storage.sweep()
    assert (run_folder / TARGET).read_bytes() == mine(data)
    assert (run_folder / stored.path).read_bytes() == data
    assert host.connections == 1
    assert files(run_folder) == [stored.path, TARGET]


async def test_a_link_under_the_final_name_is_neither_followed_nor_replaced(
    storage, host, client, run_folder, tmp_path
):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).symlink_to(victim)
    with pytest.raises(Taken):
        await fetch(storage, host, client)
    assert victim.read_bytes() == b"mine"
    assert (run_folder / TARGET).is_symlink()


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_link_under_the_name_of_a_part_is_not_written_through(
    name, request, storage, host, client, run_folder, tmp_path
):
    host.data, host.cuts = request.getfixturevalue(name), [1000]
    with pytest.raises(Transient):
        await fetch(storage, host, client)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine" * 1000)
    (kept,) = run_folder.rglob("*.part")
    kept.unlink()
    kept.symlink_to(victim)
    await fetch(storage, host, client)
    assert victim.read_bytes() == b"mine" * 1000
    assert (run_folder / TARGET).read_bytes() == host.data


async def test_a_folder_that_is_a_link_is_refused(storage, host, client, run_folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (run_folder / "videos").symlink_to(tmp_path / "outside")
    with pytest.raises(DiskError, match="not a folder"):
        await fetch(storage, host, client)
    assert files(tmp_path / "outside") == []
    assert host.connections == 0


@pytest.mark.parametrize(
    "target", ["", "/etc/x.mp4", "../x.mp4", "videos/../../x.mp4", "videos\\x.mp4", "videos/\0.mp4"]
)
async def test_a_target_outside_the_run_folder_is_refused(target, storage, host, client):
    with pytest.raises(UsageError, match="inside the run folder"):
        await fetch(storage, host, client, target=target)
    assert host.connections == 0


# --- the disk -----------------------------------------------------------------------------------


async def test_a_full_disk_keeps_the_part_and_the_download_goes_on_later(
    storage, host, client, run_folder, large
):
    host.data = large
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(NoRoom, match="Make room"):
            await fetch(storage, host, client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await fetch(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
    assert host.ranges()[1] is not None


async def test_a_disk_without_room_for_a_small_video_leaves_nothing_behind(
    storage, host, client, run_folder
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(NoRoom):
            await fetch(storage, host, client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(run_folder) == []


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_failed_sync_ends_the_try_and_its_bytes_are_not_trusted_again(
    name, request, storage, host, client, run_folder, monkeypatch
):
    host.data = request.getfixturevalue(name)
    await storage.fetch(host.url, "videos/grid/warm.mp4", part_id="warm", client=client)

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(DiskError, match="Input/output"):
            await fetch(storage, host, client)
    assert not (run_folder / TARGET).exists()
    await fetch(storage, host, client)
    assert host.ranges() == [None, None, None]


async def test_a_whole_part_whose_sync_failed_is_fetched_again(
    storage, host, client, run_folder, monkeypatch
):
    (run_folder / TARGET).parent.mkdir(parents=True)
    (run_folder / TARGET).write_bytes(b"mine")
    with pytest.raises(Taken):
        await fetch(storage, host, client)

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(DiskError):
            await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    await fetch(storage, host, client, target="videos/grid/cup.2.mp4")
    assert host.connections == 2


async def test_a_folder_that_vanished_is_a_disk_error(storage, host, client, run_folder):
    stored = await fetch(storage, host, client)
    storage.settle(stored)
    await storage.sweep()
    (run_folder / TARGET).unlink()
    (run_folder / TARGET).parent.rmdir()
    with pytest.raises(DiskError):
        await fetch(storage, host, client)


@pytest.mark.parametrize("moment", range(12))
async def test_a_cancelled_download_leaves_no_open_file_and_goes_on_later(
    moment, storage, host, client, run_folder, large
):
    waiting = asyncio.Event()

    async def stall(writer):
        writer.write(raw(large, ETag='"v1"')[:2_500_000])
        await writer.drain()
        await waiting.wait()

    host.data, host.script = large, [stall]
    task = asyncio.create_task(fetch(storage, host, client))
    # At each of these moments the download is at another place: connecting, opening, writing.
    await asyncio.sleep(moment * 0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting.set()
    gc.collect()
    await fetch_until_stored(storage, host, client)
    assert (run_folder / TARGET).read_bytes() == large
