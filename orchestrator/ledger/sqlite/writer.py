"""The one connection that writes, and the one thread that owns it.

The thread takes whatever is queued, applies all of it in one transaction, commits, and then wakes
all who wait with a single call into their loop (group commit). Each piece of work has its own
savepoint, so that one that is refused fails alone. After the disk has failed once nothing more is
written: what an earlier fsync lost cannot be known.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orchestrator.errors import LedgerCorrupt, LedgerError, OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence
    from pathlib import Path

T = TypeVar("T")

#: Something to do inside the writer's transaction.
Work = Callable[[sqlite3.Connection], T]

#: Most pieces of work in one transaction, so that nobody waits for an endless one.
MOST_TOGETHER = 1000

#: How long the thread lets work gather when more comes right after a commit, in seconds. A commit
#: with much in it costs hardly more than one with little.
LINGER = 0.001

#: What fails a piece of work alone: a rule of the ledger, or a value that fits no column.
_REFUSALS = (
    OrchestratorError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    TypeError,
    ValueError,
    OverflowError,
)


@dataclass(slots=True)
class Outcome:
    """What one piece of work came to, once its transaction is on disk."""

    value: Any = None
    error: Exception | None = None


class Pending(Protocol):
    """What pieces of work leave to be written when their transaction ends."""

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it, inside the transaction."""

    def forget(self) -> None:
        """Drop it, and all that was concluded from it: the transaction was undone."""


class Nothing:
    """Every piece of work writes all of its own."""

    def write(self, connection: sqlite3.Connection) -> None:
        """There is nothing."""

    def forget(self) -> None:
        """There was nothing."""


class Writer(Protocol):
    """How the ledger gets things written."""

    #: What pieces of work leave to be written when their transaction ends.
    pending: Pending

    def submit(self, work: Work[object]) -> Awaitable[None]:
        """Have it done; the awaitable ends when it is on disk. Nobody need wait for it."""

    def call(self, work: Work[T]) -> T:
        """Have it done, and wait for it."""

    def close(self, reading: sqlite3.Connection) -> None:
        """Write what is queued and close both connections."""


def unwritable(error: Exception) -> LedgerError:
    """What a failure of SQLite means to the user."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return LedgerCorrupt(
            f"the ledger is damaged: {error}. Stop, keep the run folder as it is, and run the same"
            " command again: it checks the ledger and says what to do."
        )
    return LedgerError(
        f"the ledger cannot be written: {error}. Nothing new is sent. Make room on the disk or"
        " mend it, then run the same command again."
    )


def commit_together(
    connection: sqlite3.Connection, works: Sequence[Work[Any]], pending: Pending
) -> list[Outcome]:
    """Do all of it in one transaction; what is refused fails alone.

    A refusal is a rare defect: the transaction is undone then, and done again with a savepoint
    for each piece of work. Raises sqlite3.Error where the disk fails: nothing of it counts as
    written then.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [Outcome(work(connection)) for work in works]
            pending.write(connection)
        except _REFUSALS:
            connection.execute("ROLLBACK")
            pending.forget()
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_do(connection, work, pending) for work in works]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        pending.forget()
        raise
    return outcomes


def _do(connection: sqlite3.Connection, work: Work[Any], pending: Pending) -> Outcome:
    connection.execute("SAVEPOINT work")
    try:
        outcome = Outcome(value=work(connection))
        pending.write(connection)
    except sqlite3.IntegrityError as error:
        outcome = Outcome(error=LedgerError(f"the ledger refuses this: {error}"))
    except _REFUSALS as error:
        outcome = Outcome(error=error)
    if outcome.error is not None:
        connection.execute("ROLLBACK TO work")
        pending.forget()
    connection.execute("RELEASE work")
    return outcome


class Settled:
    """An awaitable that is done already."""

    __slots__ = ("_error",)

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def __await__(self) -> Generator[None, None, None]:
        if self._error is not None:
            raise self._error
        return
        yield


