"""What a provider is to the engine: a translator.

A provider turns jobs into requests and replies into plain outcomes. It sends nothing, waits for
nothing and repeats nothing: the engine does, through `transport`. So each reading of an API can
be tested as a pure function.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.catalog.listing import Listing
    from orchestrator.catalog.spec import Model
    from orchestrator.jobs import Job, Value


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file as one multipart request."""

    path: str
    mime_type: str
    name: str
    #: Plain form fields beside the file.
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without its credential: the transport adds that for the account's origin."""

    method: str
    #: Path below the provider's base URL, beginning with a slash.
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply, its body read up to a cap. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """What a provider said went wrong, control characters stripped."""

    code: str
    message: str
    #: `requestId` or `trace_id`, for the provider's support.
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a provider lives and how its key is found."""

    key_variable: str
    base_url_variable: str
    default_base_url: str


@dataclass(frozen=True, slots=True)
class WireReference:
    """A reference as the create carries it."""

    url: str
    kind: str
    name: str | None = None
    mime_type: str | None = None
    duration_seconds: float | None = None
    duration_token: str | None = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the Files API gave for a file."""

    url: str
    duration_token: str | None = None
    duration_seconds: float | None = None


# --- what a create came to ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """A task exists. `view` is set where the reply already says how the task stands."""

    task_id: str
    reserved: float | None = None
    trace: str | None = None
    view: TaskView | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was made, and the same request would be answered the same way."""

    #: `rejected` (the request is wrong) or `refused` (the content is).
    kind: Literal["rejected", "refused"]
    fault: Fault


@dataclass(frozen=True, slots=True)
class Throttled:
    """Nothing was made; the account is asked to slow down. `retry_after` in seconds, if stated."""

    fault: Fault
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Halted:
    """Nothing was made, and no create of this account will work until a person acts."""

    #: `credentials` or `balance`.
    reason: Literal["credentials", "balance"]
    fault: Fault


@dataclass(frozen=True, slots=True)
class Unclear:
    """It is not known whether a task was made. `final` forbids a resend even with a key."""

    fault: Fault
    final: bool = False
    #: What the reply asks to wait, in seconds, if it does.
    retry_after: float | None = None


CreateOutcome = Accepted | Rejected | Throttled | Halted | Unclear


# --- how a task stands -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskView:
    """How one task stands, as a poll (or a synchronous create) told it."""

    #: `open`: not final. `succeeded`, `failed`: the provider's own word. `missing`: an id that the
    #: provider does not know, or not yet.
    status: Literal["open", "succeeded", "failed", "missing"]
    #: Media URLs, whole, in the provider's order.
    urls: tuple[str, ...] = ()
    #: What the task cost; None where the reply does not say.
    final: float | None = None
    fault: Fault | None = None
    #: The failure is the content's: shown apart from failures.
    refused: bool = False
    #: The failure is the model's or its channel's, not this job's.
    model_down: bool = False
    #: A status word that no document lists, shown once and polled on.
    odd: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether this is the provider's last word, and a success comes with its videos."""
        return self.status == "failed" or (self.status == "succeeded" and bool(self.urls))


@dataclass(frozen=True, slots=True)
class PollTrouble:
    """A poll that told nothing about any task. Never a job's failure."""

    #: `throttled`, `credentials` or `unavailable`.
    reason: Literal["throttled", "credentials", "unavailable"]
    fault: Fault
    retry_after: float | None = None
    #: The provider refuses to be asked this way: about several tasks at once.
    refuses_batch: bool = False


class Provider(Protocol):
    """One provider's API, as pure functions from jobs to requests and from replies to outcomes."""

    name: str
    settings: Settings
    #: A create repeated with the same key and bytes makes no second task.
    honours_key: bool
    #: Most task ids in one poll.
    poll_batch: int
    #: Documented as not billing what fails; elsewhere a failure that states no credits goes on
    #: counting as reserved.
    failures_free: bool
    #: Where parameters go, the fields that a create fills itself, and those for references: no
    #: table may use them for parameters, nor the first ones for references.
    own_fields: frozenset[str]
    reference_fields: frozenset[str]
    #: Whether there is a Files API.
    takes_files: bool
    #: References that one create carries; None where only the model's table limits them.
    most_references: int | None

    def create(
        self,
        job: Job,
        model: Model,
        references: Sequence[WireReference],
        idempotency_key: str,
    ) -> Request:
        """The create of one job. `references` stand in for the job's own, in the same order."""

    def resend(self, body: bytes, idempotency_key: str) -> Request:
        """The create of these bytes once more, or once more after an earlier run."""

    def read_create(self, reply: Reply) -> CreateOutcome:
        """What became of a create."""

    def poll(self, task_ids: Sequence[str]) -> Request:
        """One look at up to `poll_batch` tasks."""

    def read_poll(
        self, task_ids: Sequence[str], reply: Reply
    ) -> Mapping[str, TaskView] | PollTrouble:
        """How each of `task_ids` stands; ids the reply leaves out are left out."""

    def upload(self, upload: Upload, kind: str, model: Model) -> Request:
        """One upload through the Files API. Raises NotImplementedError where there is none."""

    def read_upload(self, reply: Reply) -> Uploaded | Rejected | Throttled | Halted | Unclear:
        """What became of an upload."""

    def balance(self) -> Request | None:
        """The free request that proves a key and tells the balance; None where there is none."""

    def read_balance(self, reply: Reply) -> float | Fault:
        """Credits left, or what went wrong."""

    def models(self) -> Request | None:
        """The free request for the list of the provider's models; None where there is none."""

    def read_models(self, reply: Reply) -> Listing | Fault:
        """What the list says, as far as it can be read, or what went wrong."""


#: For annotations of bodies before they are bytes.
Body = dict[str, "Value | Body | list[Body] | list[str] | None"]
