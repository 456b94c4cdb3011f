"""An event loop in virtual time: when nothing can run, the clock jumps to what is due next."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

#: Where virtual wall time begins: 2026-05-11T00:00:00Z.
EPOCH = 1_778_457_600.0


class Deadlock(BaseException):
    """Nothing can run and nothing is due: the program would hang for ever."""


class Crash(BaseException):
    """The process dies here: no `finally` of the program has been seen to run."""


class _Selector(selectors.SelectSelector):
    """Never waits: tells the loop to jump instead."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Deadlock("nothing is due")
        if not ready and timeout and timeout > 0:
            assert self.loop is not None
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything can run."""

    def __init__(self, start: float = 0.0) -> None:
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self.now = start

    def time(self) -> float:
        return self.now


def run_virtual(work: Callable[..., Awaitable[T]], *arguments: object, start: float = 0.0) -> T:
    """Run a coroutine to its end in virtual time."""
    return anyio.run(
        work,  # type: ignore[arg-type]
        *arguments,
        backend_options={"loop_factory": lambda: VirtualLoop(start)},
    )
