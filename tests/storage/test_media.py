from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.storage.media import Media, NotMedia, check_head, inspect_mp4, inspect_stream
from tests.storage import boxes

WHOLE = {
    "index first": boxes.mp4(),
    "index last": boxes.mp4(fast_start=False),
    "quicktime": boxes.mp4(brand=b"qt  "),
    "64-bit headers and lengths": boxes.mp4(version=1, wide=True, mdat=boxes.long_box),
    "data to the end of the file": boxes.mp4(mdat=boxes.endless_box),
}


def inspect(data: bytes) -> Media:
    return inspect_stream(io.BytesIO(data), len(data))


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_video_tells_duration_and_size(name, tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(WHOLE[name])
    assert inspect_mp4(path) == Media(3.0, 640, 360)


@pytest.mark.parametrize("name", WHOLE)
def test_a_video_cut_at_any_byte_is_refused(name):
    data = WHOLE[name]
    for length in range(len(data)):
        with pytest.raises(NotMedia):
            inspect(data[:length])


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"data to the end of the file"}))
def test_bytes_that_belong_to_no_box_are_refused(name):
    with pytest.raises(NotMedia):
        inspect(WHOLE[name] + b"\0\0\0")


def test_a_fragmented_video_is_accepted_with_the_duration_it_states():
    assert inspect(boxes.fragmented()) == Media(4.5, 640, 360)
    assert inspect(boxes.fragmented(duration=None)) == Media(None, 640, 360)


def test_a_fragmented_video_cut_inside_a_fragment_is_refused():
    data, piece = boxes.fragmented(2), len(boxes.fragmented(2)) - len(boxes.fragmented(1))
    for length in range(len(data) - piece + 1, len(data)):
        with pytest.raises(NotMedia):
            inspect(data[:length])


def test_the_first_video_track_tells_the_size_and_other_tracks_do_not():
    sound = boxes.trak(boxes.stbl([], [], per_chunk=1), b"soun", 0, 0)
    small = boxes.trak(boxes.stbl([], [], per_chunk=1), b"vide", 320, 180)
    large = boxes.trak(boxes.stbl([], [], per_chunk=1), b"vide", 1920, 1080)
    moov = boxes.box(b"moov", boxes.mvhd() + sound + small + large)
    assert inspect(boxes.ftyp() + moov + boxes.box(b"mdat")) == Media(3.0, 320, 180)


def test_what_a_video_does_not_say_is_not_invented():
    moov = boxes.box(b"moov", boxes.mvhd(duration=0xFFFFFFFF))
    assert inspect(boxes.ftyp() + moov + boxes.box(b"mdat")) == Media(None, None, None)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>expired</html>", "HTML"),
        (b'\n {"error": "expired"}', "JSON"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png"),
        (boxes.ftyp(b"M4A ") + boxes.mp4()[24:], "audio/mp4"),
        (boxes.mp4()[24:], "not MP4"),
        (boxes.ftyp() + boxes.box(b"mdat", b"x"), "moov"),
        (boxes.ftyp() + boxes.box(b"moov", boxes.mvhd()), "mdat"),
        (boxes.ftyp() + boxes.box(b"moov") + boxes.box(b"mdat"), "mvhd"),
        (boxes.ftyp() + boxes.box(b"moov", boxes.mvhd(1, 0)) + boxes.box(b"mdat"), "timescale"),
        (boxes.fragmented(1) + boxes.box(b"moof"), "fragment"),
    ],
)
def test_a_refusal_says_what_it_is(data, word):
    with pytest.raises(NotMedia, match=word):
        inspect(data)


def test_samples_beyond_the_end_are_refused_even_where_every_box_fits():
    data = boxes.mp4(mdat=boxes.endless_box)
    with pytest.raises(NotMedia, match="samples lie beyond"):
        inspect(data[:-1])


def test_a_table_that_claims_more_entries_than_it_has_is_refused():
    liar = boxes.box(b"stco", boxes.full() + struct.pack(">I", 0xFFFFFFFF))
    moov = boxes.box(b"moov", boxes.mvhd() + boxes.trak(boxes.box(b"stbl", liar)))
    with pytest.raises(NotMedia, match="stco"):
        inspect(boxes.ftyp() + moov + boxes.box(b"mdat"))


def test_a_box_that_reaches_out_of_its_container_is_refused():
    header = boxes.mvhd()
    moov = boxes.box(b"moov", struct.pack(">I", len(header) + 1) + header[4:])
    with pytest.raises(NotMedia, match="1 bytes of mvhd are missing"):
        inspect(boxes.ftyp() + moov + boxes.box(b"mdat"))


def test_a_beginning_is_judged_without_the_rest():
    check_head(boxes.mp4()[:64])
    with pytest.raises(NotMedia):
        check_head(b"<html>" + bytes(58))


def test_an_index_of_monstrous_size_is_not_read_into_memory(tmp_path):
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.write(boxes.ftyp() + struct.pack(">I4s", 2**30, b"moov"))
        file.seek(2**30 - 8, io.SEEK_CUR)
        file.write(boxes.box(b"mdat"))
    tracemalloc.start()
    try:
        with pytest.raises(NotMedia, match="index"):
            inspect_mp4(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_countless_empty_boxes_end():
    with pytest.raises(NotMedia, match="more than"):
        inspect(boxes.ftyp() + boxes.box(b"free") * 100_001)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_crash(data):
    with pytest.raises(NotMedia):
        inspect(data)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([*WHOLE.values(), boxes.fragmented()]),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=8)), max_size=4),
)
def test_mutated_boxes_are_accepted_or_refused_but_never_crash(data, changes):
    mutated = bytearray(data)
    for place, patch in changes:
        start = place % len(mutated)
        mutated[start : start + len(patch)] = patch
    try:
        media = inspect(bytes(mutated))
    except NotMedia:
        return
    assert media.duration_s is None or media.duration_s >= 0
