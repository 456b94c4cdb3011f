"""The ledger as one SQLite file in the run folder: the one source of truth about money."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerError, UsageError
from orchestrator.ledger import rescue
from orchestrator.ledger.encoding import encode_event
from orchestrator.ledger.folders import make_folder
from orchestrator.ledger.lock import RunLock
from orchestrator.ledger.sqlite.admitting import admit_jobs
from orchestrator.ledger.sqlite.applying import Applier
from orchestrator.ledger.sqlite.opening import (
    LEDGER_FILE,
    connect_for_reading,
    connect_for_writing,
    connect_in_memory,
    connect_to_new,
)
from orchestrator.ledger.sqlite.reading import ReadableLedger
from orchestrator.ledger.sqlite.writer import InlineWriter, ThreadWriter
from orchestrator.ledger.store import Event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from orchestrator.ledger.rescue import Rescued
    from orchestrator.ledger.sqlite.writer import Writer
    from orchestrator.ledger.store import Admission, UploadRecord

#: In place of a file: a ledger that lives as long as its connection.
MEMORY = ":memory:"


def open_ledger(
    folder: Path,
    *,
    campaign: str,
    clock: Callable[[], float] = time.time,
    threaded: bool = True,
    database: str | None = None,
) -> SqliteLedger:
    """Open the ledger of a run folder for writing; make both where there are none.

    `clock` gives the events' times, in seconds since the epoch. `threaded=False` commits inline,
    for simulations in virtual time; `database=":memory:"` does too, and touches no disk.
    Raises LedgerBusy, LedgerNewer, LedgerCorrupt or LedgerError.
    """
    if database == MEMORY:
        connection = connect_in_memory()
        ledger = SqliteLedger(connection, InlineWriter(connection), clock=clock)
    else:
        ledger = _open_file(folder, clock, threaded=threaded)
    ledger.remember("campaign", campaign)
    return ledger


def _open_file(folder: Path, clock: Callable[[], float], *, threaded: bool) -> SqliteLedger:
    try:
        make_folder(folder)
    except OSError as error:
        raise LedgerError(
            f"the run folder {folder} cannot be made: {error.strerror}."
            " Choose another with --run-dir."
        ) from error
    path = folder / LEDGER_FILE
    with ExitStack() as undo:
        lock = RunLock(folder)
        undo.callback(lock.release)
        connection = connect_for_writing(path)
        undo.callback(connection.close)
        reading = connect_for_reading(path, beside_writer=True) if threaded else connection
        undo.pop_all()
    writer = ThreadWriter(connection, path) if threaded else InlineWriter(connection)
    ledger = SqliteLedger(reading, writer, clock=clock, lock=lock, folder=folder)
    with ExitStack() as undo:
        undo.callback(ledger.close)
        ledger.take_in_rescued()
        undo.pop_all()
    return ledger


def open_draft(path: Path, clock: Callable[[], float]) -> SqliteLedger:
    """A new ledger in a file that nobody reads before it is closed and synced by the caller.

    Raises LedgerError.
    """
    connection = connect_to_new(path)
    connection.execute("PRAGMA synchronous = OFF")
    return SqliteLedger(connection, InlineWriter(connection), clock=clock)


class SqliteLedger(ReadableLedger):
    """A ledger over one reading connection and one writer."""

    def __init__(
        self,
        reading: sqlite3.Connection,
        writer: Writer,
        *,
        clock: Callable[[], float],
        lock: RunLock | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(reading)
        self._writer = writer
        self._applier = writer.pending = Applier()
        self._clock = clock
        self._run_lock = lock
        #: The run folder of a ledger that is open for writing on disk.
        self._folder = folder
        #: Answers in the emergency file that belong to no attempt of this ledger.
        self.unplaced: Sequence[Rescued] = ()

    def remember(self, name: str, value: str) -> None:
        """Keep one of the ledger's own facts, such as `campaign`."""
        if self.meta(name) != value:
            statement = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
            self._writer.call(lambda connection: connection.execute(statement, (name, value)))

    def bind_origin(self, provider: str, origin: str) -> None:
        """Record a provider's origin, or raise UsageError where another is recorded."""
        self._writer.call(lambda connection: _bind(connection, provider, origin))

    def admit(self, admissions: Sequence[Admission]) -> Sequence[int]:
        """Make the manifest's jobs the current ones, in order, and return their rows.

        Rows taken over get the job's key, identity and fingerprint. Rows that are no longer
        current lose their position; those of which nothing was ever sent are deleted.
        """
        at = self._clock()

        def work(connection: sqlite3.Connection) -> list[int]:
            self._applier.write(connection)
            self._applier.forget()
            return admit_jobs(connection, admissions, at)

        return self._writer.call(work)

    def record(self, *events: Event) -> Awaitable[None]:
        """Make events durable, all or none; done when they are on disk.

        They are queued at once: cancelling the wait loses nothing. Raises LedgerError for an
        illegal transition (nothing is written then) and where the disk fails.
        """
        at = self._clock()
        encoded = [encode_event(event, at) for event in events]

        def work(connection: sqlite3.Connection) -> None:
            for event in encoded:
                self._applier.apply(connection, event)

        return self._writer.submit(work)

    def record_upload(self, upload: UploadRecord) -> Awaitable[None]:
        """Remember an upload; done when it is on disk."""
        columns = (
            upload.provider, upload.sha256, upload.model, upload.url,
            upload.duration_token, upload.duration_seconds, upload.uploaded_at,
        )  # fmt: skip
        statement = "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)"
        return self._writer.submit(lambda connection: connection.execute(statement, columns))

    def rescue(self, rescued: Rescued) -> None:
        """Keep a create's answer that the ledger cannot take. Raises OSError.

        Who opens the ledger next takes it in.
        """
        if self._folder is not None:
            rescue.append(self._folder, rescued)

    def take_in_rescued(self) -> None:
        """Record the answers that an earlier run could not, and make room for further ones.

        Raises LedgerError where the ledger cannot be written.
        """
        if self._folder is None:
            return
        try:
            found = rescue.read(self._folder)
            if found:
                at = self._clock()
                self.unplaced = self._writer.call(
                    lambda connection: _take_in(connection, self._applier, found, at)
                )
                if not self.unplaced and rescue.is_whole(self._folder):
                    rescue.clear(self._folder)
            rescue.reserve(self._folder)
        except OSError as error:
            raise LedgerError(
                f"{self._folder / rescue.RESCUE_FILE} cannot be used: {error.strerror or error}."
                " Make room on the disk, then run the same command again."
            ) from error

    def restore_rows(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Make former rows of which nothing is known but what they stand for.

        Each is `row, key, identity, fingerprint, stated, provider, model, job`. For a ledger that
        is made again.
        """
        statement = (
            "INSERT INTO jobs (row, key, identity, fingerprint, stated, provider, model, job)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self._writer.call(lambda connection: connection.executemany(statement, rows))

    def close(self) -> None:
        """Write what is queued and let go of the file."""
        try:
            self._writer.close(self._connection)
            self._give_back_room()
        finally:
            if self._run_lock is not None:
                self._run_lock.release()

    def _give_back_room(self) -> None:
        """Remove the emergency file where nothing had to be rescued."""
        if self._folder is not None:
            with suppress(OSError):
                if not rescue.holds_anything(self._folder):
                    rescue.clear(self._folder)


def _bind(connection: sqlite3.Connection, provider: str, origin: str) -> None:
    found = connection.execute(
        "SELECT origin FROM origins WHERE provider = ?", (provider,)
    ).fetchone()
    if found is None:
        connection.execute("INSERT INTO origins VALUES (?, ?)", (provider, origin))
    elif found[0] != origin:
        raise UsageError(
            f"this run folder belongs to {provider} at {found[0]}, and the settings say {origin}."
            f" Point {provider}'s base URL back, or choose another run folder with --run-dir."
        )


def _take_in(
    connection: sqlite3.Connection, applier: Applier, found: Sequence[Rescued], at: float
) -> tuple[Rescued, ...]:
    """Record the answers that the latest attempts lack; return those of no attempt that is here."""
    unplaced = []
    for one in found:
        known = connection.execute(
            "SELECT reply IS NOT NULL OR task_id IS NOT NULL, attempts = number"
            " FROM attempts JOIN jobs USING (row) WHERE row = ?1 AND number = ?2"
            " AND CASE WHEN ?3 IS NULL OR idempotency_key IS NULL THEN key = ?4"
            " ELSE idempotency_key = ?3 END",
            (one.row, one.attempt, one.idempotency_key, one.key),
        ).fetchone()
        has_answer, is_latest = known or (False, False)
        if has_answer:
            continue
        if not is_latest:
            unplaced.append(one)
            continue
        event = Event(one.row, "reply", fields={"reply": one.reply}, note={"rescued": True})
        applier.apply(connection, encode_event(event, at))
    return tuple(unplaced)
