"""Blocking work on a run folder's disk, off the event loop and in batches.

What comes within a moment, and what comes while a hand is busy, is handed over together: a thread
does it piece by piece, syncs the files that it wrote together, then makes the names durable that it
gave, each folder once, and wakes the loop once. One hand serves a quick disk, since threads get in
each other's way; where it takes long, others help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.storage.paths import sync_files, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

#: Work that writes files: each descriptor that it yields is synced, and an OSError is raised there
#: where that fails. It returns what comes of it.
Syncing = Generator[int, None, T]

#: Batches under way at once: on a slow disk, files that are synced side by side are durable sooner.
HANDS = 4
#: How long work waits for more of its kind before a hand takes it, in seconds.
LINGER = 0.001
#: How long work waits for a busy hand before another one takes it, in seconds.
PATIENCE = 0.005
#: Most files that are open at once to be synced together.
TOGETHER = 32


@dataclass(slots=True)
class _Piece:
    """One piece of work and what came of it."""

    work: Callable[..., Any]
    arguments: tuple[object, ...]
    #: The folder in which the work gives a name.
    names: Path | None
    #: None where nobody waits for it.
    waiter: asyncio.Future[Any] | None
    value: Any = None
    error: BaseException | None = None
    _steps: Syncing[Any] | None = None

    def go_on(self, failure: OSError | None = None) -> int | None:
        """Work up to the next file that is to be synced, and return it; None at the end.

        `failure` is what came of syncing the last one.
        """
        try:
            if self._steps is None:
                self._steps = _steps(self.work, self.arguments)
            return next(self._steps) if failure is None else self._steps.throw(failure)
        except StopIteration as end:
            self.value = end.value
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits for it
            self.error = error
        return None


def _steps(work: Callable[..., Any], arguments: tuple[object, ...]) -> Syncing[Any]:
    """The work as one that yields what is to be synced, whether it has anything to sync or not."""
    value = work(*arguments)
    return (yield from value) if isinstance(value, Generator) else value


class Disk:
    """Hands for one run folder's blocking work."""

    def __init__(self) -> None:
        self._gathered: list[_Piece] = []
        self._busy = 0
        #: When what was gathered is handed over, unless a hand is free before.
        self._due: asyncio.Handle | None = None

    async def do(
        self,
        work: Callable[..., T] | Callable[..., Syncing[T]],
        *arguments: object,
        names: Path | None = None,
    ) -> T:
        """Do blocking work in a thread, and return or raise what came of it.

        A name that it gives in the folder `names` is durable on return. Who stops waiting stops
        nothing that has begun.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._gathered.append(_Piece(work, arguments, names, waiter))
        if self._due is None:
            wait = PATIENCE if self._busy else LINGER
            self._due = loop.call_later(wait, self._hand_over)
        return await waiter

    def leave(self, work: Callable[..., object], *arguments: object) -> None:
        """Have blocking work done along with what comes next, if anything does.

        Nobody hears what comes of it: it has to be such that a later run can do it too.
        """
        self._gathered.append(_Piece(work, arguments, None, None))

    def _hand_over(self) -> None:
        """Give a hand all that was gathered; while all are busy it waits for the first."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._busy == HANDS:
            return
        batch = [
            piece for piece in self._gathered if piece.waiter is None or not piece.waiter.done()
        ]
        self._gathered = []
        if not batch:
            return
        self._busy += 1
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None]
        try:
            done = loop.run_in_executor(None, _work_off, batch)
        except RuntimeError as error:  # no thread can be started
            done = loop.create_future()
            done.set_exception(error)
        done.add_done_callback(partial(self._answer, batch))

    def _answer(self, batch: Sequence[_Piece], done: asyncio.Future[None]) -> None:
        """Tell those who wait, and take up what came meanwhile."""
        self._busy -= 1
        failure = asyncio.CancelledError() if done.cancelled() else done.exception()
        for piece in batch:
            if piece.waiter is None or piece.waiter.done():
                continue
            error = piece.error or failure
            if error is None:
                piece.waiter.set_result(piece.value)
            else:
                piece.waiter.set_exception(error)
        if any(piece.waiter is not None for piece in self._gathered):
            self._hand_over()


def _work_off(batch: Sequence[_Piece]) -> None:
    """Do all pieces, then sync the folders in which they gave names."""
    for start in range(0, len(batch), TOGETHER):
        _do_together(batch[start : start + TOGETHER])
    for folder in {piece.names for piece in batch if piece.names and piece.error is None}:
        try:
            sync_folder(folder)
        except OSError as error:
            for piece in batch:
                if piece.names == folder:
                    piece.error = piece.error or error


def _do_together(pieces: Sequence[_Piece]) -> None:
    """Do pieces side by side: none goes on before the files of all are synced."""
    written = [(piece, file) for piece in pieces if (file := piece.go_on()) is not None]
    while written:
        failures = sync_files([file for _, file in written])
        written = [
            (piece, file)
            for (piece, _), failure in zip(written, failures, strict=True)
            if (file := piece.go_on(failure)) is not None
        ]
