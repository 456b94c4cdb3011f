"""Emulated rate limits: what a faults file states under `limits`.

`in_flight` is the most unfinished tasks; `creates_per_minute` and `polls_per_second` hold in every
sliding window of that length; a rate below 1 is one request in a window so much longer.
`retry_after` is the header in place of the time until the window has room.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from math import ceil
from typing import TYPE_CHECKING

from orchestrator.sandbox.log import Log, Violation
from orchestrator.sandbox.replies import Refused, code_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The place a limit watches, and its window in seconds.
RATES = {"creates_per_minute": ("create", 60.0), "polls_per_second": ("poll", 1.0)}

#: Seconds that a client is asked to wait for a task to end.
WAIT_FOR_A_TASK = 1


class Limits:
    """The limits of all providers, and what came in lately."""

    def __init__(self, limits: Mapping[str, Mapping[str, float]], log: Log) -> None:
        self._limits = limits
        self._log = log
        self._recent: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admit(self, provider: str, on: str, open_tasks: Callable[[], int]) -> None:
        """Let a request in, or raise Refused (429) and record the violation."""
        limits = self._limits.get(provider)
        if not limits:
            return
        if on == "create" and open_tasks() >= limits.get("in_flight", float("inf")):
            self._refuse(provider, "in_flight", WAIT_FOR_A_TASK)
        for limit, (place, window) in RATES.items():
            if place == on and limit in limits:
                self._admit_rate(provider, limit, limits[limit], window)

    def _admit_rate(self, provider: str, limit: str, rate: float, window: float) -> None:
        most = max(int(rate), 1)
        window *= 1 if rate >= 1 else 1 / rate if rate else float("inf")
        now = time.monotonic()
        recent = self._recent[provider, limit]
        while recent and recent[0] <= now - window:
            recent.popleft()
        if len(recent) >= most:
            wait = recent[0] + window - now
            self._refuse(provider, limit, ceil(wait) if wait < float("inf") else 60)
        recent.append(now)

    def _refuse(self, provider: str, limit: str, wait: float) -> None:
        self._log.violations.append(Violation(time.monotonic(), provider, limit))
        wait = self._limits[provider].get("retry_after", wait)
        message = f"Rate limit exceeded: {limit}"
        raise Refused(429, code_for(provider, 429), message, retry_after=f"{wait:g}")
