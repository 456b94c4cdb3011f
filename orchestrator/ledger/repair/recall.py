"""What the rest of the run folder remembers is added to what a damaged ledger still says.

`results.jsonl`, the sidecars, the emergency file and `run.log` name jobs by key, fingerprint, task
and, some of them, by the ledger's row. What fits no job that is known begins a new one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger import rescue
from orchestrator.ledger.remains import log_lines, result_documents, sidecars
from orchestrator.ledger.repair.salvage import (
    Evidence,
    Meaning,
    Trace,
    check_fields,
    check_row,
    check_type,
    stored_file,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.ledger.store import StoredFile

#: What a document that makes no sense may raise while it is read.
_SENSELESS = (ValueError, TypeError, LookupError, AttributeError)

#: The columns that hold when an attempt came to a state.
_MOMENTS = {
    State.SUBMITTING: "last_sent_at",
    State.SUBMITTED: "submitted_at",
    State.GENERATED: "generated_at",
    State.STORED: "stored_at",
}


class Memory:
    """Every job of a run folder that anything remembers."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces: dict[Trace, None] = {}
        self._by_row: dict[int, Trace] = {}
        self._by_task: dict[str, Trace] = {}
        self._by_key: dict[str, dict[Trace, None]] = {}
        for trace in traces:
            self._index(trace)
            for evidence in (one for some in trace.evidence.values() for one in some):
                self._note_task(trace, evidence)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """All jobs, those of the damaged ledger first."""
        return tuple(self._traces)

    @property
    def tasks(self) -> dict[str, str | None]:
        """Every task id that any source names, with the key that it goes by, where any tells it."""
        return {task_id: trace.key for task_id, trace in self._by_task.items()}

    def learn(self, trace: Trace, number: int, evidence: Evidence) -> None:
        """Add what a source says of one attempt.

        Raises TypeError or ValueError where that makes no sense.
        """
        check_fields(evidence.fields)
        trace.add(number, evidence)
        self._note_task(trace, evidence)

    def find(
        self,
        key: str,
        *,
        row: int | None = None,
        task_id: str | None = None,
        fingerprint: str | None = None,
    ) -> Trace:
        """The job that is meant, a new one where none fits.

        The row says it for certain, then the task, then key and fingerprint; a key alone means
        the job that has it now. Raises TypeError for a key or a row that makes no sense.
        """
        check_type(str, key)
        found = None
        if row is not None:
            check_row(row)
            found = self._by_row.get(row)
        if found is None and task_id is not None:
            found = self._by_task.get(task_id)
        if found is None:
            same = [
                trace
                for trace in self._by_key.get(key, ())
                if (row is None or trace.row is None)
                and (fingerprint is None or trace.fingerprint in (None, fingerprint))
            ]
            found = max(same, key=lambda trace: trace.is_current, default=None) or Trace()
        found.key, found.row = found.key or key, found.row or row
        self._index(found)
        return found

    def _index(self, trace: Trace) -> None:
        self._traces[trace] = None
        if trace.row is not None:
            self._by_row[trace.row] = trace
        if trace.key is not None:
            self._by_key.setdefault(trace.key, {})[trace] = None

    def _note_task(self, trace: Trace, evidence: Evidence) -> None:
        task_id = evidence.fields.get("task_id")
        if task_id is not None:
            self._by_task.setdefault(task_id, trace)


def recall(folder: Path, traces: Sequence[Trace]) -> Memory:
    """Add to salvaged jobs what the rest of their run folder remembers."""
    memory = Memory(traces)
    for document in result_documents(folder):
        with suppress(*_SENSELESS):
            _take_result(memory, document)
    for path, document in sidecars(folder):
        with suppress(*_SENSELESS):
            _take_sidecar(memory, folder, path, document)
    _take_log(memory, folder)
    with suppress(OSError):
        for rescued in rescue.read(folder):
            with suppress(*_SENSELESS):
                _take_rescued(memory, rescued)
    return memory


def ended_in_order(folder: Path) -> bool:
    """Whether `run.log` is whole and says that the last run ended, its ledger in order.

    It names every create then: each is logged before it is sent, and nothing was cut off.
    """
    last: Mapping[str, Any] = {}
    for line in log_lines(folder):
        if "event" not in line:
            return False
        last = line
    return last.get("event") == "end" and last.get("exit_code") != 7


def is_there(folder: Path, file: StoredFile) -> bool:
    """Whether a video is on disk with its size."""
    try:
        return (folder / file.path).stat().st_size == file.bytes
    except (OSError, ValueError):
        return False


