"""`run.log`: what happened, as JSON lines, for the morning after."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

    from orchestrator.engine.clock import Clock


class Journal:
    """Writes events to a stream, one JSON object a line.

    Credentials never get here: they live in the transport alone.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._is_flushing = False

    def note(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write one line. Fields that are None are left out."""
        now = self._clock.wall()
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at.replace("+00:00", "Z"), "event": event}
        line |= {key: value for key, value in fields.items() if value is not None}
        with suppress(OSError):
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write out what one turn of the event loop brought."""
        self._is_flushing = False
        if not self._stream.closed:
            # A disk without room for the log has none for what matters either, which says so.
            with suppress(OSError):
                self._stream.flush()
