"""What did not work out: which jobs, why, and what to do next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.jobs import State
from orchestrator.report.wording import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from orchestrator.report.facts import JobFacts

#: Reasons that one kind of trouble lists, and jobs that one reason lists.
REASONS_MOST = 50
JOBS_MOST = 25
#: Runs that look at a quarantined result, before it is left alone.
LOOKS_MOST = 3

_AGAIN = "orchestrator run MANIFEST"
_NEW_ATTEMPTS = f"{_AGAIN} --select state:failed"
_ABANDONED_AGAIN = f"{_NEW_ATTEMPTS} --select id:KEY"

_REFUSED = (
    "The provider does not make this. Change the prompt or the references in the manifest; the"
    " edited job is a new one."
)
_REJECTED = (
    "The provider did not take the request, and nothing was made. Mend the job in the manifest,"
    " or send it again as it is."
)
_ABANDONED = (
    "You decided to leave these. What they may have cost goes on counting. A job that is named"
    " gets a new attempt all the same, which costs."
)
_FAILED = (
    "The provider tried and says that it failed. A plain run leaves these alone; this one starts"
    " new attempts, which cost again."
)

#: Error class, title, meaning and command of each kind of failure; None is any other class.
_FAILURES = (
    ("refused", "Refused for their content", _REFUSED, _AGAIN),
    ("rejected", "Rejected", _REJECTED, _NEW_ATTEMPTS),
    ("abandoned", "Abandoned", _ABANDONED, _ABANDONED_AGAIN),
    (None, "Failed at the provider", _FAILED, _NEW_ATTEMPTS),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One job in trouble."""

    key: str
    task_id: str | None
    #: Whether the manifest has another version of this job by now.
    former: bool


@dataclass(frozen=True, slots=True)
class Why:
    """One reason and the jobs it befell; `more` counts those that are not listed."""

    reason: str
    cases: tuple[Case, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble."""

    title: str
    #: `bad` where something is lost or has to be decided, else `open`.
    mood: str
    #: Whether nothing goes on before a person decides.
    needs_you: bool
    count: int
    meaning: str
    #: Commands to go on with, ready to paste but for the words in capitals.
    commands: tuple[str, ...]
    reasons: tuple[Why, ...]
    #: Jobs whose reasons are not listed.
    more: int


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    mood: str
    meaning: str
    commands: tuple[str, ...]
    #: What is said of a job that has no words of its own.
    silent: str
    holds: Callable[[JobFacts], bool]
    needs_you: bool = False


def troubles(jobs: Iterable[JobFacts], folder: Path) -> tuple[Trouble, ...]:
    """Every kind of trouble that occurs, what needs a person first.

    Former versions of jobs are among them where something was sent and is not settled.
    """
    jobs = [job for job in jobs if job.state is not State.STORED and (job.current or job.sent)]
    found = []
    for kind in _kinds(folder):
        members = [job for job in jobs if kind.holds(job)]
        if members:
            found.append(_trouble(kind, members))
    return tuple(found)


def _trouble(kind: _Kind, jobs: list[JobFacts]) -> Trouble:
    by_reason: dict[str, list[JobFacts]] = {}
    for job in jobs:
        by_reason.setdefault(job.reason or kind.silent, []).append(job)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return Trouble(
        title=kind.title,
        mood=kind.mood,
        needs_you=kind.needs_you,
        count=len(jobs),
        meaning=kind.meaning,
        commands=kind.commands,
        reasons=tuple(_why(reason, members) for reason, members in ordered[:REASONS_MOST]),
        more=sum(len(members) for _, members in ordered[REASONS_MOST:]),
    )


def _why(reason: str, jobs: list[JobFacts]) -> Why:
    cases = tuple(Case(job.key, job.task_id, not job.current) for job in jobs[:JOBS_MOST])
    return Why(reason, cases, len(jobs) - len(cases))


def _kinds(folder: Path) -> Iterator[_Kind]:
    """The kinds of trouble, each job in exactly one of them."""
    yield from _to_decide(readable(shlex.quote(str(folder)), 4096))
    yield from _failures()
    yield from _quarantines()
    yield from _unfinished()


def _to_decide(run: str) -> Iterator[_Kind]:
    yield _Kind(
        "Outcome unknown",
        "bad",
        "The create went out and no answer says what became of it. It may have been paid for, so"
        " it is not sent again before you say so. Look the task up at the provider, then decide.",
        (
            f"orchestrator resolve {run}",
            f"orchestrator resolve {run} JOB --adopt TASK_ID",
            f"orchestrator resolve {run} JOB --resubmit",
            f"orchestrator resolve {run} JOB --abandon",
        ),
        "The provider gave no answer",
        lambda job: job.state is State.UNKNOWN,
        needs_you=True,
    )
    yield _Kind(
        "Task does not end",
        "bad",
        "The provider accepted these and never said how they ended. Each run looks again; when"
        " you no longer want to wait, abandon them.",
        (_AGAIN, f"orchestrator resolve {run} JOB --abandon"),
        "No end within the time allowed",
        lambda job: job.needs_decision and job.state is not State.UNKNOWN,
        needs_you=True,
    )


def _failures() -> Iterator[_Kind]:
    for error_class, title, meaning, command in _FAILURES:
        yield _Kind(
            title, "bad", meaning, (command,), "No reason was given", _failed_as(error_class)
        )


def _failed_as(error_class: str | None) -> Callable[[JobFacts], bool]:
    """Whether a job failed in this class; None takes what is in no class of its own."""
    others = {named for named, *_ in _FAILURES if named != error_class}

    def holds(job: JobFacts) -> bool:
        if job.state is not State.FAILED or job.needs_decision:
            return False
        return (
            job.error_class not in others
            if error_class is None
            else (job.error_class == error_class)
        )

    return holds


def _quarantines() -> Iterator[_Kind]:
    yield _Kind(
        "Quarantined",
        "bad",
        "These were paid for, and what arrived is no sound video. Each run looks again, at most"
        f" {LOOKS_MOST} times, and never pays again.",
        (_AGAIN,),
        "What arrived does not verify",
        lambda job: _is_quarantined(job) and _is_looked_at(job),
    )
    yield _Kind(
        "Quarantined for good",
        "bad",
        "These were paid for, and no run looks at them any more. Ask the provider for the video"
        " by its task id.",
        (),
        "What arrived does not verify",
        lambda job: _is_quarantined(job) and not _is_looked_at(job),
    )


def _is_quarantined(job: JobFacts) -> bool:
    return job.state is State.QUARANTINED and not job.needs_decision


def _is_looked_at(job: JobFacts) -> bool:
    """Whether the next run looks at a quarantined result again."""
    return job.task_id is not None and job.looks < LOOKS_MOST


def _unfinished() -> Iterator[_Kind]:
    under_way = (State.SUBMITTING, State.SUBMITTED, State.GENERATED)
    yield _Kind(
        "Still under way",
        "open",
        "These were sent and are not on disk yet. The same command fetches them and pays for"
        " nothing twice.",
        (_AGAIN,),
        "Not finished when the run ended, or the run is going on",
        lambda job: job.state in under_way and not job.needs_decision,
    )
    yield _Kind(
        "Not sent yet",
        "open",
        "Nothing was sent and nothing was spent for these.",
        (_AGAIN,),
        "Not reached: not selected, stopped before, or no room in the budget",
        lambda job: job.state is State.PLANNED and not job.needs_decision,
    )
