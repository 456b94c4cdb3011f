"""What came in, in memory, for tests to look at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: How many requests are remembered; the oldest are forgotten first.
REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request and how it was answered. `at` is on the monotonic clock, in seconds."""

    at: float
    method: str
    path: str
    #: `rivya`, `acedatacloud` or `cdn`.
    service: str
    #: `create`, `poll`, `upload`, `download`, `balance` or `other`.
    on: str
    #: The ids of the tasks it was about.
    tasks: tuple[str, ...]
    #: None where the connection was cut before a status was sent.
    status: int | None
    #: The fault that was played, by its action's name.
    fault: str | None


@dataclass(frozen=True, slots=True)
class Violation:
    """A request above an emulated limit."""

    at: float
    service: str
    limit: str


@dataclass(frozen=True, slots=True)
class Log:
    """Everything the sandbox remembers of its clients."""

    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    violations: deque[Violation] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    #: Paths below `/cdn` that were asked for with a credential: the product leaked its key.
    leaks: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
