"""What a ledger keeps and how the engine writes to it.

One row for each (identity, fingerprint) that was ever admitted; one attempt for each create that
was intended; one event for each change, append-only. The state of a row is a fold over its
events, kept in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from orchestrator.jobs import Job, Value
    from orchestrator.ledger.rescue import Rescued


#: The error class of an attempt that a person gave up.
ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One video on disk. `path` is relative to the run folder, with forward slashes."""

    path: str
    bytes: int
    sha256: str
    #: None where the media does not say.
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create and what came of it. Times are seconds since the epoch by the ledger's clock."""

    number: int
    idempotency_key: str | None = None
    #: The exact bytes of the create.
    body: bytes | None = None
    #: First and latest moment at which the create may have left this machine.
    first_sent_at: float | None = None
    last_sent_at: float | None = None
    #: The raw create reply (`{"status", "headers", "body"}`, URLs without their query strings).
    reply: str | None = None
    task_id: str | None = None
    trace: str | None = None
    estimated: float | None = None
    reserved: float | None = None
    final: float | None = None
    #: What this attempt counts against the budget now; None is unknown.
    charge: float | None = None
    #: Result URLs without their query strings.
    urls: tuple[str, ...] = ()
    error_class: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    submitted_at: float | None = None
    generated_at: float | None = None
    stored_at: float | None = None
    #: How often a run has looked at this attempt's result while it was quarantined.
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One job in the ledger with its latest attempt."""

    row: int
    #: Place in the manifest's order; None when the manifest no longer holds this fingerprint.
    position: int | None
    key: str
    identity: str
    fingerprint: str
    stated: str
    provider: str
    model: str
    state: State
    #: `id`, `tags`, `prompt`, `params`, `references`, `axes`, `take`, `retries`, `on_refusal`,
    #: as JSON values, for results and sidecars.
    job: Mapping[str, Any]
    #: None while nothing was intended.
    attempt: Attempt | None = None
    files: tuple[StoredFile, ...] = ()
    #: Whether a person has to decide: the create's outcome is unknown, or the task was given up.
    needs_decision: bool = False
    #: A person said to send again what is `unknown`: the next run starts a new attempt.
    resubmit: bool = False

    @property
    def is_given_up(self) -> bool:
        """Whether a person let the job go with `resolve --abandon`, and nothing was sent since."""
        attempt = self.attempt if self.state is State.FAILED else None
        return attempt is not None and attempt.error_class == ABANDONED


#: Attempt columns that an event may set.
ATTEMPT_FIELDS = frozenset(
    {
        "idempotency_key", "body", "first_sent_at", "last_sent_at", "reply", "task_id", "trace",
        "estimated", "reserved", "final", "charge", "urls", "error_class", "error_code",
        "error_message", "submitted_at", "generated_at", "stored_at", "looks",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one row, durable before it is acted on.

    `kind` is a word of the story: `intent`, `resend`, `reply`, `accepted`, `rejected`, `returned`,
    `unclear`, `generated`, `stored`, `failed`, `quarantined`, `adopted`, `abandoned`, `retry`,
    `restored`, `drift`, `superseded`, `moved`, `gave_up`, `resubmit`, `no_url`,
    `unread`, `rebuilt`.

    `gave_up` and the state `unknown` set the row's `needs_decision`, any other change of state
    clears it; a note `needs_decision` (true or false) comes before both. `resubmit` decides a row
    that is `unknown`, and the note `retry_due` one that failed: both set the row's `resubmit`,
    which the next change of state clears.
    """

    row: int
    kind: str
    #: The new state; None leaves it.
    state: State | None = None
    #: This event opens the attempt `number of attempts + 1`. A row's first intent always does.
    new_attempt: bool = False
    #: Columns of the latest attempt that change, by name.
    fields: Mapping[str, Any] = field(default_factory=dict)
    #: Replaces the row's files.
    files: Sequence[StoredFile] | None = None
    #: What else is worth remembering, as JSON values.
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admission:
    """One job of the plan on its way into the ledger: a new row, or an old one taken over."""

    job: Job
    #: The row that already stands for this job; None makes a new one.
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that brought a result."""

    #: `provider/model`.
    model_name: str
    params: Mapping[str, Value]
    #: From its submission until it ended, as far as that was seen.
    seconds: float


@dataclass(frozen=True, slots=True)
class Spend:
    """What one provider's attempts count for. `charge` leaves unknown amounts out."""

    estimated: float | None
    reserved: float | None
    final: float | None
    charge: float
    #: Attempts whose charge is unknown.
    unpriced: int


