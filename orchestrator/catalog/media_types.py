"""What a media file is, told from its first bytes; what its kind is, told from its name.

A provider checks the content's signature and not the name, so a local file is judged the same way
before anything is paid for.
"""

from __future__ import annotations

from pathlib import PurePosixPath

#: How many first bytes `sniff` wants to see; fewer are fine and may tell less.
HEAD_BYTES = 64

_EXTENSIONS = {
    "image": ("avif", "gif", "heic", "jpeg", "jpg", "png", "webp"),
    "video": ("m4v", "mkv", "mov", "mp4", "qt", "webm"),
    "audio": ("aac", "m4a", "mp3", "oga", "ogg", "wav"),
}
_KINDS = {f".{name}": kind for kind, names in _EXTENSIONS.items() for name in names}

#: Major brands of the `ftyp` box that are no MP4 video.
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heic",
    b"msf1": "image/heic",
}
#: Boxes that begin a QuickTime file from before the `ftyp` box existed.
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"pnot"})

_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"ADIF", "audio/aac"),
)
_RIFF_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def sniff(head: bytes) -> str | None:
    """The MIME type that a file's first bytes (`HEAD_BYTES` of them) say, None where unknown."""
    for signature, mime_type in _SIGNATURES:
        if head.startswith(signature):
            return mime_type
    if head.startswith(b"RIFF"):
        return _RIFF_FORMS.get(head[8:12])
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _matroska(head)
    if head.startswith(b"OggS"):
        return "video/ogg" if b"theora" in head else "audio/ogg"
    return _iso_media(head) or _audio_frame(head)


def kind_of(mime_type: str) -> str:
    """`image`, `video` or `audio` for a MIME type of that family; its first part for others."""
    return mime_type.partition("/")[0].strip().lower()


def kind_by_extension(name: str) -> str | None:
    """`image`, `video` or `audio` by a file name's extension, None where it tells nothing."""
    return _KINDS.get(PurePosixPath(name).suffix.lower())


def _iso_media(head: bytes) -> str | None:
    """MP4, QuickTime and their relatives: a box length, then a box name."""
    box = head[4:8]
    if box == b"ftyp" and len(head) >= 12:
        return _BRANDS.get(head[8:12], "video/mp4")
    return "video/quicktime" if box in _OLD_QUICKTIME else None


def _matroska(head: bytes) -> str | None:
    """WebM is Matroska whose DocType element (id 0x4282) reads `webm`."""
    element = head.find(b"\x42\x82")
    if element < 0:
        return None
    return "video/webm" if b"webm" in head[element : element + 16] else "video/x-matroska"


def _audio_frame(head: bytes) -> str | None:
    """A bare MPEG audio frame or ADTS frame: eleven or twelve set bits, then the layer."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    # Layers II and III only: a UTF-16 text begins like a frame of layer I.
    if version != 1 and layer in (1, 2) and bitrate != 15 and rate != 3:
        return "audio/mpeg"
    return None
