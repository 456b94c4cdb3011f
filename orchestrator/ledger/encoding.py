"""How jobs, attempts and events are written into SQLite's columns, and read back.

Everything that goes into a column is checked and turned into bytes here, before the writer's
thread sees it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.json_text import to_json
from orchestrator.ledger.store import ATTEMPT_FIELDS, Attempt, Event, StoredFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.jobs import Job

#: The attempt's columns in the order in which they are read.
ATTEMPT_COLUMNS: tuple[str, ...] = ("number", *sorted(ATTEMPT_FIELDS))


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the ledger holds it."""

    #: Its place among all events, from 1.
    seq: int
    #: When it was recorded, in seconds since the epoch.
    at: float
    #: The attempt it belongs to; None before the first.
    attempt: int | None
    event: Event


class EncodedEvent(NamedTuple):
    """An event on its way into the ledger, its values ready for their columns."""

    at: float
    event: Event
    #: Attempt column to value.
    columns: Mapping[str, Any]
    #: What the `events` table keeps beside row, kind and state, as JSON.
    data: str


def clean(value: Any) -> Any:  # noqa: ANN401 - a column takes any of SQLite's types
    """The value with lone surrogates replaced: SQLite takes none, and a provider may send some."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def encode_event(event: Event, at: float) -> EncodedEvent:
    """The event for its columns. Raises LedgerError for a field that no attempt has."""
    if not event.fields.keys() <= ATTEMPT_FIELDS:
        odd = event.fields.keys() - ATTEMPT_FIELDS
        raise LedgerError(f"an attempt has no field {sorted(odd)}: please report this defect")
    columns = {name: clean(value) for name, value in event.fields.items()}
    data = _data(event, columns)
    if "urls" in columns:
        columns["urls"] = to_json(columns["urls"])
    return EncodedEvent(at, event, columns, data)


def _data(event: Event, columns: Mapping[str, Any]) -> str:
    """What the `events` table keeps beside an event's columns, as JSON."""
    data: dict[str, Any] = {}
    if event.new_attempt:
        data["new_attempt"] = True
    if columns:
        data["fields"] = columns
        body = columns.get("body")
        if body is not None:
            data["fields"] = {**columns, "body": _json_bytes(body)}
    if event.files is not None:
        data["files"] = [file_document(file) for file in event.files]
    if event.note:
        data["note"] = dict(event.note)
    return to_json(data)


def file_document(file: StoredFile) -> dict[str, Any]:
    """A stored file as JSON values."""
    return {
        "path": file.path,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "duration_s": file.duration_s,
        "width": file.width,
        "height": file.height,
    }


def _json_bytes(value: bytes) -> dict[str, str]:
    try:
        return {"text": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


def decode_event(columns: tuple[Any, ...]) -> LoggedEvent:
    """An event from `seq, at, row, attempt, kind, state, data`."""
    seq, at, row, attempt, kind, state, text = columns
    data = json.loads(text)
    files = data.get("files")
    event = Event(
        row=row,
        kind=kind,
        state=None if state is None else State(state),
        new_attempt=data.get("new_attempt", False),
        fields={name: _field(name, value) for name, value in data.get("fields", {}).items()},
        files=None if files is None else tuple(StoredFile(**file) for file in files),
        note=data.get("note", {}),
    )
    return LoggedEvent(seq, at, attempt, event)


def _field(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name == "urls":
        return tuple(value)
    if isinstance(value, dict):
        return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])
    return value


def decode_attempt(columns: tuple[Any, ...]) -> Attempt:
    """An attempt from `ATTEMPT_COLUMNS`."""
    values = dict(zip(ATTEMPT_COLUMNS, columns, strict=True))
    urls = values["urls"]
    values["urls"] = tuple(json.loads(urls)) if urls else ()
    return Attempt(**values)


def job_document(job: Job) -> dict[str, Any]:
    """What `Row.job` holds, as JSON values."""
    spec = job.spec
    return {
        "id": spec.id,
        "tags": list(spec.tags),
        "prompt": spec.prompt,
        "params": dict(job.params),
        "references": [asdict(reference) for reference in spec.references],
        "axes": dict(spec.axes),
        "take": spec.take,
        "retries": spec.retries,
        "on_refusal": spec.on_refusal,
    }


def encode_job(job: Job) -> str:
    """What `Row.job` holds, as JSON."""
    return to_json(job_document(job))
