"""The videos the sandbox delivers: one clip for each shape, made unique for each generation.

The clips in `clips/` are real H.264 files (`render_clips.py` made them). A generation's video is
its clip with a `free` box behind it that names the generation: players skip such a box, and no
two generations have the same bytes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import cache
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How long a link to a video holds, in seconds.
LINK_SECONDS = 3600

CLIPS = Path(__file__).with_name("clips")

#: Width by height in pixels of each shape that a model can ask for.
SHAPES = {
    "16:9": "320x180",
    "9:16": "180x320",
    "1:1": "240x240",
    "4:3": "320x240",
    "3:4": "240x320",
}

#: Shapes by the names some models give them.
NAMED_SHAPES = {"landscape": "16:9", "portrait": "9:16"}


def shape(params: Mapping[str, object]) -> str:
    """The shape a create's parameters ask for; 16:9 where they say nothing."""
    asked = str(params.get("aspect_ratio", "16:9"))
    named = NAMED_SHAPES.get(asked, asked)
    return named if named in SHAPES else "16:9"


@cache
def clip(shape: str) -> bytes:
    """The clip of one of `SHAPES`."""
    return (CLIPS / f"{shape.replace(':', 'x')}.mp4").read_bytes()


#: Bytes of a box before its payload.
BOX_HEADER = 8


def box(kind: str, payload: bytes) -> bytes:
    """An MP4 box: its size over both fields in four bytes, its kind, its payload."""
    return (BOX_HEADER + len(payload)).to_bytes(4, "big") + kind.encode("ascii") + payload


def video(
    params: Mapping[str, object],
    task_id: str,
    prompt: str,
    index: int,
    edition: int,
    *,
    least: int = 0,
) -> bytes:
    """The bytes of one generation's video `index`; another `edition` is another object.

    It is filled up to `least` bytes where it has fewer.
    """
    label = {
        "task": task_id,
        "prompt_sha256": sha256(prompt.encode("utf-8", "replace")).hexdigest(),
        "index": index,
        "edition": edition,
    }
    shown = clip(shape(params))
    text = json.dumps(label).encode()
    return shown + box("free", text.ljust(least - len(shown) - BOX_HEADER))


def etag(content: bytes) -> str:
    """A strong entity tag: it changes with any byte."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def truncated(content: bytes) -> bytes:
    """A video whose index is whole and whose frames end half way, as a broken upload leaves it.

    The label and the second half of the frames are gone, so that the boxes no longer add up.
    """
    frames = content.rindex(b"mdat")
    return content[: frames + (len(content) - frames) // 2]


class Shelf:
    """Links to videos, signed and for a time, and which edition of a video lies there."""

    def __init__(self) -> None:
        #: How often a task's links were withdrawn.
        self._withdrawn: Counter[str] = Counter()
        #: Which edition of its videos a task has.
        self._editions: Counter[str] = Counter()

    def link(self, origin: str, provider: str, task_id: str, index: int) -> str:
        """A URL that holds for `LINK_SECONDS`, or until the task's links are withdrawn."""
        path = f"/cdn/{provider}/{task_id}/{index}.mp4"
        expires = str(int(time.time()) + LINK_SECONDS)
        return f"{origin}{path}?Expires={expires}&Signature={self._sign(path, task_id, expires)}"

    def honours(self, path: str, task_id: str, expires: str, signature: str) -> bool:
        """Whether a link is one of ours and still holds."""
        known = compare_digest(signature.encode(), self._sign(path, task_id, expires).encode())
        return known and int(expires) > time.time()

    def withdraw(self, task_id: str) -> None:
        """Let a task's present links expire; its next poll tells new ones."""
        self._withdrawn[task_id] += 1

    def replace(self, task_id: str) -> None:
        """Put another object in the place of each of a task's videos."""
        self._editions[task_id] += 1

    def edition(self, task_id: str) -> int:
        """Which edition of its videos a task has now."""
        return self._editions[task_id]

    def _sign(self, path: str, task_id: str, expires: str) -> str:
        # No secret: the links keep nobody out, they only must not work without their query.
        text = f"{path}/{expires}/{self._withdrawn[task_id]}"
        return sha256(f"sandbox/{text}".encode()).hexdigest()[:32]
