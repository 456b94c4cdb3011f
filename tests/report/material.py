"""Run folders with jobs in every state, for the report's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger.store import Admission, StoredFile
from tests.ledger.material import in_memory, make_job, walk, write

if TYPE_CHECKING:
    from orchestrator.jobs import Job
    from orchestrator.ledger.sqlite.ledger import SqliteLedger

#: When the first create leaves.
START = 1_790_000_000.0


def ledger_of(*jobs: Job) -> SqliteLedger:
    """A ledger that holds these jobs, all planned, in rows 1, 2, 3 …"""
    ledger = in_memory()
    ledger.admit([Admission(job) for job in jobs])
    return ledger


def jobs_of(count: int, **spec: Any) -> list[Job]:
    """So many jobs `job-0`, `job-1` …"""
    return [make_job(f"job-{number}", **spec) for number in range(count)]


def intend(
    ledger: SqliteLedger, row: int, *, at: float = START, price: float | None = 57.0
) -> None:
    """Put a row's create on the wire, at a price where one is known."""
    write(
        ledger, row, "intent", State.SUBMITTING,
        idempotency_key=f"key-{row}", body=b"{}", first_sent_at=at, last_sent_at=at,
        estimated=price, charge=price,
    )  # fmt: skip


def send(ledger: SqliteLedger, row: int, *, at: float = START, price: float | None = 57.0) -> None:
    """Have a row's create accepted."""
    intend(ledger, row, at=at, price=price)
    write(
        ledger, row, "accepted", State.SUBMITTED,
        task_id=f"task-{row}", submitted_at=at + 1, reserved=price,
    )  # fmt: skip


def store(
    ledger: SqliteLedger,
    row: int,
    path: str,
    *,
    at: float = START,
    took: float = 90.0,
    final: float | None = 57.0,
) -> None:
    """Bring a row from its create to a video on disk."""
    send(ledger, row, at=at, price=final)
    fields: dict[str, Any] = {} if final is None else {"final": final, "charge": final}
    write(
        ledger, row, "generated", State.GENERATED,
        generated_at=at + 1 + took, note={"took": took}, **fields,
    )  # fmt: skip
    file = StoredFile(path, 4_100_000, "ab" * 32, 6.0, 1366, 768)
    write(ledger, row, "stored", State.STORED, stored_at=at + took + 5, files=[file])


def fail(
    ledger: SqliteLedger,
    row: int,
    error_class: str,
    message: str = "the generation failed",
    code: str = "generation_failed",
) -> None:
    """Have a row's task fail, at no cost."""
    send(ledger, row)
    write(
        ledger, row, "failed", State.FAILED,
        error_class=error_class, error_code=code, error_message=message, charge=0.0,
    )  # fmt: skip


def quarantine(ledger: SqliteLedger, row: int, *, looks: int = 0) -> None:
    """Have a row's result arrive broken."""
    send(ledger, row)
    walk(ledger, row, State.GENERATED)
    write(
        ledger, row, "quarantined", State.QUARANTINED,
        error_class="invalid_media", error_code="invalid_media",
        error_message="the file ends in the middle of a box", looks=looks,
    )  # fmt: skip


def lose(ledger: SqliteLedger, row: int) -> None:
    """Have a row's create go out without an answer."""
    intend(ledger, row)
    write(
        ledger, row, "unknown", State.UNKNOWN,
        error_code="lost", error_message="the connection broke", charge=57.0,
    )  # fmt: skip


def everything() -> SqliteLedger:
    """One job in each state and each class of failure, and three videos."""
    ledger = ledger_of(*jobs_of(13))
    for row in (1, 2, 3):
        store(ledger, row, f"videos/job-{row - 1}.mp4", took=60.0 * row)
    for row, error_class in enumerate(("rejected", "refused", "failed", "abandoned"), start=4):
        fail(ledger, row, error_class)
    quarantine(ledger, 8)
    lose(ledger, 9)
    send(ledger, 10)
    write(ledger, 10, "gave_up", note={"needs_decision": True})
    send(ledger, 11)
    intend(ledger, 12)
    return ledger
