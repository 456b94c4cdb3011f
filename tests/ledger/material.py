"""Jobs, events and short cuts that the ledger's tests share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import Job, JobSpec, State
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.store import Admission, Event

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger


def make_job(
    key: str, *, identity: str | None = None, content: str | None = None, **spec: Any
) -> Job:
    """A job whose fingerprint follows from `content`, which is its key where nothing is said."""
    fingerprint = hashlib.sha256((content or key).encode()).hexdigest()
    values = {
        "provider": "rivya",
        "model": "sora-2-pro",
        "prompt": f"a film of {key}",
        "params": {"n_frames": "10"},
        **spec,
    }
    full = JobSpec(key=key, id=key.split("/")[0], identity=identity or f'["{key}"]', **values)
    return Job(full, {**full.params, "size": "high"}, fingerprint, fingerprint, 3.0)


def inline(folder: Path, clock: Any = lambda: 1000.0) -> SqliteLedger:
    """A ledger on disk that commits at once."""
    return open_ledger(folder, campaign="spring", clock=clock, threaded=False)


def in_memory() -> SqliteLedger:
    """A ledger that touches no disk."""
    return open_ledger(None, campaign="spring", clock=lambda: 1000.0, database=":memory:")


def admit(ledger: SqliteLedger, *keys: str) -> list[int]:
    """Rows for new jobs of these keys."""
    return list(ledger.admit([Admission(make_job(key)) for key in keys]))


def finish(awaitable: Awaitable[None]) -> None:
    """Take the result of an awaitable that has to be done already."""
    try:
        next(iter(awaitable.__await__()))
    except StopIteration:
        return
    raise AssertionError("the inline ledger made its caller wait")


def write(
    ledger: SqliteLedger, row: int, kind: str, state: State | None = None, **rest: Any
) -> None:
    """Record one event; what is no field of `Event` is an attempt's field."""
    known = {name: rest.pop(name) for name in ("new_attempt", "files", "note") if name in rest}
    finish(ledger.record(Event(row, kind, state, fields=rest, **known)))


def walk(ledger: SqliteLedger, row: int, *states: State) -> None:
    """Take a row through states, the first intent with a body and a key."""
    for state in states:
        fields: dict[str, Any] = {}
        if state is State.SUBMITTING:
            fields = {"idempotency_key": f"key-{row}", "body": b"{}", "first_sent_at": 1000.0}
        if state is State.SUBMITTED:
            fields = {"task_id": f"task-{row}", "submitted_at": 1001.0}
        write(ledger, row, str(state), state, **fields)
