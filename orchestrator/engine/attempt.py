"""One job under way in this run: what the stages hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.jobs import State

if TYPE_CHECKING:
    from orchestrator.jobs import Job
    from orchestrator.ledger.store import Row


@dataclass(slots=True)
class OpenAttempt:
    """A job's latest attempt while the engine works on it.

    The ledger has the truth; this is the little of it that the stages need between two events.
    """

    row: int
    key: str
    provider: str
    model: str
    state: State
    #: Place in the manifest; None where the manifest no longer holds this fingerprint.
    position: int | None
    estimate: float | None
    #: What to create; None for a row whose task is only watched and stored.
    job: Job | None = None
    #: Attempts that the ledger holds for this row.
    number: int = 0
    idempotency_key: str | None = None
    body: bytes | None = None
    task_id: str | None = None
    #: Ledger times of the first and the latest send, seconds since the epoch.
    first_sent_at: float | None = None
    last_sent_at: float | None = None
    #: The raw answer to its create, which goes into the ledger with the next event.
    reply: str | None = None
    #: Some send of this attempt may have made a task that no reply told of.
    ambiguous: bool = False
    reserved: float | None = None
    final: float | None = None
    trace: str | None = None
    submitted_at: float | None = None
    generated_at: float | None = None
    #: Result URLs without their queries.
    urls: tuple[str, ...] = ()
    #: What the attempt counts against the budget now.
    charge: float = 0.0
    #: `--select` and `--limit` allow new attempts.
    selected: bool = True
    #: This call started the attempt.
    own: bool = False
    #: It holds one of its account's slots.
    has_slot: bool = False
    #: Seconds that the task had been open when this run began.
    age: float = 0.0
    #: Monotonic time since which the provider does not know the task's id.
    missing_since: float | None = None
    #: The status word, listed in no document, that was last told.
    odd: str | None = None
    #: Monotonic time at which this run began to watch the task, and at which it last looked.
    watched_since: float = 0.0
    looked_at: float = 0.0
    #: What its task is compared with (see `looks.expectations`), once that was asked for.
    kind: str | None = None
    #: Runs that have looked at its quarantined result.
    looks: int = 0
    #: The ledger has the video, the disk has not: fetch it again.
    restoring: bool = False

    @property
    def model_name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def is_new(attempt: OpenAttempt) -> bool:
    """Whether creating this job starts an attempt that the ledger does not count yet."""
    return attempt.number == 0 or attempt.state is not State.PLANNED


def unsent(row: int, position: int, job: Job) -> OpenAttempt:
    """The open attempt of a row of which nothing was sent."""
    name, model = job.provider, job.model
    return OpenAttempt(row, job.key, name, model, State.PLANNED, position, job.estimate, job)


def reopened(row: Row, job: Job | None = None) -> OpenAttempt:
    """The open attempt of a row as the ledger has it."""
    attempt = row.attempt
    opened = OpenAttempt(
        row.row,
        row.key,
        row.provider,
        row.model,
        row.state,
        row.position,
        job.estimate if job else attempt.estimated if attempt else None,
        job,
    )
    if attempt is not None:
        opened.number = attempt.number
        opened.idempotency_key = attempt.idempotency_key
        opened.body = attempt.body
        opened.task_id = attempt.task_id
        opened.first_sent_at = attempt.first_sent_at
        opened.last_sent_at = attempt.last_sent_at
        opened.reserved = attempt.reserved
        opened.final = attempt.final
        opened.trace = attempt.trace
        opened.submitted_at = attempt.submitted_at
        opened.generated_at = attempt.generated_at
        opened.urls = attempt.urls
        opened.charge = attempt.charge or 0.0
        opened.looks = attempt.looks
        opened.ambiguous = row.state is State.SUBMITTING and (
            attempt.reply is None or attempt.first_sent_at != attempt.last_sent_at
        )
    return opened
