"""An event loop whose clock runs fast: sockets, files and threads are real, waits are short."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

#: Seconds of the loop's clock in one real second. Every wait and time-out of the product counts
#: in the loop's clock, so that a minute's patience passes in about a second.
SPEED = 50.0


class _Selector(selectors.DefaultSelector):
    """Waits as much shorter as the clock runs faster."""

    speed = SPEED

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.speed if timeout else timeout)


class HurriedLoop(asyncio.SelectorEventLoop):
    """Its clock runs `speed` times as fast as the world's."""

    def __init__(self, speed: float = SPEED) -> None:
        selector = _Selector()
        selector.speed = speed
        self._speed = speed
        self._began = time.monotonic()
        super().__init__(selector)

    def time(self) -> float:
        return self._began + (time.monotonic() - self._began) * self._speed


def hurried(work: Callable[..., Awaitable[T]], *arguments: object, speed: float = SPEED) -> T:
    """Run a coroutine to its end on a hurried clock."""
    return anyio.run(
        work,  # type: ignore[arg-type]
        *arguments,
        backend_options={"loop_factory": lambda: HurriedLoop(speed)},
    )
