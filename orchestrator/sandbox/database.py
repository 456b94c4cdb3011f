"""The sandbox's own durable memory: what was paid for, and what was uploaded.

`<state>/sandbox.db` is opened with a write-ahead log and `synchronous=NORMAL`: a commit is a
write without a sync, which is fast, and which the death of this process cannot undo.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from orchestrator.errors import DiskError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "sandbox.db"

#: `tasks.number` orders the creates; `id` repeats only where a fault gives an id out twice.
#: Times are seconds since the epoch; `finishes_at` is null for a task that never ends.
SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    number INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    idempotency_key TEXT,
    body BLOB NOT NULL,
    created_at REAL NOT NULL,
    finishes_at REAL,
    outcome TEXT NOT NULL,
    credits REAL
) STRICT;
CREATE INDEX IF NOT EXISTS tasks_by_id ON tasks (id);
CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_key ON tasks (provider, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    content BLOB NOT NULL,
    duration_seconds REAL,
    duration_token TEXT,
    created_at REAL NOT NULL
) STRICT;
"""


def connect(state: Path | None) -> sqlite3.Connection:
    """Open `sandbox.db` in the folder `state`, made where missing; in memory for None.

    Raises DiskError where the folder cannot be written, UsageError where the file is not one of
    the sandbox's.
    """
    try:
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
        target = ":memory:" if state is None else str(state / FILE_NAME)
        return _prepared(sqlite3.connect(target, isolation_level=None, timeout=5))
    except (OSError, sqlite3.OperationalError) as error:
        raise DiskError(
            f"{state}: the sandbox cannot keep its tasks here: {error}. Make room, choose"
            " another folder with --run-dir, or let this process open more files (`ulimit -n`)."
        ) from error
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"{state}/{FILE_NAME}: this is no sandbox database ({error}); move it away"
        ) from error


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
