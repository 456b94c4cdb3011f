"""What a job is called: slugs for file names, the key, the identity that outlives edits."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Longest slug of one value, digest included.
SLUG_LENGTH = 40
#: Longest part of a key that joins several axes; file systems end at 255 bytes.
PART_LENGTH = 120
_DIGEST_LENGTH = 8

#: The first part of keys that the run folder needs for itself.
RESERVED = frozenset({"superseded"})

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

_OUTSIDE = re.compile(r"[^a-z0-9._-]+")
#: Names that Windows gives to devices, whatever their extension.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)


def short_digest(text: str) -> str:
    """The first 8 hex digits of the text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]


@lru_cache(maxsize=65_536)
def slug(value: str) -> str:
    """A value as one safe part of a file name.

    Letter case and Unicode form do not count: values that differ in nothing else get one slug, and
    so collide. Where anything else is lost, a digest keeps different values apart.
    """
    text = normalize("NFC", value.lower())
    clean = _OUTSIDE.sub("-", text).strip("-.")
    if clean and clean == text and len(clean) <= SLUG_LENGTH and not _is_device(clean):
        return clean
    return _with_digest(clean, text, SLUG_LENGTH)


def _is_device(name: str) -> bool:
    return name.partition(".")[0] in _DEVICES


def _with_digest(clean: str, text: str, length: int) -> str:
    kept = clean[: length - _DIGEST_LENGTH - 1].rstrip("-.")
    if _is_device(kept):
        # The dot would leave the device's name in front of it.
        kept = kept.replace(".", "-")
    return f"{kept}-{short_digest(text)}".lstrip("-")


def axes_part(values: Sequence[str]) -> str:
    """The slugs of several axis values as one part of a key."""
    joined = "-".join(slug(value) for value in values)
    return joined if len(joined) <= PART_LENGTH else _with_digest(joined, joined, PART_LENGTH)


def identity_of(
    job_id: str, item: str | None, axes: Mapping[str, str], row: str | None, take: int
) -> str:
    """The identity as canonical JSON; the order of axes does not matter."""
    if item is None and not axes and row is None:
        # What the encoder would give, for the many jobs that nothing multiplies.
        return f'{{"id":{encode_basestring(job_id)},"take":{take}}}'
    parts: dict[str, object] = {"id": job_id, "take": take}
    if item is not None:
        parts["item"] = item
    if axes:
        parts["axes"] = axes
    if row is not None:
        parts["row"] = row
    return _CANONICAL.encode(parts)


def digest_of_cells(cells: Mapping[str, str]) -> str:
    """A row's place in the identity where it has no `id`."""
    return short_digest(_CANONICAL.encode(cells))
