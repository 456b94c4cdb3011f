"""`run.log`: what happened, as JSON lines, for the morning after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import EventDict, Processor

    from orchestrator.engine.clock import Clock


class Journal:
    """Writes events to a stream, one JSON object a line, flushed as they come.

    Credentials never get here: they live in the transport alone.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[_timestamp(clock), structlog.processors.JSONRenderer(ensure_ascii=False)],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=True,
        )

    def note(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write one line. Fields that are None are left out."""
        self._log.info(event, **{key: value for key, value in fields.items() if value is not None})


def _timestamp(clock: Clock) -> Processor:
    def stamp(_logger: object, _method: str, event: EventDict) -> EventDict:
        at = datetime.fromtimestamp(clock.wall(), UTC)
        text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"at": text, "event": event.pop("event"), **event}

    return stamp