class InlineWriter:
    """Commits at once, on the caller's thread: for simulations in virtual time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.pending: Pending = Nothing()
        self._connection = connection
        self._refusal: Callable[[], LedgerError] | None = None

    def submit(self, work: Work[object]) -> Awaitable[None]:
        """Do it now; the awaitable is done, or raises what went wrong."""
        return Settled(self._do(work).error)

    def call(self, work: Work[T]) -> T:
        """Do it now."""
        outcome = self._do(work)
        if outcome.error is not None:
            raise outcome.error
        value: T = outcome.value
        return value

    def close(self, reading: sqlite3.Connection) -> None:
        """Close both connections, which may be one."""
        failed, self._refusal = self._refusal is not None, _closed
        _close_both(self._connection, reading, failed=failed)

    def _do(self, work: Work[Any]) -> Outcome:
        if self._refusal is not None:
            return Outcome(error=self._refusal())
        try:
            return commit_together(self._connection, [work], self.pending)[0]
        except sqlite3.Error as error:
            self._refusal = _refusal_after(error)
            return Outcome(error=self._refusal())


def _close_both(writing: sqlite3.Connection, reading: sqlite3.Connection, *, failed: bool) -> None:
    """Close the writing connection last, which folds the log into the file.

    After the disk has failed it goes first: then nobody folds a log that may have holes.
    """
    for connection in (writing, reading) if failed else (reading, writing):
        with suppress(sqlite3.Error):
            connection.close()


def _closed() -> LedgerError:
    return LedgerError("the ledger is closed: please report this defect")


def _refusal_after(error: Exception) -> Callable[[], LedgerError]:
    """Makes a new error for each who is refused: a raised one belongs to its raiser."""

    def refusal() -> LedgerError:
        refused = unwritable(error)
        refused.__cause__ = error
        return refused

    return refusal


#: Work, and where its caller waits: in a loop, or on a thread of its own.
_Queued = tuple[Work[Any], "asyncio.Future[None] | Future[Any]"]


class ThreadWriter:
    """Group commit on a thread of its own, which owns the connection until `close`.

    What one turn of an event loop brings is handed over together: to wake the thread for each
    piece would cost more than to write it.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.pending: Pending = Nothing()
        self._connection = connection
        self._path, self._file = path, path.stat()
        self._refusal: Callable[[], LedgerError] | None = None
        self._gathered: list[_Queued] = []
        #: When the thread last told its callers, on the monotonic clock.
        self._woken = 0.0
        self._queue: queue.SimpleQueue[list[_Queued] | None] = queue.SimpleQueue()
        # A daemon, as a second signal must end the process within a second.
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, work: Work[object]) -> Awaitable[None]:
        """Queue it; the future ends after the commit. Cancelling the wait loses nothing."""
        if self._refusal is not None:
            return Settled(self._refusal())
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append((work, waiter))
        return waiter

    def call(self, work: Work[T]) -> T:
        """Queue it and block until it is on disk."""
        if self._refusal is not None:
            raise self._refusal()
        waiter: Future[T] = Future()
        self._gathered.append((work, waiter))
        self._hand_over()
        return waiter.result()

    def close(self, reading: sqlite3.Connection) -> None:
        """Write what is queued, end the thread, close both connections."""
        if self._thread.is_alive():
            self._hand_over()
            self._queue.put(None)
            self._thread.join()
        failed, self._refusal = self._refusal is not None, _closed
        _close_both(self._connection, reading, failed=failed)

    def _hand_over(self) -> None:
        """Let the thread have what was gathered."""
        gathered, self._gathered = self._gathered, []
        for start in range(0, len(gathered), MOST_TOGETHER):
            self._queue.put(gathered[start : start + MOST_TOGETHER])

    def _serve(self) -> None:
        open_for_more = True
        while open_for_more:
            batch: list[_Queued] = []
            open_for_more = self._gather(batch)
            if batch:
                _wake(batch, self._write(batch))
                self._woken = time.monotonic()

    def _gather(self, batch: list[_Queued]) -> bool:
        """Wait for work and take all there is; False when the end was asked for."""
        items = self._queue.get()
        if items is not None and time.monotonic() - self._woken < LINGER:
            time.sleep(LINGER)
        while items is not None:
            batch.extend(items)
            if len(batch) >= MOST_TOGETHER:
                return True
            try:
                items = self._queue.get_nowait()
            except queue.Empty:
                return True
        return False

    def _write(self, batch: list[_Queued]) -> list[Outcome]:
        if self._refusal is None:
            try:
                return self._commit([work for work, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, the waiters must hear of it
                self._refusal = _refusal_after(error)
        return [Outcome(error=self._refusal()) for _ in batch]

    def _commit(self, works: list[Work[Any]]) -> list[Outcome]:
        outcomes = commit_together(self._connection, works, self.pending)
        self._make_sure_it_is_there()
        return outcomes

    def _make_sure_it_is_there(self) -> None:
        """What was written to a deleted file is not durable. Raises sqlite3.OperationalError."""
        try:
            is_there = os.path.samestat(self._path.stat(), self._file)
        except OSError:
            is_there = False
        if not is_there:
            raise sqlite3.OperationalError(f"{self._path} was removed or replaced meanwhile")


def _wake(batch: Sequence[_Queued], outcomes: Sequence[Outcome]) -> None:
    """Tell every caller, with one call into each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], Outcome]]] = {}
    for (_, waiter), outcome in zip(batch, outcomes, strict=True):
        if isinstance(waiter, Future):
            _settle_call(waiter, outcome)
        else:
            by_loop.setdefault(waiter.get_loop(), []).append((waiter, outcome))
    for loop, waiters in by_loop.items():
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_all, waiters)


def _settle_call(waiter: Future[Any], outcome: Outcome) -> None:
    if outcome.error is None:
        waiter.set_result(outcome.value)
    else:
        waiter.set_exception(outcome.error)


def _settle_all(waiters: Sequence[tuple[asyncio.Future[None], Outcome]]) -> None:
    for waiter, outcome in waiters:
        if waiter.done():
            continue
        if outcome.error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(outcome.error)
