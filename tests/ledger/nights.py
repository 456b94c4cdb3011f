"""Run folders as nights leave them: a ledger, its log, results, videos and sidecars."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger.export import results, write_jsonl
from orchestrator.ledger.repair.rebuild import rebuild
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.store import Admission, Event, StoredFile
from tests.ledger.material import finish, make_job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from orchestrator.jobs import Job
    from orchestrator.ledger.repair.rebuild import Rebuilt
    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from orchestrator.ledger.store import Row

VIDEO = b"a video of "

#: How far a job may have come, as the events that led there.
PATHS = {
    "new": "",
    "sent": "intent",
    "answered": "intent reply",
    "submitted": "intent reply accepted",
    "generated": "intent reply accepted generated",
    "stored": "intent reply accepted generated stored",
    "quarantined": "intent reply accepted generated quarantined",
    "failed": "intent reply accepted failed",
    "refused": "intent reply rejected",
    "sent again": "intent reply accepted failed retry",
    "stored at last": "intent reply accepted failed retry reply accepted generated stored",
    "given back": "intent returned",
    "given back and sent": "intent returned intent",
    "unknown": "intent unknown",
}
#: Those whose latest attempt cost nothing, or is over.
UNPAID = frozenset({"new", "given back"})
OVER = frozenset({"failed", "refused"})
STORED = frozenset({"stored", "stored at last"})

_STATES = {
    "intent": State.SUBMITTING,
    "retry": State.SUBMITTING,
    "accepted": State.SUBMITTED,
    "generated": State.GENERATED,
    "stored": State.STORED,
    "quarantined": State.QUARANTINED,
    "failed": State.FAILED,
    "rejected": State.FAILED,
    "returned": State.PLANNED,
    "unknown": State.UNKNOWN,
}
_AT = "2026-05-11T00:00:00.000Z"


@dataclass
class Night:
    """A run of these jobs in this folder; each goes as far as its path says."""

    folder: Path
    #: Key to path.
    ways: dict[str, str]
    #: Log lines name the ledger's row.
    rows_in_log: bool = True
    log: list[dict[str, Any]] = field(default_factory=list)
    #: Every task that the provider made, with its job.
    tasks: dict[str, str] = field(default_factory=dict)

    @property
    def jobs(self) -> list[Job]:
        """The manifest's jobs."""
        return [make_job(key) for key in self.ways]

    def run(self, *, ends: bool = True) -> None:
        """Run it to its end, or leave everything as a killed process does."""
        ledger = open_ledger(self.folder, campaign="spring", clock=lambda: 1000.0, threaded=False)
        self.log.append({"event": "run", "at": _AT})
        rows = ledger.admit([Admission(job) for job in self.jobs])
        for row, (key, way) in zip(rows, self.ways.items(), strict=True):
            number = 1
            for kind in PATHS[way].split():
                number += kind == "retry"
                self.step(ledger, row, key, kind, number)
        if ends:
            write_jsonl(self.folder / "results.jsonl", results(ledger))
            self.log.append({"event": "end", "at": _AT, "exit_code": 0})
            ledger.close()
        else:
            left = {path: path.read_bytes() for path in self.folder.glob("ledger.db*")}
            ledger.close()
            for path, data in left.items():
                path.write_bytes(data)
        lines = "".join(f"{json.dumps(line)}\n" for line in self.log)
        (self.folder / "run.log").write_text(lines)

    def step(self, ledger: SqliteLedger, row: int, key: str, kind: str, number: int) -> None:
        """One event in the ledger and its line in the log."""
        task = f"task-{key}-{number}"
        fields: dict[str, Any] = {}
        files = None
        if kind in ("intent", "retry"):
            sent = {"first_sent_at": 1000.0, "last_sent_at": 1000.0}
            fields = {"idempotency_key": f"k-{key}", "body": b"{}" * 200, "reply": None, **sent}
            fields |= {"estimated": 3.0, "charge": 3.0}
        elif kind == "reply":
            fields = {"reply": json.dumps({"task": task})}
        elif kind == "accepted":
            self.tasks[task] = key
            fields = {"task_id": task, "submitted_at": 1001.0, "reserved": 3.0}
        elif kind == "generated":
            fields = {"generated_at": 1002.0, "final": 3.0}
        elif kind == "stored":
            fields = {"stored_at": 1003.0}
            files = [self.store(key, task, number)]
        elif kind in ("failed", "rejected"):
            fields = {"error_class": kind, "charge": 0.0}
        elif kind == "returned":
            fields = {"charge": 0.0}
        state = _STATES.get(kind)
        event = Event(row, kind, state, kind == "retry", fields, files)
        finish(ledger.record(event))
        line = {"event": kind, "at": _AT, "key": key, "attempt": number, "state": state}
        line |= {"row": row} if self.rows_in_log else {}
        if kind not in ("intent", "reply", "retry", "rejected", "returned", "unknown"):
            line["task_id"] = task
        self.log.append({name: value for name, value in line.items() if value is not None})

    def store(self, key: str, task: str, number: int) -> StoredFile:
        """The video and what stands beside it."""
        path = self.folder / "videos" / f"{key}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(VIDEO + key.encode())
        file = StoredFile(f"videos/{key}.mp4", len(VIDEO) + len(key), "0" * 64, 5.0, 16, 9)
        job = make_job(key)
        sidecar = {
            "key": key, "id": key, "axes": {}, "take": 1, "tags": [], "provider": job.provider,
            "model": job.model, "prompt": job.spec.prompt, "params": dict(job.params),
            "references": [], "fingerprint": job.fingerprint, "attempt": number, "task_id": task,
            "trace": None, "idempotency_key": f"k-{key}", "urls": [],
            "credits": {"estimated": 3.0, "reserved": 3.0, "final": 3.0},
            "submitted_at": _AT, "generated_at": _AT,
            "file": {"path": file.path, "bytes": file.bytes, "sha256": file.sha256,
                     "duration_s": 5.0, "width": 16, "height": 9},
        }  # fmt: skip
        path.with_suffix(".json").write_text(json.dumps(sidecar))
        return file

    def arrange(self, rows: Iterable[Row]) -> Sequence[Admission]:
        """The jobs against the rows, by identity and fingerprint."""
        known = {(row.identity, row.fingerprint): row.row for row in rows}
        return [
            Admission(job, known.get((job.spec.identity, job.fingerprint))) for job in self.jobs
        ]

    async def rebuild(self) -> Rebuilt:
        """The ledger made again."""
        return await rebuild(
            self.folder,
            campaign="spring",
            arrange=self.arrange,
            task_in=task_in,
            clock=lambda: 2000.0,
        )

    def reopened(self) -> SqliteLedger:
        """The ledger as the next run opens it."""
        return open_ledger(self.folder, campaign="spring", threaded=False)


def task_in(provider: str, reply: str) -> str | None:
    """The task that a reply names, as a provider would read it."""
    assert provider == "rivya"
    return json.loads(reply).get("task")
