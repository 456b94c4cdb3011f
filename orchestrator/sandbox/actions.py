"""What a rule of a faults file can do: every action, where it may happen, what it takes.

Actions of a reply (`on: create, poll, upload, download, balance`):

    status: 500             this status; `code`, `message`, `body` (a text sent as it is),
                            `retry_after` (any text: 2, -1, NaN, a date)
    reset                   the connection is reset without a reply
    hang: 30                nothing comes for so many seconds (else until the end), then a reset
    cut: 100                the connection ends after so many bytes of the body (else after half)
    slow: 100               so many bytes of the body a second
    redirect: 307           with `to` as its target
    html                    200 with a page
    empty                   200 with nothing
    gzip: 1000000           the reply is compressed, or so many zeros are in its place
    garbage: text           200 with text, list, nan, duplicate, surrogate, deep or endless

On a create, and on an upload, `made: true` plays the action after the task was made.

Actions of a download (`on: download`):

    truncated               half the frames are missing, the length agrees
    expired                 403 for the URL, until a poll tells a new one
    changed                 from now on the object is another one
    wrong_range: 1          a range that begins so many bytes later than asked
    ignore_range            200 and the whole object, whatever range was asked
    lie: 10                 a Content-Length that is so many bytes too high (negative: too low)
    no_length               no Content-Length
    endless                 a body that never ends
    no_etag                 no ETag

Actions of a task (`on: task`): they are decided when it is made; several rules may add up.

    fail: generation_failed with `message`; `bare: true` for a bare text (AceDataCloud)
    refused                 the content is refused
    channel_down            there is no channel for the model
    never                   it never ends
    latency: 3              seconds until it ends, whatever the pace
    missing: 5              seconds for which its id is not known
    flap: [processing, …]   the status words of its first polls
    word: reviewing         the status word while it runs
    spell: COMPLETED        the status word of success
    hiccup                  while it runs: `success: false` without a code (AceDataCloud)
    sync                    the create is answered when it has ended (AceDataCloud)
    no_url                  success without a URL
    urls: 3                 so many videos
    credits: 90             so many final credits
    reserve: 90             so many reserved credits
    duplicate               the reply carries the id of the task that was made before
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Reads a value of the file, raising ValueError or TypeError that says what is wrong with it.
Reader = Callable[[object], Any]

REPLIES = frozenset({"create", "poll", "upload", "download", "balance"})
DOWNLOADS = frozenset({"download"})
TASKS = frozenset({"task"})
PLACES = REPLIES | TASKS

#: Kinds of `garbage`.
GARBAGE = ("text", "list", "nan", "duplicate", "surrogate", "deep", "endless")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong: an action with its argument (None: its default) and options."""

    action: str
    argument: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """Whether what was asked for is done before the action is played."""
        return bool(self.options.get("made", False))


@dataclass(frozen=True, slots=True)
class Action:
    """Where an action may happen, and how its argument and options are read from text."""

    places: frozenset[str]
    argument: Reader
    #: Whether the action means nothing without an argument.
    needed: bool = False
    options: Mapping[str, Reader] = field(default_factory=dict)


def whole(value: object) -> int:
    """A whole number."""
    return int(_scalar(value))


def number(value: object) -> float:
    """A finite number that is not negative."""
    read = float(_scalar(value))
    if not 0 <= read < float("inf"):
        raise ValueError("must be a number that is not negative")
    return read


def count(value: object) -> int:
    """A whole number from 1 on."""
    read = whole(value)
    if read < 1:
        raise ValueError("must be 1 or more")
    return read


def text(value: object) -> str:
    """Any text."""
    return _scalar(value)


def flag(value: object) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return bool(value == "true")


def yes(value: object) -> bool:
    """`true`: an action that takes nothing else is left out where it is not wanted."""
    if value != "true":
        raise ValueError("takes no value but true")
    return True


def words(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list):
        raise TypeError("must be a list")
    return tuple(_scalar(item) for item in value)


def status(value: object) -> int:
    """An HTTP status of a final reply."""
    read = whole(value)
    if not 200 <= read <= 599:
        raise ValueError("must be an HTTP status from 200 to 599")
    return read


def kind_of_garbage(value: object) -> str:
    """One of `GARBAGE`."""
    if value not in GARBAGE:
        raise ValueError(f"must be one of {', '.join(GARBAGE)}")
    return str(value)


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a single value")
    return value


_MADE: Mapping[str, Reader] = {"made": flag}
_STATUS: Mapping[str, Reader] = {
    "code": text, "message": text, "body": text, "retry_after": text, "made": flag,
}  # fmt: skip
_FAIL: Mapping[str, Reader] = {"message": text, "bare": flag}

ACTIONS: Mapping[str, Action] = {
    "status": Action(REPLIES, status, needed=True, options=_STATUS),
    "reset": Action(REPLIES, yes, options=_MADE),
    "hang": Action(REPLIES, number, options=_MADE),
    "cut": Action(REPLIES, whole),
    "slow": Action(REPLIES, count),
    "redirect": Action(REPLIES, status, options={"to": text, "made": flag}),
    "html": Action(REPLIES, yes, options=_MADE),
    "empty": Action(REPLIES, yes, options=_MADE),
    "gzip": Action(REPLIES, count),
    "garbage": Action(REPLIES, kind_of_garbage, options=_MADE),
    "truncated": Action(DOWNLOADS, yes),
    "expired": Action(DOWNLOADS, yes),
    "changed": Action(DOWNLOADS, yes),
    "wrong_range": Action(DOWNLOADS, count),
    "ignore_range": Action(DOWNLOADS, yes),
    "lie": Action(DOWNLOADS, whole),
    "no_length": Action(DOWNLOADS, yes),
    "endless": Action(DOWNLOADS, yes),
    "no_etag": Action(DOWNLOADS, yes),
    "fail": Action(TASKS, text, options=_FAIL),
    "refused": Action(TASKS, yes),
    "channel_down": Action(TASKS, yes),
    "never": Action(TASKS, yes),
    "latency": Action(TASKS, number, needed=True),
    "missing": Action(TASKS, number, needed=True),
    "flap": Action(TASKS, words, needed=True),
    "word": Action(TASKS, text, needed=True),
    "spell": Action(TASKS, text, needed=True),
    "hiccup": Action(TASKS, yes),
    "sync": Action(TASKS, yes),
    "no_url": Action(TASKS, yes),
    "urls": Action(TASKS, count, needed=True),
    "credits": Action(TASKS, number, needed=True),
    "reserve": Action(TASKS, number, needed=True),
    "duplicate": Action(TASKS, yes),
}
