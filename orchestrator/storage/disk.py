"""Blocking work on a run folder's disk, off the event loop and in batches.

What one turn of the event loop brings, and what comes while all hands are full, is handed over
together: a thread does it piece by piece, then makes the names durable that it gave, each folder
once, and wakes the loop once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.storage.paths import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

#: Batches under way at once: files that are synced side by side become durable faster.
HANDS = 4


@dataclass(slots=True)
class _Piece:
    """One piece of work and what came of it."""

    work: Callable[..., Any]
    arguments: tuple[object, ...]
    #: The folder in which the work gives a name.
    names: Path | None
    waiter: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


class Disk:
    """Hands for one run folder's blocking work."""

    def __init__(self) -> None:
        self._gathered: list[_Piece] = []
        self._busy = 0

    async def do(self, work: Callable[..., T], *arguments: object, names: Path | None = None) -> T:
        """Do blocking work in a thread, and return or raise what came of it.

        A name that it gives in the folder `names` is durable on return. Who stops waiting stops
        nothing that has begun.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(_Piece(work, arguments, names, waiter))
        return await waiter

    def _hand_over(self) -> None:
        """Give every free hand its share of what was gathered."""
        waiting = [piece for piece in self._gathered if not piece.waiter.done()]
        while waiting and self._busy < HANDS:
            share = -(-len(waiting) // (HANDS - self._busy))
            batch, waiting = waiting[:share], waiting[share:]
            self._busy += 1
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None]
            try:
                done = loop.run_in_executor(None, _work_off, batch)
            except RuntimeError as error:  # no thread can be started
                done = loop.create_future()
                done.set_exception(error)
            done.add_done_callback(partial(self._answer, batch))
        self._gathered = waiting

    def _answer(self, batch: Sequence[_Piece], done: asyncio.Future[None]) -> None:
        """Tell those who wait, and take up what came meanwhile."""
        self._busy -= 1
        failure = asyncio.CancelledError() if done.cancelled() else done.exception()
        for piece in batch:
            if piece.waiter.done():
                continue
            error = piece.error or failure
            if error is None:
                piece.waiter.set_result(piece.value)
            else:
                piece.waiter.set_exception(error)
        self._hand_over()


def _work_off(batch: Sequence[_Piece]) -> None:
    """Do all pieces, then sync the folders in which they gave names."""
    for piece in batch:
        try:
            piece.value = piece.work(*piece.arguments)
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits for it
            piece.error = error
    for folder in {piece.names for piece in batch if piece.names and piece.error is None}:
        try:
            sync_folder(folder)
        except OSError as error:
            for piece in batch:
                if piece.names == folder:
                    piece.error = piece.error or error
