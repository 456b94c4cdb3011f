"""The one clock of a run: monotonic time for waiting, wall time for the ledger."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the engine sees it.

    Monotonic time is the event loop's own, so that a loop in virtual time carries the whole
    engine with it; wall time may jump and is only written down, never waited for.
    """

    #: Seconds since the epoch.
    wall: Callable[[], float] = time.time

    def now(self) -> float:
        """Seconds on the event loop's clock, which never goes back."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of the event loop's clock."""
        await anyio.sleep(max(seconds, 0.0))
