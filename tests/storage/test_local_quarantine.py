"""What arrives and does not verify is kept apart, with the reason."""

from __future__ import annotations

import gzip

import pytest

from orchestrator.storage import local
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import Invalid
from tests.storage import boxes
from tests.storage.fetched import TARGET, fetch, files
from tests.storage.host import raw

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
