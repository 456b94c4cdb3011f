"""Everything that is read from a ledger, as short queries that never keep a snapshot open."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from orchestrator.errors import LedgerCorrupt, LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.encoding import ATTEMPT_COLUMNS, decode_attempt, decode_event
from orchestrator.ledger.sqlite.opening import (
    LEDGER_FILE,
    NEXT_STEP,
    connect_for_reading,
    is_damage,
)
from orchestrator.ledger.store import Credits, Ended, Row, Spend, StoredFile, UploadRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from orchestrator.ledger.encoding import LoggedEvent
    from orchestrator.ledger.store import Attempt

#: Kinds of event that a create may have left with.
SENDS = ("intent", "resend")

#: Rows fetched by one query; SQLite takes at least 999 variables.
PAGE = 500

_ATTEMPT = ", ".join(f"attempts.{name}" for name in ATTEMPT_COLUMNS)
_ROW = f"""
    SELECT jobs.row, position, key, identity, fingerprint, stated, provider, model, jobs.state,
        job, needs_decision, resubmit, {_ATTEMPT}
    FROM jobs LEFT JOIN attempts ON attempts.row = jobs.row AND attempts.number = jobs.attempts
"""  # noqa: S608 - the names are this package's own
_JOB_COLUMNS = 12

_HELD = f"{_ROW} WHERE position IS NOT NULL AND (position, jobs.row) > (?, ?)"
_IN_ORDER = f"ORDER BY position, jobs.row LIMIT {PAGE}"
_CURRENT = f"{_HELD} {_IN_ORDER}"
_BEGUN = f"{_HELD} AND (jobs.attempts > 0 OR jobs.state <> 'planned') {_IN_ORDER}"
_FORMER = f"{_ROW} WHERE position IS NULL AND jobs.row > ? ORDER BY jobs.row LIMIT {PAGE}"
_UNDECIDED = f"{_ROW} WHERE needs_decision ORDER BY position IS NULL, position, jobs.row"

#: What has no known charge and may have cost something: neither given back as not made, nor
#: refused, nor failed by the provider's own word.
_SPEND = """
    SELECT jobs.provider, sum(estimated), sum(reserved), sum(final), coalesce(sum(charge), 0.0),
        sum(charge IS NULL AND attempts.state <> 'planned'
            AND (attempts.state <> 'failed' OR error_class IS 'abandoned'))
    FROM attempts JOIN jobs ON jobs.row = attempts.row GROUP BY jobs.provider