@dataclass(frozen=True, slots=True)
class Credits:
    """One row's credits over all its attempts; None where nothing is known."""

    estimated: float | None = None
    reserved: float | None = None
    final: float | None = None


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A reference that was uploaded before, by content and account."""

    provider: str
    #: SHA-256 (hex) of the bytes.
    sha256: str
    #: The model it was uploaded for, as limits are checked by model.
    model: str
    url: str
    duration_token: str | None
    duration_seconds: float | None
    uploaded_at: float


class Ledger(Protocol):
    """The one source of truth of a run folder."""

    @property
    def campaign(self) -> str:
        """The campaign that was last opened here."""

    def rows(self, *, current: bool = False) -> Iterable[Row]:
        """All rows, those of the manifest first and in its order; `current` leaves others out."""

    def begun(self) -> Iterable[Row]:
        """All rows but those of the manifest of which nothing was sent, in the order of `rows`."""

    def row(self, row: int) -> Row:
        """One row, as it stands now."""

    def undecided(self) -> Iterable[Row]:
        """Rows that need a person's decision, those of the manifest first and in its order."""

    def counts(self) -> Mapping[State, int]:
        """How many current rows are in each state; states of no row are left out."""

    def holders(self, provider: str, task_id: str) -> Sequence[int]:
        """The rows that hold this task id: more than one means trouble."""

    def shared_tasks(self) -> frozenset[tuple[str, str]]:
        """Providers and ids of the tasks that the latest attempts of several rows hold."""

    def attempts(self, row: int) -> Sequence[Attempt]:
        """All attempts of one row, oldest first."""

    def credits(self, rows: Sequence[int]) -> Mapping[int, Credits]:
        """The credits of each of these rows over all its attempts; rows never sent are left out."""

    def spend(self) -> Mapping[str, Spend]:
        """What each provider's attempts count for, over the run folder's whole life."""

    def creates(self, provider: str, since: float) -> Sequence[float]:
        """When creates of this provider may have left since then, oldest first."""

    def attempts_made(self) -> int:
        """How many create attempts the ledger holds: what `budget.jobs` counts."""

    def uploads(self, provider: str) -> Iterable[UploadRecord]:
        """What was uploaded to this account."""

    def bind_origin(self, provider: str, origin: str) -> None:
        """Record a provider's origin, or raise UsageError where another is recorded."""

    def admit(self, admissions: Sequence[Admission]) -> Sequence[int]:
        """Make the manifest's jobs the current ones, in order, and return their rows.

        Rows taken over get the job's key, identity and fingerprint. Rows that are no longer
        current lose their position; those of which nothing was ever sent are deleted.
        """

    def remember(self, name: str, value: str) -> None:
        """Keep one of the ledger's own facts; raises LedgerError."""

    def record(self, *events: Event) -> Awaitable[None]:
        """Make events durable, all or none; done when they are on disk.

        Raises LedgerError for an illegal transition (nothing is written then) and where the disk
        fails.
        """

    def record_upload(self, upload: UploadRecord) -> Awaitable[None]:
        """Remember an upload."""

    def rescue(self, rescued: Rescued) -> None:
        """Keep a create's answer that cannot be recorded, beside the ledger. Raises OSError.

        Who opens the ledger next takes it in.
        """

    def close(self) -> None:
        """Write what is queued and let go of the file."""
