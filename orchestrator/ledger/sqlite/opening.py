"""Opening the ledger's file: made whole or not at all, checked, and brought up to date.

What is written here survives a power cut, as far as the disk keeps its word: a write-ahead log
that is synced at each commit (`synchronous=FULL`; `fullfsync` asks macOS for a real one), and
names that are made durable with their folder.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerCorrupt, LedgerError
from orchestrator.ledger.folders import sync_folder
from orchestrator.ledger.keeping import keep_copy, kept_copies
from orchestrator.ledger.remains import latest_attempts, tells_of_creates
from orchestrator.ledger.sqlite.migrations import MIGRATIONS, refuse_newer, upgrade

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the ledger's file in the run folder.
LEDGER_FILE = "ledger.db"

#: Files up to this size, in bytes, are checked as a whole at each opening (about 0.1 s); larger
#: ones after an end that was not in order (about 1 s for each GB).
CHECKED_SIZE = 64 * 1024 * 1024

#: How long a connection waits for another one's lock, in seconds.
_PATIENCE = 10.0

#: How to go on after damage. Who knows the run puts its name, with its options, for the last word
#: of the command, which has a line of its own to be pasted.
REBUILD = "orchestrator rebuild MANIFEST"
NEXT_STEP = (
    "Restore a backup of the run folder, or make the ledger again from what is left of it, with:\n"
    f"  {REBUILD}\n"
    "Do not start over with an empty ledger: it would pay again for every job."
)

_EMPTY = "it has been cut short or emptied"

#: Errors of a disk that cannot give back what was written: damage, like a page that makes no sense.
_UNREADABLE = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
    }
)


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
    is_unclean = was_left_open(path)
    try:
        if not path.exists():
            refuse_lost(path)
            _create(path)
        whole = is_unclean or path.stat().st_size <= CHECKED_SIZE
        finding = examine(path, whole=whole) or forgotten(path)
        if finding is not None:
            raise _damaged(path, finding)
        return _connect_whole(path, is_unclean=is_unclean)
    except (sqlite3.Error, OSError) as error:
        raise _damaged(path, str(error)) if is_damage(error) else _unusable(path, error) from error


def connect_to_new(path: Path) -> sqlite3.Connection:
    """The one connection that writes, to a file that is made. Raises LedgerError."""
    try:
        _create(path)
        return _connect_whole(path, is_unclean=False)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error


def connect_for_reading(path: Path, *, beside_writer: bool = False) -> sqlite3.Connection:
    """A connection that cannot write, and needs no lock.

    `beside_writer` says that this process writes the ledger meanwhile. Raises LedgerError where
    there is no ledger, or one that has to be brought up to date first.
    """
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}. Start one with `orchestrator run`.")
    if path.stat().st_size == 0:
        raise LedgerCorrupt(f"{path} is damaged: {_EMPTY}. {NEXT_STEP}")
    try:
        with ExitStack() as undo:
            connection = _connect_read_only(path, beside_writer=beside_writer)
            undo.callback(connection.close)
            if refuse_newer(connection, path) < len(MIGRATIONS):
                raise LedgerError(
                    f"{path} is incomplete or was written by an earlier version."
                    " Run `orchestrator run` once: it checks the ledger and brings it up to date."
                )
            undo.pop_all()
    except sqlite3.Error as error:
        if is_damage(error):
            raise LedgerCorrupt(f"{path} is damaged: {error}. {NEXT_STEP}") from error
        raise _unusable(path, error) from error
    return connection


def was_left_open(path: Path) -> bool:
    """Whether the last one who wrote this database did not close it: the log is still there."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def refuse_lost(path: Path) -> None:
    """Raise LedgerCorrupt where there is no ledger but something tells that there was one."""
    if path.exists():
        return
    told = kept_copies(path)[-1:]
    if was_left_open(path):
        told.append(path.with_name(f"{path.name}-wal"))
    found = told[0] if told else tells_of_creates(path.parent)
    if found is not None:
        raise LedgerCorrupt(
            f"{path} is gone, and {found} tells of jobs that were sent. Nothing was sent now."
            f" {NEXT_STEP}"
        )