def _take_result(memory: Memory, document: Mapping[str, Any]) -> None:
    number, fingerprint = document["attempt"], document["fingerprint"]
    trace = memory.find(document["key"], task_id=document["task_id"], fingerprint=fingerprint)
    error = document["error"] or {}
    fields = {
        "task_id": document["task_id"],
        "idempotency_key": document["idempotency_key"],
        "urls": tuple(document["urls"]),
        **{f"error_{name}": error.get(name) for name in ("class", "code", "message")},
        **_moments(document, "submitted_at", "generated_at", "stored_at"),
    }
    if not trace.evidence:
        # The sums of all attempts: nobody else remembers what each of them cost.
        names = ("estimated", "reserved", "final")
        fields |= {name: document[f"{name}_credits"] for name in names}
    memory.learn(trace, number, Evidence(State(document["state"]), fields))
    _describe(trace, document)
    files = tuple(stored_file(file) for file in document["files"])
    if files:
        trace.files.append(files)


def _take_sidecar(memory: Memory, folder: Path, path: str, document: Mapping[str, Any]) -> None:
    """Take a sidecar for its word where its video is there; else only the task is known."""
    fingerprint = document["fingerprint"]
    trace = memory.find(document["key"], task_id=document["task_id"], fingerprint=fingerprint)
    file = stored_file({**document["file"], "path": path})
    credits_told = document["credits"]
    fields = {
        "task_id": document["task_id"],
        "trace": document["trace"],
        "idempotency_key": document["idempotency_key"],
        "urls": tuple(document["urls"]),
        **{name: credits_told[name] for name in ("estimated", "reserved", "final")},
        **_moments(document, "submitted_at", "generated_at"),
    }
    stored = is_there(folder, file)
    state = State.STORED if stored else State.SUBMITTED
    memory.learn(trace, document["attempt"], Evidence(state, fields))
    _describe(trace, document)
    if stored:
        trace.found.append(file)


def _take_log(memory: Memory, folder: Path) -> None:
    """Replay the log, job by job: its last word of an attempt counts."""
    told: dict[tuple[int, int], tuple[Trace, State, dict[str, Any]]] = {}
    for line in log_lines(folder):
        with suppress(*_SENSELESS):
            if line["event"] == "not_in_the_ledger":
                _take_unwritten(memory, line)
                continue
            number, key, task_id = line["attempt"], line["key"], line.get("task_id")
            trace = memory.find(key, row=line.get("row"), task_id=task_id)
            _, state, fields = told.get((id(trace), number), (trace, State.SUBMITTING, {}))
            state = State(line.get("state", state))
            if "state" in line and state in _MOMENTS:
                fields[_MOMENTS[state]] = _seconds(line["at"])
            fields |= {"task_id": task_id} if task_id is not None else {}
            told[id(trace), number] = (trace, state, fields)
    for (_, number), (trace, state, fields) in told.items():
        with suppress(*_SENSELESS):
            memory.learn(trace, number, Evidence(state, fields))


def _take_unwritten(memory: Memory, line: Mapping[str, Any]) -> None:
    """A create's answer that the ledger could not take."""
    trace = memory.find(line["key"], row=line.get("row"))
    number = line.get("attempt", max(trace.evidence, default=1))
    memory.learn(trace, number, Evidence(State.SUBMITTING, {"reply": line["reply"]}))


def _take_rescued(memory: Memory, rescued: rescue.Rescued) -> None:
    trace = memory.find(rescued.key, row=rescued.row, task_id=rescued.task_id)
    fields = {
        "reply": rescued.reply,
        "task_id": rescued.task_id,
        "idempotency_key": rescued.idempotency_key,
    }
    memory.learn(trace, rescued.attempt, Evidence(State.SUBMITTING, fields))


def _describe(trace: Trace, document: Mapping[str, Any]) -> None:
    """Keep what a document says of a job of which the ledger's own row may be lost.

    Its identity is made up: it is written nowhere but in the ledger.
    """
    defaults: dict[str, Any] = {"axes": {}, "take": 1, "retries": 0, "on_refusal": "skip"}
    names = ("id", "tags", "prompt", "params", "references", "axes", "take")
    job = defaults | {name: document[name] for name in names if document.get(name) is not None}
    fingerprint, provider, model = (document[name] for name in ("fingerprint", "provider", "model"))
    trace.described = Meaning(
        f"rebuilt:{trace.key}", fingerprint, fingerprint, provider, model, json.dumps(job)
    )


def _moments(document: Mapping[str, Any], *names: str) -> dict[str, float | None]:
    return {name: _seconds(document[name]) for name in names}


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
