"""What a damaged ledger still says, page by page, row by row.

Every attempt is told of twice: by the events that led to it and by the row that they came to.
Whatever of both can be read is kept as evidence; `merged` decides between them.
"""

from __future__ import annotations

import json
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger.encoding import ATTEMPT_COLUMNS, decode_attempt, decode_event
from orchestrator.ledger.repair.pages import records
from orchestrator.ledger.sqlite.opening import connect_in_memory
from orchestrator.ledger.store import ATTEMPT_FIELDS, StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.ledger.encoding import LoggedEvent
    from orchestrator.ledger.repair.pages import Record

#: How far a state lies from nothing. Where sources disagree the furthest is believed: to take a
#: job for less far than it is would pay for it twice.
_FURTHER = (
    State.PLANNED,
    State.SUBMITTING,
    State.UNKNOWN,
    State.SUBMITTED,
    State.GENERATED,
    State.QUARANTINED,
    State.FAILED,
    State.STORED,
)
#: States whose attempts have an error to tell of.
_WITH_ERROR = frozenset({State.UNKNOWN, State.QUARANTINED, State.FAILED})

#: More attempts than any job ever has, and more rows than any ledger.
MOST_ATTEMPTS = 10_000
MOST_ROWS = 2**40

#: Columns of `Meaning`, and of an event as `decode_event` takes them.
_MEANING = ("identity", "fingerprint", "stated", "provider", "model", "job")
_EVENT = ("seq", "at", "row", "attempt", "kind", "state", "data")

_TEXTS = frozenset(
    {"idempotency_key", "reply", "task_id", "trace", "error_class", "error_code", "error_message"}
)
#: What a row that makes no sense may raise while it is read.
_SENSELESS = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one source has an attempt."""

    state: State
    #: Attempt columns, by name.
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a row stands for, as the `jobs` table has it."""

    identity: str
    fingerprint: str
    stated: str
    provider: str
    model: str
    #: `Row.job`, as JSON.
    job: str


@dataclass(slots=True, eq=False)
class Trace:
    """One job as far as anything remembers it. It is filled from one source after the other."""

    key: str | None = None
    #: Its row in the damaged ledger.
    row: int | None = None
    meaning: Meaning | None = None
    #: The manifest held it when the ledger was last written.
    is_current: bool = False
    #: The state that its own row says; None where that row cannot be read.
    state: State | None = None
    #: By the attempt's number, from 1; the most trusted source first.
    evidence: dict[int, list[Evidence]] = field(default_factory=dict)
    #: Its files by every source that names any, the most trusted first.
    files: list[tuple[StoredFile, ...]] = field(default_factory=list)
    #: Videos that are on disk and say themselves that they are its.
    found: list[StoredFile] = field(default_factory=list)
    #: What results and sidecars say that it stands for.
    described: Meaning | None = None

    @property
    def fingerprint(self) -> str | None:
        """The digest of what decides its result, where anything tells it."""
        known = self.meaning or self.described
        return known.fingerprint if known is not None else None

    def add(self, number: int, evidence: Evidence) -> None:
        """Add what a source says of one attempt. Raises ValueError for a number out of reason."""
        if not 1 <= number <= MOST_ATTEMPTS:
            raise ValueError(number)
        self.evidence.setdefault(number, []).append(evidence)

    def absorb(self, other: Trace) -> None:
        """Take over what another trace of the same job remembers."""
        self.state = self.state or other.state
        for number, evidence in other.evidence.items():
            self.evidence.setdefault(number, []).extend(evidence)
        self.files += other.files
        self.found += other.found


@dataclass(slots=True)
class Salvage:
    """What is left of a ledger."""

    traces: list[Trace] = field(default_factory=list)
    #: Provider to origin.
    origins: dict[str, str] = field(default_factory=dict)


def merged(evidence: Sequence[Evidence]) -> Evidence:
    """What several sources say of one attempt: the furthest state, each field from the first.

    Fields come from the sources that are furthest before others; a field that is None there is
    not known.
    """
    ordered = sorted(evidence, key=lambda one: -_FURTHER.index(one.state))
    state = ordered[0].state
    fields: dict[str, Any] = {}
    for one in ordered:
        for name, value in one.fields.items():
            if value is not None and (state in _WITH_ERROR or not name.startswith("error_")):
                fields.setdefault(name, value)
    return Evidence(state, fields)


def salvage(path: Path) -> Salvage:
    """Everything that can be read of a database that is damaged. Raises OSError."""
    found = _Found()
    for record in records(path):
        found.take(record)
    return found.salvage()


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    #: The column that SQLite keeps as the row's number, None where there is none.
    number: str | None


def _tables() -> dict[tuple[bool, int], _Table]:
    """The tables that are read, by whether they have row numbers and by how many columns."""
    tables = {}
    with closing(connect_in_memory()) as connection:
        for name, numbered, number in (
            ("jobs", True, "row"),
            ("attempts", True, None),
            ("events", True, "seq"),
            ("files", False, None),
            ("origins", False, None),
        ):
            found = connection.execute(f"PRAGMA table_info({name})").fetchall()
            columns = tuple(column for _, column, *_ in found)
            tables[numbered, len(columns)] = _Table(name, columns, number)
    return tables


