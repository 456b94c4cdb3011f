"""What a report says, as plain values: every figure and word of the page, without its looks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote

from orchestrator.jobs import State
from orchestrator.ledger.store import Attempt
from orchestrator.plan.cost import amount
from orchestrator.report.figures import counted, size, span
from orchestrator.report.wording import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.ledger.store import Credits, Row, Spend, StoredFile

#: Videos that the gallery shows at most: a page stays light with some hundreds of players.
GALLERY_MOST = 300
#: Characters of a prompt and of a reason that are shown.
PROMPT_MOST = 220
REASON_MOST = 500
NAME_MOST = 200


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the report needs of one ledger row; small, because there may be many."""

    key: str
    #: The manifest's `id`, which the gallery groups by.
    id: str
    provider: str
    model: str
    prompt: str
    state: State
    #: Whether the manifest still holds this version of the job.
    current: bool
    #: Whether a create was ever intended.
    sent: bool
    needs_decision: bool
    task_id: str | None
    error_class: str | None
    #: Code and message of the latest attempt; empty where there is none.
    reason: str
    #: How many runs looked at a quarantined result.
    looks: int
    final: float | None
    #: What all attempts came to as the provider says: final, else reserved; None is unknown.
    credits: float | None
    #: Seconds from the task's start to its end, as far as a run saw it; None where it did not.
    took: float | None
    #: When the video was on disk, in seconds since the epoch.
    stored_at: float | None
    files: tuple[StoredFile, ...]


def job_facts(row: Row, spent: Credits, took: float | None) -> JobFacts:
    """What the report needs of one row, of its credits over all attempts, and of its task's time.

    The time is none of the row's own: whether a run watched between them its two dates do not say.
    """
    attempt = row.attempt or Attempt(number=0)
    said = [text for text in (attempt.error_message, attempt.error_code) if text]
    return JobFacts(
        key=readable(row.key, NAME_MOST),
        id=readable(str(row.job["id"]), NAME_MOST),
        provider=row.provider,
        model=readable(row.model, NAME_MOST),
        prompt=readable(str(row.job["prompt"]), PROMPT_MOST),
        state=row.state,
        current=row.position is not None,
        sent=row.attempt is not None,
        needs_decision=row.needs_decision,
        task_id=readable(attempt.task_id, NAME_MOST) if attempt.task_id else None,
        error_class=attempt.error_class,
        reason=readable(f"{said[0]} ({said[1]})" if len(said) > 1 else "".join(said), REASON_MOST),
        looks=attempt.looks,
        final=spent.final,
        credits=spent.final if spent.final is not None else spent.reserved,
        took=took,
        stored_at=attempt.stored_at,
        files=row.files,
    )


@dataclass(frozen=True, slots=True)
class Video:
    """One video on disk, as its card in the gallery says it."""

    key: str
    #: Relative to the run folder, quoted for a URL.
    url: str
    provenance_url: str
    #: Like `hailuo-pro`, `6 s`, `1366 by 768`, `4.1 MB`, `57 credits`.
    details: tuple[str, ...]
    prompt: str
    #: Width by height for the player's box, `16 / 9` where the media does not say.
    shape: str


