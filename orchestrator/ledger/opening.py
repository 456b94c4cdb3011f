"""Opening the ledger's file: made whole or not at all, checked, and brought up to date."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerCorrupt, LedgerError
from orchestrator.ledger.migrations import MIGRATIONS, refuse_newer, upgrade

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the ledger's file in the run folder.
LEDGER_FILE = "ledger.db"

#: Files up to this size, in bytes, are checked as a whole at each opening (about 0.1 s).
CHECKED_SIZE = 64 * 1024 * 1024

#: How long a connection waits for another one's lock, in seconds.
_PATIENCE = 10.0


def connect_in_memory() -> sqlite3.Connection:
    """A new ledger that lives as long as its connection."""
    connection = _connect(":memory:")
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """The one connection that writes; makes the file where there is none.

    The caller holds the run folder's lock. Raises LedgerNewer, LedgerCorrupt (a copy of the file
    is kept) or LedgerError, each with the next step.
    """
    try:
        if not path.exists():
            _create(path)
        connection = _connect(str(path))
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error
    finding = None
    try:
        with ExitStack() as undo:
            undo.callback(connection.close)
            finding = _inspect(connection, path)
            if finding is None:
                _prepare(connection, path)
                undo.pop_all()
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from error
    except sqlite3.DatabaseError as error:
        finding = str(error)
    if finding is not None:
        raise _damaged(path, finding)
    return connection


def connect_for_reading(path: Path, *, beside_writer: bool = False) -> sqlite3.Connection:
    """A connection that cannot write, and needs no lock.

    `beside_writer` says that this process writes the ledger meanwhile. Raises LedgerError where
    there is no ledger, or one that has to be brought up to date first.
    """
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}. Start one with `orchestrator run`.")
    try:
        with ExitStack() as undo:
            connection = _connect(
                f"{path.resolve().as_uri()}?{_how_to_read(path, beside_writer)}", uri=True
            )
            undo.callback(connection.close)
            if refuse_newer(connection, path) < len(MIGRATIONS):
                raise LedgerError(
                    f"{path} is incomplete or was written by an earlier version."
                    " Run `orchestrator run` once: it checks the ledger and brings it up to date."
                )
            undo.pop_all()
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from error
    except sqlite3.DatabaseError as error:
        raise LedgerCorrupt(
            f"{path} is damaged: {error}. Keep the run folder as it is and start `orchestrator"
            " run`: it keeps a copy and says what to do."
        ) from error
    return connection


def _how_to_read(path: Path, beside_writer: bool) -> str:
    """SQLite writes beside a file even to read it, unless it is told that nobody writes it.

    A writer has a write-ahead log, and removes it when it ends.
    """
    is_written = beside_writer or path.with_name(f"{path.name}-wal").exists()
    return "mode=ro" if is_written else "immutable=1"


def _connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        uri=uri,
    )


def _create(path: Path) -> None:
    """Make an empty ledger under another name and rename it.

    So a ledger that is there was whole once, and one cut to nothing is not taken for a new one,
    which would pay for everything again.
    """
    draft = path.with_name(f"{path.name}.new")
    for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
        leftover.unlink(missing_ok=True)
    with closing(_connect(str(draft))) as connection:
        upgrade(connection, draft)
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inspect(connection: sqlite3.Connection, path: Path) -> str | None:
    """What is wrong with the file; None where nothing is found. Raises LedgerNewer."""
    if refuse_newer(connection, path) == 0:
        return "it has been cut short or emptied"
    if path.stat().st_size > CHECKED_SIZE:
        return None
    finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return None if finding == "ok" else finding


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            f"{path} lies on a file system that cannot hold a write-ahead log."
            " Choose a run folder on a local disk with --run-dir."
        )
    connection.execute("PRAGMA synchronous = FULL")
    upgrade(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")


def _damaged(path: Path, finding: str) -> LedgerCorrupt:
    copy = _keep_copy(path)
    kept = f" A copy is kept at {copy}." if copy is not None else ""
    return LedgerCorrupt(
        f"{path} is damaged: {finding}.{kept} Nothing was sent. Restore a backup, or mend it with"
        f" `sqlite3 {path} .recover`. Do not start over with an empty ledger:"
        " it would pay again for every job."
    )


def _keep_copy(path: Path) -> Path | None:
    """Keep the file as it was first found damaged; None where there is no room for it."""
    target = path.with_name(f"{path.stem}.damaged.db")
    with suppress(OSError):
        for suffix in ("", "-wal"):
            source, copy = (
                path.with_name(path.name + suffix),
                target.with_name(target.name + suffix),
            )
            if source.exists() and not copy.exists():
                shutil.copy2(source, copy)
        return target
    return None


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"{path} cannot be used: {error}."
        " Check the disk's room and the folder's permissions, then run the command again."
    )
