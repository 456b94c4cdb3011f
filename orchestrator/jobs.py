"""The words every room shares: a job, its references, its states, a problem with a position."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A parameter's value as it goes over the wire: `select` and `text` are strings, `number` numbers.
Value = str | int | float


class State(StrEnum):
    """Where a job stands."""

    #: Nothing was sent.
    PLANNED = "planned"
    #: The intent is durable; the create may be on the wire.
    SUBMITTING = "submitting"
    #: The task id is durable.
    SUBMITTED = "submitted"
    #: The provider reports success; the video is not yet on disk.
    GENERATED = "generated"
    #: The video is on disk and verified.
    STORED = "stored"
    #: The provider reported failure, or refused.
    FAILED = "failed"
    #: What became of the create is not known.
    UNKNOWN = "unknown"
    #: Something arrived and does not verify.
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image, video or audio that a generation starts from: a local file or a URL."""

    #: `image`, `video` or `audio`.
    kind: str
    #: Absolute path of a local file; None for a URL.
    path: str | None = None
    #: Public https URL; None for a local file.
    url: str | None = None
    #: SHA-256 (hex) of the local file's bytes.
    sha256: str | None = None
    #: Size of the local file, in bytes.
    size: int | None = None
    name: str | None = None
    #: MIME type: of a local file as its first bytes say, of a URL as the manifest says.
    mime_type: str | None = None
    #: As the manifest states it, in seconds.
    duration_seconds: float | None = None
    #: As the manifest states it; uploads bring their own.
    duration_token: str | None = None
    #: A URL that is to be fetched and uploaded instead of being passed on.
    upload: bool = False

    @property
    def needs_upload(self) -> bool:
        """Whether the provider gets this through its Files API."""
        return self.path is not None or self.upload


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job as the manifest means it: expanded, substituted, checked against its model's table.

    `params` holds what the user stated (`defaults.params` and `params`), typed as the wire wants
    it, without the table's defaults and without a derived seed: those are the plan's.
    """

    #: Unique path of the job (`grid/cup-noir-sora-2-pro`, `reveal/2`), ready for a file name.
    key: str
    #: The manifest's `id`.
    id: str
    #: Canonical JSON of id, prompt item, axis values by axis name, row and take.
    identity: str
    provider: str
    model: str
    prompt: str
    params: Mapping[str, Value]
    references: tuple[Reference, ...] = ()
    #: From 1.
    take: int = 1
    tags: tuple[str, ...] = ()
    #: New attempts after the provider reports failure.
    retries: int = 0
    #: `skip` (this job fails alone) or `stop` (creates end) when the provider refuses the content.
    on_refusal: str = "skip"
    #: Axis name to value as text, in the manifest's order, for reports and sidecars.
    axes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One generation to buy: a `JobSpec` with effective parameters and its fingerprint."""

    spec: JobSpec
    #: The table's defaults, then what the manifest states; a seed derived or shifted by take.
    params: Mapping[str, Value]
    #: SHA-256 (hex) of what decides the result.
    fingerprint: str
    #: The same digest without the table's defaults: tells an edited job from an edited table.
    stated: str
    #: What one generation is expected to cost, in the provider's unit; None is unknown, never 0.
    estimate: float | None

    @property
    def key(self) -> str:
        """The job's unique path."""
        return self.spec.key

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.spec.provider

    @property
    def model(self) -> str:
        """The model's id at its provider."""
        return self.spec.model


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a manifest or in a file it names, at the place to mend.

    `line` and `column` are 1-based; columns count code points.
    """

    file: str
    line: int
    column: int
    #: Like `jobs[2].params.duration`.
    path: str
    #: Stable short name, such as `unknown-key`.
    code: str
    message: str
    #: The next step; empty where there is none to give.
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text