@dataclass(frozen=True, slots=True)
class Group:
    """Videos that stand together; `title` is their job's id, empty for jobs of one video each."""

    title: str
    videos: tuple[Video, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """One provider's credits over the run folder's whole life; None is unknown, never 0."""

    provider: str
    estimated: float | None
    reserved: float | None
    final: float | None
    #: What counts now: final, else reserved, else estimated, and nothing for what was not made.
    counted: float | None
    #: Creates of which nobody knows what they cost.
    unpriced: int
    #: Jobs that were sent, and those of them whose final figure is known.
    sent: int
    settled: int


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """How one model did. Times are seconds from task to success."""

    name: str
    jobs: int
    stored: int
    credits: float | None
    fastest: float | None
    median: float | None
    slowest: float | None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long it took, in seconds."""

    #: From the first create to the last video on disk; None while there is none.
    makespan: float | None
    #: Jobs by the time from task to success; None where nothing was measured.
    fastest: JobFacts | None
    slowest: JobFacts | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the page says, but for what went wrong (see `troubles`)."""

    campaign: str
    #: The sentence that stands first.
    verdict: str
    #: What follows it: money by provider, then time.
    price_and_time: tuple[str, ...]
    total: int
    #: Jobs of the manifest by state; only states that occur.
    counts: tuple[tuple[State, int], ...]
    costs: tuple[Cost, ...]
    timing: Timing
    models: tuple[ModelFigures, ...]
    gallery: tuple[Group, ...]
    #: Videos on disk, and how many of them the gallery shows.
    videos: int
    shown: int


def gather(
    campaign: str,
    jobs: Sequence[JobFacts],
    spend: Mapping[str, Spend],
    first_create: float | None,
) -> Facts:
    """All facts of a run folder; `first_create` is when the first create left (epoch seconds)."""
    current = [job for job in jobs if job.current]
    found = Counter(job.state for job in current)
    counts = tuple((state, found[state]) for state in _ORDER if found[state])
    costs = tuple(_cost(provider, spend[provider], jobs) for provider in sorted(spend))
    timing = _timing(jobs, first_create)
    videos = sum(len(job.files) for job in current)
    gallery = tuple(_gallery(current))
    return Facts(
        campaign=readable(campaign, NAME_MOST),
        verdict=_verdict(len(current), counts),
        price_and_time=tuple(_price_and_time(costs, timing)),
        total=len(current),
        counts=counts,
        costs=costs,
        timing=timing,
        models=tuple(_models(current)),
        gallery=gallery,
        videos=videos,
        shown=sum(len(group.videos) for group in gallery),
    )


#: What is done first, what needs somebody last.
_ORDER = (
    State.STORED, State.GENERATED, State.SUBMITTED, State.SUBMITTING, State.PLANNED,
    State.QUARANTINED, State.FAILED, State.UNKNOWN,
)  # fmt: skip

#: How the verdict says a state; `stored` is said apart.
_SAID = {
    State.FAILED: "failed",
    State.QUARANTINED: "quarantined",
    State.UNKNOWN: "of unknown outcome",
    State.GENERATED: "waiting for download",
    State.SUBMITTED: "at the provider",
    State.SUBMITTING: "on the wire",
    State.PLANNED: "not sent yet",
}


def _verdict(total: int, counts: Iterable[tuple[State, int]]) -> str:
    if not total:
        return "There are no jobs here yet"
    numbers = dict(counts)
    stored = numbers.get(State.STORED, 0)
    if stored == total:
        return "The video is stored" if total == 1 else f"All {total:,} videos stored"
    parts = [f"{stored:,} of {counted(total, 'video')} stored"]
    parts += [f"{numbers[state]:,} {said}" for state, said in _SAID.items() if state in numbers]
    return ", ".join(parts)


def _price_and_time(costs: Iterable[Cost], timing: Timing) -> Iterator[str]:
    yield from (_price(cost) for cost in costs if cost.sent)
    if timing.makespan is not None:
        yield f"{span(timing.makespan)} from the first create to the last video"


def _price(cost: Cost) -> str:
    if cost.counted is None:
        return f"{cost.provider}: cost unknown"
    least = "at least " if cost.unpriced else ""
    text = f"{cost.provider}: {least}{amount(cost.counted)} credits"
    if cost.estimated is None or cost.estimated == cost.counted:
        return text
    return f"{text}, {amount(cost.estimated)} estimated"


def _cost(provider: str, spend: Spend, jobs: Iterable[JobFacts]) -> Cost:
    sent = [job for job in jobs if job.sent and job.provider == provider]
    return Cost(
        provider=provider,
        estimated=spend.estimated,
        reserved=spend.reserved,
        final=spend.final,
        counted=spend.charge if spend.charge or not spend.unpriced else None,
        unpriced=spend.unpriced,
        sent=len(sent),
        settled=sum(job.final is not None for job in sent),
    )


def _timing(jobs: Iterable[JobFacts], first_create: float | None) -> Timing:
    jobs = list(jobs)
    timed = [(job.took, place, job) for place, job in enumerate(jobs) if job.took is not None]
    ends = [job.stored_at for job in jobs if job.stored_at is not None]
    return Timing(
        makespan=max(max(ends) - first_create, 0.0) if ends and first_create is not None else None,
        fastest=min(timed)[2] if timed else None,
        slowest=max(timed)[2] if timed else None,
        median=median(took for took, _, _ in timed) if timed else None,
    )


def _models(jobs: Iterable[JobFacts]) -> Iterator[ModelFigures]:
    by_name: dict[str, list[JobFacts]] = {}
    for job in jobs:
        by_name.setdefault(f"{job.provider}/{job.model}", []).append(job)
    for name, members in by_name.items():
        took = sorted(job.took for job in members if job.took is not None)
        known = [job.credits for job in members if job.credits is not None]
        yield ModelFigures(
            name=name,
            jobs=len(members),
            stored=sum(job.state is State.STORED for job in members),
            credits=sum(known) if known else None,
            fastest=took[0] if took else None,
            median=median(took) if took else None,
            slowest=took[-1] if took else None,
        )


def _gallery(jobs: Iterable[JobFacts]) -> Iterator[Group]:
    """Videos by job id in the manifest's order; neighbours of one video each share a group."""
    by_id: dict[str, list[Video]] = {}
    room = GALLERY_MOST
    for job in jobs:
        videos = [_video(job, file) for file in job.files[:room]]
        room -= len(videos)
        if videos:
            by_id.setdefault(job.id, []).extend(videos)
    for single, groups in groupby(by_id.items(), key=lambda item: len(item[1]) == 1):
        if single:
            yield Group("", tuple(videos[0] for _, videos in groups))
        else:
            yield from (Group(name, tuple(videos)) for name, videos in groups)


def _video(job: JobFacts, file: StoredFile) -> Video:
    path = PurePosixPath(file.path)
    details = [job.model]
    if file.duration_s is not None:
        details.append(span(file.duration_s))
    if file.width and file.height:
        details.append(f"{file.width} by {file.height}")
    details.append(size(file.bytes))
    details.append("cost unknown" if job.credits is None else f"{amount(job.credits)} credits")
    return Video(
        key=job.key,
        url=_url(path),
        provenance_url=_url(path.with_suffix(".json")),
        details=tuple(details),
        prompt=job.prompt,
        shape=f"{file.width} / {file.height}" if file.width and file.height else "16 / 9",
    )


def _url(path: PurePosixPath) -> str:
    """The path as a relative URL, which no odd name can turn into another place's."""
    return "/".join(quote(part, safe="") for part in path.parts if part not in ("/", "//", ".."))