"""


def read_ledger(folder: Path) -> ReadableLedger:
    """The ledger of a run folder for reading only; a run may be writing it meanwhile.

    Raises LedgerError where there is none.
    """
    return ReadableLedger(connect_for_reading(folder / LEDGER_FILE))


class ReadableLedger:
    """The reading half of a ledger, over one connection that several threads may share."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def campaign(self) -> str:
        """The campaign that was last opened here."""
        return self.meta("campaign") or ""

    def fetch(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query, as they stand after the latest commit.

        Raises LedgerCorrupt where the file is damaged, LedgerError where it cannot be read.
        """
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if is_damage(error):
                raise LedgerCorrupt(f"the ledger is damaged: {error}. {NEXT_STEP}") from error
            raise LedgerError(
                f"the ledger cannot be read: {error}. Check the disk, then run the command again."
            ) from error

    def meta(self, name: str) -> str | None:
        """One of the ledger's own facts, such as `campaign`."""
        found = self.fetch("SELECT value FROM meta WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def rows(self, *, current: bool = False) -> Iterator[Row]:
        """All rows, those of the manifest first and in its order; `current` leaves others out."""
        yield from self._current(_CURRENT)
        if not current:
            yield from self._former()

    def begun(self) -> Iterator[Row]:
        """All rows but those of the manifest of which nothing was sent, in the order of `rows`."""
        yield from self._current(_BEGUN)
        yield from self._former()

    def _current(self, statement: str) -> Iterator[Row]:
        after = (-1, -1)
        while page := self._decode(self.fetch(statement, after)):
            yield from page
            after = (page[-1].position or 0, page[-1].row)

    def _former(self) -> Iterator[Row]:
        last = -1
        while page := self._decode(self.fetch(_FORMER, (last,))):
            yield from page
            last = page[-1].row

    def row(self, row: int) -> Row:
        """One row, as it stands now. Raises LedgerError where there is none."""
        found = self._decode(self.fetch(f"{_ROW} WHERE jobs.row = ?", (row,)))
        if not found:
            raise LedgerError(f"the ledger has no row {row}: please report this defect")
        return found[0]

    def undecided(self) -> Sequence[Row]:
        """Rows that need a person's decision, those of the manifest first and in its order."""
        found = self.fetch(_UNDECIDED)
        return [
            row
            for start in range(0, len(found), PAGE)
            for row in self._decode(found[start : start + PAGE])
        ]

    def counts(self) -> Mapping[State, int]:
        """How many current rows are in each state; states of no row are left out."""
        found = self.fetch(
            "SELECT state, count(*) FROM jobs WHERE position IS NOT NULL GROUP BY state"
        )
        return {State(state): count for state, count in found}

    def attempts(self, row: int) -> Sequence[Attempt]:
        """All attempts of one row, oldest first."""
        statement = f"SELECT {_ATTEMPT} FROM attempts WHERE row = ? ORDER BY number"  # noqa: S608
        return [decode_attempt(columns) for columns in self.fetch(statement, (row,))]

    def credits(self, rows: Sequence[int]) -> Mapping[int, Credits]:
        """The credits of each of these rows over all its attempts; rows never sent are left out."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(rows), PAGE):
            some = rows[start : start + PAGE]
            found += self.fetch(
                "SELECT row, sum(estimated), sum(reserved), sum(final) FROM attempts"  # noqa: S608
                f" WHERE row IN ({_marks(some)}) GROUP BY row",
                some,
            )
        return {row: Credits(*sums) for row, *sums in found}

    def spend(self) -> Mapping[str, Spend]:
        """What each provider's attempts count for, over the run folder's whole life."""
        return {provider: Spend(*sums) for provider, *sums in self.fetch(_SPEND)}

    def creates(self, provider: str, since: float) -> Sequence[float]:
        """When creates of this provider may have left since then, oldest first."""
        found = self.fetch(
            "SELECT sent FROM (SELECT row, json_extract(data, '$.fields.last_sent_at') AS sent"
            " FROM events WHERE kind IN (?, ?)) JOIN jobs USING (row)"
            " WHERE sent >= ? AND provider = ? ORDER BY sent",
            (*SENDS, since, provider),
        )
        return [sent for (sent,) in found]

    def ended(self, provider: str, most: int) -> Sequence[Ended]:
        """The latest tasks of each model of this provider whose times are known, oldest first.

        A run notes the time with the event `generated` (see `engine.looks.pace`).
        """
        models = self.fetch("SELECT DISTINCT model FROM jobs WHERE provider = ?", (provider,))
        found = [
            one
            for (model,) in models
            for one in self.fetch(
                "SELECT seq, jobs.model, json_extract(job, '$.params'),"
                " json_extract(data, '$.note.took')"
                " FROM events JOIN jobs ON jobs.row = events.row"
                " WHERE kind = 'generated' AND provider = ? AND model = ?"
                " AND json_type(data, '$.note.took') IN ('real', 'integer')"
                " AND json_type(job, '$.params') = 'object'"
                " ORDER BY seq DESC LIMIT ?",
                (provider, model, most),
            )
        ]
        return [
            Ended(f"{provider}/{model}", json.loads(params), seconds)
            for _, model, params, seconds in sorted(found)
        ]

    def took(self) -> Mapping[int, float]:
        """Seconds that a row's task took, of those of which that is known (see `ended`)."""
        found = self.fetch(
            "SELECT row, json_extract(data, '$.note.took') FROM events WHERE kind = 'generated'"
            " AND json_type(data, '$.note.took') IN ('real', 'integer') ORDER BY seq"
        )
        return dict(found)

    def origin(self, provider: str) -> str | None:
        """Where this provider's requests of this folder go; None before the first."""
        found = self.fetch("SELECT origin FROM origins WHERE provider = ?", (provider,))
        return str(found[0][0]) if found else None

    def attempts_made(self) -> int:
        """How many create attempts the ledger holds: what `budget.jobs` counts."""
        return int(
            self.fetch("SELECT count(*) FROM attempts WHERE first_sent_at IS NOT NULL")[0][0]
        )

    def holders(self, provider: str, task_id: str) -> Sequence[int]:
        """The rows that hold this task id: more than one means trouble."""
        found = self.fetch(
            "SELECT DISTINCT attempts.row FROM attempts JOIN jobs ON jobs.row = attempts.row"
            " WHERE task_id = ? AND provider = ? ORDER BY attempts.row",
            (task_id, provider),
        )
        return [row for (row,) in found]

    def shared_tasks(self) -> frozenset[tuple[str, str]]:
        """Providers and ids of the tasks that the latest attempts of several rows hold."""
        found = self.fetch(
            "SELECT provider, task_id FROM jobs JOIN attempts"
            " ON attempts.row = jobs.row AND attempts.number = jobs.attempts"
            " WHERE task_id IS NOT NULL GROUP BY provider, task_id HAVING count(*) > 1"
        )
        return frozenset((provider, task_id) for provider, task_id in found)

    def uploads(self, provider: str) -> Iterator[UploadRecord]:
        """What was uploaded to this account."""
        found = self.fetch(
            "SELECT provider, sha256, model, url, duration_token, duration_seconds, uploaded_at"
            " FROM uploads WHERE provider = ?",
            (provider,),
        )
        return (UploadRecord(*columns) for columns in found)

    def events(self, *, after: int = 0) -> Iterator[LoggedEvent]:
        """Every event with a `seq` above `after`, oldest first."""
        statement = (
            "SELECT seq, at, row, attempt, kind, state, data FROM events"
            " WHERE seq > ? ORDER BY seq LIMIT ?"
        )
        while found := self.fetch(statement, (after, PAGE)):
            yield from map(decode_event, found)
            after = found[-1][0]

    def _decode(self, found: Sequence[tuple[Any, ...]]) -> list[Row]:
        files = self._files([columns[0] for columns in found])
        try:
            return [_row(columns, files.get(columns[0], ())) for columns in found]
        except (ValueError, TypeError, LookupError) as error:
            raise LedgerCorrupt(
                f"the ledger is damaged: a row makes no sense: {error}. {NEXT_STEP}"
            ) from error

    def _files(self, rows: Sequence[int]) -> dict[int, tuple[StoredFile, ...]]:
        files: dict[int, tuple[StoredFile, ...]] = {}
        found = self.fetch(
            "SELECT row, path, bytes, sha256, duration_s, width, height FROM files"  # noqa: S608
            f" WHERE row IN ({_marks(rows)}) ORDER BY row, place",
            rows,
        )
        for row, *columns in found:
            files[row] = (*files.get(row, ()), StoredFile(*columns))
        return files


class Described(Mapping[str, Any]):
    """What a row says of its job: JSON that is read where somebody asks for it.

    A run passes over the rows of all its jobs when it begins, and asks hardly any.
    Raises LedgerCorrupt, when it is read, where it is no JSON object.
    """

    __slots__ = ("_read", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: Mapping[str, Any] | None = None

    def _values(self) -> Mapping[str, Any]:
        if self._read is None:
            try:
                found = json.loads(self._text)
            except (ValueError, TypeError) as error:
                raise LedgerCorrupt(f"the ledger is damaged: {error}. {NEXT_STEP}") from error
            if not isinstance(found, dict):
                raise LedgerCorrupt(f"the ledger is damaged: a row describes no job. {NEXT_STEP}")
            self._read = found
        return self._read

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        return self._values()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _row(columns: tuple[Any, ...], files: tuple[StoredFile, ...]) -> Row:
    row, position, key, identity, fingerprint, stated, provider, model, state, job = columns[:10]
    undecided, resubmit = columns[10:_JOB_COLUMNS]
    attempt = columns[_JOB_COLUMNS:]
    return Row(
        row=row,
        position=position,
        key=key,
        identity=identity,
        fingerprint=fingerprint,
        stated=stated,
        provider=provider,
        model=model,
        state=State(state),
        job=Described(job),
        attempt=None if attempt[0] is None else decode_attempt(attempt),
        files=files,
        needs_decision=bool(undecided),
        resubmit=bool(resubmit),
    )
