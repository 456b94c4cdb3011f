"""The ledger's tables, as numbered steps from an empty file to the newest version.

`PRAGMA user_version` holds the number of the last step applied. A step is never edited after a
release: a change of the tables is a new step. What `salvage` reads from damaged files follows the
newest tables.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from orchestrator.errors import LedgerNewer
from orchestrator.ledger.folders import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: One step: its statements, applied in one transaction.
Migration = tuple[str, ...]

_FIRST: Migration = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # AUTOINCREMENT: the number of a deleted row is never given to another job.
    """
    CREATE TABLE jobs (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        position INTEGER,
        key TEXT NOT NULL,
        identity TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        stated TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'submitting',
            'submitted', 'generated', 'stored', 'failed', 'unknown', 'quarantined')),
        attempts INTEGER NOT NULL DEFAULT 0,
        needs_decision INTEGER NOT NULL DEFAULT 0,
        resubmit INTEGER NOT NULL DEFAULT 0,
        job TEXT NOT NULL
    )
    """,
    "CREATE INDEX jobs_by_position ON jobs (position)",
    "CREATE INDEX jobs_by_identity ON jobs (identity, fingerprint)",
    "CREATE INDEX jobs_undecided ON jobs (row) WHERE needs_decision",
    # `state` is the attempt's own: it stays when a later attempt moves the job on.
    """
    CREATE TABLE attempts (
        row INTEGER NOT NULL REFERENCES jobs (row),
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        idempotency_key TEXT,
        first_sent_at REAL,
        last_sent_at REAL,
        task_id TEXT,
        trace TEXT,
        estimated REAL,
        reserved REAL,
        final REAL,
        charge REAL,
        urls TEXT,
        error_class TEXT,
        error_code TEXT,
        error_message TEXT,
        submitted_at REAL,
        generated_at REAL,
        stored_at REAL,
        looks INTEGER NOT NULL DEFAULT 0,
        body BLOB,
        reply TEXT,
        PRIMARY KEY (row, number)
    )
    """,
    "CREATE INDEX attempts_by_task ON attempts (task_id) WHERE task_id IS NOT NULL",
    """
    CREATE TABLE files (
        row INTEGER NOT NULL REFERENCES jobs (row),
        place INTEGER NOT NULL,
        path TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        duration_s REAL,
        width INTEGER,
        height INTEGER,
        PRIMARY KEY (row, place)
    ) WITHOUT ROWID
    """,
    # No reference to `jobs`: history outlives rows of which nothing was ever sent.
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        row INTEGER NOT NULL,
        attempt INTEGER,
        kind TEXT NOT NULL,
        state TEXT,
        data TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE uploads (
        provider TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        model TEXT NOT NULL,
        url TEXT NOT NULL,
        duration_token TEXT,
        duration_seconds REAL,
        uploaded_at REAL NOT NULL,
        PRIMARY KEY (provider, sha256, model)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE origins (provider TEXT PRIMARY KEY, origin TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER attempts_are_never_deleted BEFORE DELETE ON attempts
    BEGIN SELECT RAISE(ABORT, 'an attempt is never forgotten'); END
    """,
    """
    CREATE TRIGGER sent_jobs_are_never_deleted BEFORE DELETE ON jobs WHEN OLD.attempts > 0
    BEGIN SELECT RAISE(ABORT, 'a job that was sent is never forgotten'); END
    """,
    """
    CREATE TRIGGER task_ids_never_change BEFORE UPDATE OF task_id ON attempts
    WHEN OLD.task_id IS NOT NULL AND NEW.task_id IS NOT OLD.task_id
    BEGIN SELECT RAISE(ABORT, 'a task id never changes'); END
    """,
    """
    CREATE TRIGGER final_states_never_change BEFORE UPDATE OF state ON jobs
    WHEN OLD.state IN ('stored', 'failed') AND NEW.state IS NOT OLD.state AND NOT
        (OLD.state = 'failed' AND NEW.state = 'submitting' AND NEW.attempts = OLD.attempts + 1)
    BEGIN SELECT RAISE(ABORT, 'a final state never changes'); END
    """,
)

#: All steps; the first makes version 1.
MIGRATIONS: tuple[Migration, ...] = (_FIRST,)


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the last step that was applied to this file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> int:
    """The file's version. Raises LedgerNewer where this program does not know it."""
    version = version_of(connection)
    if version > len(migrations):
        raise LedgerNewer(
            f"{path} has version {version}, and this program knows versions up to"
            f" {len(migrations)}. Install the newer orchestrator that wrote it."
        )
    return version


def upgrade(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Apply the steps that the file lacks, each in its own transaction.

    A file that holds an older version is first copied to `ledger.<version>.backup.db` beside it.
    Raises LedgerNewer where the file has a version that this program does not know, and
    sqlite3.Error or OSError where the disk refuses: the file is as it was then, or whole and some
    steps further.
    """
    version = refuse_newer(connection, path, migrations)
    if 0 < version < len(migrations):
        back_up(connection, path.with_name(f"{path.stem}.{version}.backup.db"))
    for number, statements in enumerate(migrations[version:], start=version + 1):
        _apply(connection, number, statements)


def _apply(connection: sqlite3.Connection, number: int, statements: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy a database as it stands after the latest commit, also while it is written.

    The copy replaces `target` when it is whole and durable. Raises sqlite3.Error or OSError.
    """
    draft = target.with_name(f"{target.name}.new")
    for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
        leftover.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft)) as copy:
        connection.backup(copy)
    sync_file(draft)
    draft.replace(target)
    sync_folder(target.parent)
