import pytest

from orchestrator.sandbox import media
from orchestrator.sandbox.uploads import ASSUMED_SECONDS, content_type, duration


@pytest.mark.parametrize(
    ("content", "kind", "mime_type"),
    [
        (b"\xff\xd8\xff\xe0", "image", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", "video", None),
        (b"\0\0\0\x14ftypqt  ", "video", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video", "video/quicktime"),
        (b"\0\0\0\x14ftypisom", "video", "video/mp4"),
        (b"\0\0\0\x14ftypisom", "audio", "audio/mp4"),
        (b"\0\0\0\x14ftypM4A ", "video", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3", "video", "video/webm"),
        (b"OggS\0", "audio", "audio/ogg"),
        (b"ID3\x04", "audio", "audio/mpeg"),
        (b"\xff\xf1\x50", "audio", "audio/aac"),
        (b"<html>", "image", None),
        (b"", "image", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content, kind, mime_type):
    assert content_type(content, kind) == mime_type


def test_a_duration_is_read_from_the_movie_header():
    assert duration(media.clip("1:1")) == 2.0
    long_form = (
        b"mvhd\x01\0\0\0" + bytes(16) + (1000).to_bytes(4, "big") + (7500).to_bytes(8, "big")
    )
    assert duration(long_form + bytes(8)) == 7.5


def test_a_file_that_does_not_tell_its_duration_is_assumed_to_last_a_while():
    for content in (b"", b"OggS" + bytes(100), b"mvhd", b"mvhd" + bytes(100)):
        assert duration(content) == ASSUMED_SECONDS