def examine(path: Path, *, whole: bool, thorough: bool = False) -> str | None:
    """What is wrong with a database, None where nothing is found.

    Looks at its beginning, and at all of it where `whole` says so; `thorough` compares its indexes
    too. Changes nothing. Raises LedgerNewer, and sqlite3.Error or OSError where it cannot be read.
    """
    if path.stat().st_size == 0:
        # SQLite would take it for new, and delete the log beside it.
        return _EMPTY
    try:
        with closing(_connect_read_only(path)) as connection:
            if refuse_newer(connection, path) == 0:
                return _EMPTY
            if not whole:
                # Reads the first pages, and holds the file's size against what it says of it.
                connection.execute("SELECT count(*) FROM meta").fetchone()
                return None
            check = "integrity_check" if thorough else "quick_check"
            finding = str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        finding = str(error)
    # SQLite begins with the database's name, on a line of its own.
    return None if finding == "ok" else " ".join(finding.rpartition("***")[2].split())


def forgotten(path: Path) -> str | None:
    """What `run.log` tells of and the ledger lacks; None where it lacks nothing.

    SQLite takes a write-ahead log that is gone, or makes no sense from some place on, for one that
    ends there. Raises sqlite3.Error.
    """
    told = latest_attempts(path.parent)
    if not told:
        return None
    with closing(_connect_read_only(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        known = (
            set(connection.execute("SELECT row, number FROM attempts"))
            if "attempts" in tables
            else set()
        )
    lacking = len(told - known)
    return f"it lacks {lacking} of the creates that run.log tells of" if lacking else None


def _connect_whole(path: Path, *, is_unclean: bool) -> sqlite3.Connection:
    with ExitStack() as undo:
        connection = _connect(str(path))
        undo.callback(connection.close)
        _prepare(connection, path, is_unclean=is_unclean)
        undo.pop_all()
    return connection


def _connect_read_only(path: Path, *, beside_writer: bool = False) -> sqlite3.Connection:
    """SQLite writes beside a file even to read it, unless it is told that nobody writes it.

    A writer has a write-ahead log, and removes it when it ends.
    """
    is_written = beside_writer or path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if is_written else "immutable=1"
    return _connect(f"{path.resolve().as_uri()}?{how}", uri=True)


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
        _sync_always(connection)
        upgrade(connection, draft)
    draft.replace(path)
    sync_folder(path.parent)


def _sync_always(connection: sqlite3.Connection) -> None:
    """Have every commit synced; some builds of SQLite are content with less."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")


def _prepare(connection: sqlite3.Connection, path: Path, *, is_unclean: bool) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            f"{path} lies on a file system that cannot hold a write-ahead log."
            " Choose a run folder on a local disk with --run-dir."
        )
    _sync_always(connection)
    if is_unclean:
        # What is read back from the log may never have reached the disk, if a sync of it failed.
        # So all of it is written once more, and nothing is added to a log that may have a hole.
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise LedgerError(
                f"{path} is held open by a reader. End it, then run the command again."
            )
    upgrade(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")


def is_damage(error: Exception) -> bool:
    """Whether an error tells of a file that is damaged, and not of a disk without room."""
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) in _UNREADABLE
    return isinstance(error, sqlite3.DatabaseError)


def _damaged(path: Path, finding: str) -> LedgerCorrupt:
    try:
        kept = f"A copy is kept at {keep_copy(path)}."
    except OSError as error:
        kept = f"No copy of it could be kept: {error.strerror or error}."
    return LedgerCorrupt(f"{path} is damaged: {finding}. Nothing was sent. {kept} {NEXT_STEP}")


def _unusable(path: Path, error: Exception) -> LedgerError:
    # SQLite does not tell a folder that is closed to it from a process with too many open files.
    cannot_open = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN
    check = (
        "the folder's permissions"
        if not cannot_open
        else ("the folder's permissions, and how many files a process may open (`ulimit -n`)")
    )
    return LedgerError(
        f"{path} cannot be used: {error}."
        f" Check the disk's room and {check}, then run the command again."
    )