class _Found:
    """Rows as they come, in no order and possibly twice: a page that is free now may be old."""

    def __init__(self) -> None:
        self._tables = _tables()
        self._take: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "jobs": self._take_job,
            "attempts": self._take_attempt,
            "events": self._take_event,
            "files": self._take_file,
            "origins": self._take_origin,
        }
        self._traces: dict[int, Trace] = {}
        self._origins: dict[str, str] = {}
        self._events: dict[int, LoggedEvent] = {}
        self._files: dict[int, dict[int, StoredFile]] = {}

    def take(self, record: Record) -> None:
        """Keep a record of a table that matters; leave out one that makes no sense."""
        table = self._tables.get((record.rowid is not None, len(record.values)))
        if table is None:
            return
        columns = dict(zip(table.columns, record.values, strict=True))
        if table.number is not None:
            columns[table.number] = record.rowid
        with suppress(*_SENSELESS):
            self._take[table.name](columns)

    def salvage(self) -> Salvage:
        """What all of it comes to."""
        by_row: dict[int, list[LoggedEvent]] = {}
        for _, logged in sorted(self._events.items()):
            by_row.setdefault(logged.event.row, []).append(logged)
        for row, history in by_row.items():
            _replay(self._trace(row), history)
        for row, files in self._files.items():
            self._trace(row).files.insert(0, tuple(file for _, file in sorted(files.items())))
        return Salvage([trace for _, trace in sorted(self._traces.items())], self._origins)

    def _trace(self, row: int) -> Trace:
        check_row(row)
        return self._traces.setdefault(row, Trace(row=row))

    def _take_job(self, columns: dict[str, Any]) -> None:
        meaning = Meaning(**{name: columns[name] for name in _MEANING})
        state, key = State(columns["state"]), columns["key"]
        check_type(str, key, *(columns[name] for name in _MEANING))
        check_type(dict, json.loads(meaning.job))
        trace = self._trace(columns["row"])
        if trace.state is None or _FURTHER.index(state) >= _FURTHER.index(trace.state):
            trace.key, trace.state, trace.meaning = key, state, meaning
            trace.is_current = columns["position"] is not None
        if columns["attempts"] != 0:
            trace.add(columns["attempts"], Evidence(state, {}))

    def _take_attempt(self, columns: dict[str, Any]) -> None:
        row, number, state = columns["row"], columns["number"], State(columns["state"])
        check_type(int, row, number)
        attempt = decode_attempt(tuple(columns[name] for name in ATTEMPT_COLUMNS))
        fields = {name: getattr(attempt, name) for name in ATTEMPT_FIELDS}
        check_fields(fields)
        self._trace(row).add(number, Evidence(state, fields))

    def _take_event(self, columns: dict[str, Any]) -> None:
        logged = decode_event(tuple(columns[name] for name in _EVENT))
        check_row(logged.event.row)
        check_type(int, logged.attempt or 0)
        check_fields(logged.event.fields)
        self._events[logged.seq] = logged

    def _take_file(self, columns: dict[str, Any]) -> None:
        row, place = columns.pop("row"), columns.pop("place")
        check_row(row)
        check_type(int, place)
        self._files.setdefault(row, {})[place] = stored_file(columns)

    def _take_origin(self, columns: dict[str, Any]) -> None:
        check_type(str, columns["provider"], columns["origin"])
        self._origins[columns["provider"]] = columns["origin"]


def check_type(kind: type | tuple[type, ...], *values: object) -> None:
    """Raise TypeError for a value of another type; true and false are no numbers."""
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(value)


def check_row(row: int) -> None:
    """Raise TypeError or ValueError for what is no row's number."""
    check_type(int, row)
    if not 1 <= row <= MOST_ROWS:
        raise ValueError(row)


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raise TypeError for a field that no attempt has with such a value."""
    for name, value in fields.items():
        if value is None:
            continue
        if name == "urls":
            check_type(str, *value)
        elif name == "body":
            check_type(bytes, value)
        elif name in _TEXTS:
            check_type(str, value)
        else:
            check_type((int, float), value)


def stored_file(document: Mapping[str, Any]) -> StoredFile:
    """A file as a source describes it. Raises TypeError where that makes no sense."""
    file = StoredFile(**document)
    check_type(int, file.bytes)
    check_type(str, file.path, file.sha256)
    check_type((int, float, NoneType), file.duration_s, file.width, file.height)
    return file


def _replay(trace: Trace, history: Iterable[LoggedEvent]) -> None:
    """What a row's events come to where some of them may be missing."""
    states: dict[int, State] = {}
    fields: dict[int, dict[str, Any]] = {}
    files: tuple[StoredFile, ...] | None = None
    for logged in history:
        event = logged.event
        if event.files is not None:
            files = tuple(event.files)
        if logged.attempt is None:
            continue
        fields.setdefault(logged.attempt, {}).update(event.fields)
        if event.state is not None:
            states[logged.attempt] = event.state
    for number, known in fields.items():
        if not 1 <= number <= MOST_ATTEMPTS:
            continue
        # An attempt whose intent cannot be read was intended all the same.
        trace.add(number, Evidence(states.get(number, State.SUBMITTING), known))
    if files:
        trace.files.append(files)
