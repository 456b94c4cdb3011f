"""`run.log`: what happened, as JSON lines, for the morning after."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orchestrator.json_text import to_json

if TYPE_CHECKING:
    from typing import TextIO

    from orchestrator.engine.clock import Clock


#: How long a line may wait for those after it before it is written out, in seconds.
FLUSH_AFTER = 0.02

#: What a lost ledger is made again from: it waits for nothing.
URGENT = frozenset({"intent", "resend", "accepted", "not_in_the_ledger"})


class Journal:
    """Writes events to a stream, one JSON object a line.

    Credentials never get here: they live in the transport alone.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        #: When what was written goes out, and whether it does so in this turn of the loop.
        self._due: asyncio.Handle | None = None
        self._is_urgent = False
        #: The second that was written last, and its text.
        self._second: tuple[int, str] = (-1, "")

    def note(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write one line. Fields that are None are left out."""
        line: dict[str, Any] = {"at": self._now(), "event": event, **fields}
        if None in line.values():
            line = {name: value for name, value in line.items() if value is not None}
        try:
            self._stream.write(to_json(line) + "\n")
        except OSError:
            # A disk without room for the log has none for what matters either, which says so.
            return
        if event in URGENT:
            if not self._is_urgent:
                self._is_urgent = True
                asyncio.get_running_loop().call_soon(self._flush)
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(FLUSH_AFTER, self._flush)

    def _now(self) -> str:
        """The time in UTC by RFC 3339, in milliseconds."""
        now = self._clock.wall()
        second = int(now // 1)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{int(now % 1 * 1000):03}Z"

    def _flush(self) -> None:
        """Write out what was noted meanwhile."""
        if self._due is not None:
            self._due.cancel()
        self._due, self._is_urgent = None, False
        if not self._stream.closed:
            with suppress(OSError):
                self._stream.flush()
