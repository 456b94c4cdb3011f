from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.media_types import kind_by_extension, kind_of, sniff

HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/gif": b"GIF89a\1\0\1\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/avif": b"\0\0\0\x1cftypavif\0\0\0\0",
    "image/heic": b"\0\0\0\x1cftypheic\0\0\0\0",
    "video/mp4": b"\0\0\0\x18ftypisom\0\0\2\0",
    "video/quicktime": b"\0\0\0\x14ftypqt  \0\0\2\0",
    "video/webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm",
    "video/x-matroska": b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska",
    "video/ogg": b"OggS\0\2" + bytes(22) + b"\x80theora",
    "audio/mpeg": b"ID3\4\0\0\0\0\0\0",
    "audio/mp4": b"\0\0\0\x18ftypM4A \0\0\2\0",
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "audio/aac": b"\xff\xf1\x50\x80\x00\x1f\xfc",
    "audio/ogg": b"OggS\0\2" + bytes(22) + b"\x01vorbis",
}


@pytest.mark.parametrize("mime_type", HEADS)
def test_the_first_bytes_tell_the_type(mime_type):
    assert sniff(HEADS[mime_type]) == mime_type


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
        (b"ADIF\0\0", "audio/aac"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        ("hello".encode("utf-16"), None),
        (b"<html>", None),
        (b"RIFF\x24\0\0\0AVI LIST", None),
        (b"\x1aE\xdf\xa3\x9f", None),
        (b"", None),
    ],
)
def test_odd_beginnings_are_told_apart(head, mime_type):
    assert sniff(head) == mime_type


@given(st.binary(max_size=80))
def test_any_bytes_are_judged_without_a_crash(head):
    mime_type = sniff(head)
    assert mime_type is None or kind_of(mime_type) in ("image", "video", "audio")


def test_kinds_come_from_types_and_extensions():
    assert kind_of("video/mp4") == "video"
    assert kind_of("Image/PNG") == "image"
    assert kind_by_extension("images/Bottle.PNG") == "image"
    assert kind_by_extension("clip.mov") == "video"
    assert kind_by_extension("voice.m4a") == "audio"
    assert kind_by_extension("notes.txt") is None
    assert kind_by_extension("png") is None
