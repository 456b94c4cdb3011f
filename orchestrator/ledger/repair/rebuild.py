"""A ledger that is damaged or gone is made again from everything that is left of it.

The damaged file is kept. What can be read of it (`salvage`) and what the rest of the run folder
remembers (`recall`) become the rows of a new file, by rules under which no create is ever repeated
unless a person says so (`verdict`). The new file takes the old one's place when it is whole: a
crash on the way leaves a run folder that runs refuse, and that can be rebuilt once more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import DiskError, LedgerCorrupt, UsageError
from orchestrator.ledger.encoding import encode_job
from orchestrator.ledger.export import timestamp
from orchestrator.ledger.folders import sync_file, sync_folder
from orchestrator.ledger.keeping import BESIDE, keep_copy, kept_copies
from orchestrator.ledger.lock import RunLock
from orchestrator.ledger.remains import note_rebuild, tells_of_creates
from orchestrator.ledger.repair.recall import ended_in_order, is_there, recall
from orchestrator.ledger.repair.salvage import Meaning, Salvage, salvage
from orchestrator.ledger.repair.verdict import Facts, attempts_of, history, unsent
from orchestrator.ledger.sqlite.ledger import open_draft
from orchestrator.ledger.sqlite.opening import LEDGER_FILE, examine, forgotten, was_left_open
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.ledger.store import Admission, Row

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from orchestrator.jobs import Job, State
    from orchestrator.ledger.repair.recall import Memory
    from orchestrator.ledger.repair.salvage import Trace
    from orchestrator.ledger.repair.verdict import TaskIn
    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from orchestrator.ledger.store import Event, StoredFile

#: The manifest's jobs against these rows, in the manifest's order, as the plan matches them.
Arrange = Callable[[Iterable[Row]], Sequence[Admission]]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a ledger that was made again comes to."""

    path: Path
    #: The copy of the damaged one; None where there was nothing left of it.
    kept: Path | None
    #: How many of the manifest's jobs are in each state.
    counts: Mapping[State, int]
    #: How many jobs wait for a person.
    undecided: int
    #: Tasks that belong to no job that is known, with the key that they go by, if any.
    unplaced: Mapping[str, str | None]


async def rebuild(
    folder: Path,
    *,
    campaign: str,
    arrange: Arrange,
    task_in: TaskIn,
    clock: Callable[[], float] = time.time,
) -> Rebuilt:
    """Make the ledger of a run folder again, and put it in the damaged one's place.

    `clock` gives seconds since the epoch. Raises UsageError where nothing is wrong with the
    ledger or there is nothing to make it from, and LedgerBusy, LedgerNewer, LedgerError or
    DiskError: the run folder is as it was then, or runs go on refusing it.
    """
    lock = RunLock(folder)
    try:
        return await _rebuild(folder, _Making(campaign, arrange, task_in, clock()))
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise DiskError(
            f"{folder / LEDGER_FILE} cannot be made again: {why}."
            " Make room on the disk, then run the same command again."
        ) from error
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class _Making:
    """What the new ledger is made with."""

    campaign: str
    arrange: Arrange
    task_in: TaskIn
    #: Seconds since the epoch.
    now: float


async def _rebuild(folder: Path, making: _Making) -> Rebuilt:
    path = folder / LEDGER_FILE
    source = _source(path)
    salvaged = salvage(source) if source is not None else Salvage()
    memory = recall(folder, salvaged.traces)
    draft = path.with_name(f"{path.name}.rebuilt")
    for leftover in (*BESIDE, ""):
        draft.with_name(draft.name + leftover).unlink(missing_ok=True)
    clock = _Clock(making.now)
    with open_draft(draft, clock) as ledger:
        ledger.remember("campaign", making.campaign)
        for provider, origin in salvaged.origins.items():
            ledger.bind_origin(provider, origin)
        placed = await _fill(ledger, clock, folder, memory, making)
        unplaced = {task: key for task, key in memory.tasks.items() if task not in placed}
        made = Rebuilt(path, source, ledger.counts(), len(ledger.undecided()), unplaced)
    sync_file(draft)
    _put_in_place(draft, path)
    note_rebuild(folder, timestamp(making.now) or "")
    return made


def _source(path: Path) -> Path | None:
    """The copy that is kept of the damaged ledger; None where nothing of it is left.

    Raises UsageError where there is nothing to make again, or nothing to make it from.
    """
    if not path.exists() and was_left_open(path):
        # A log without its file: what it holds is read as if the file had been emptied.
        path.touch()
    if path.exists():
        finding = examine(path, whole=True, thorough=True) or forgotten(path)
        if finding is None and _makes_sense(path.parent):
            raise UsageError(f"{path} is in order, so it is not made again. Nothing was changed.")
        return keep_copy(path)
    copies = kept_copies(path)
    if not copies and tells_of_creates(path.parent) is None:
        raise UsageError(
            f"{path} is not there, and nothing in its folder tells of a run. Name the manifest"
            " with the --run-dir or --sandbox of the run. Nothing was changed."
        )
    return copies[-1] if copies else None


def _makes_sense(folder: Path) -> bool:
    """Whether every row and every event of a ledger that SQLite can read says something."""
    try:
        with read_ledger(folder) as ledger:
            for row in ledger.rows():
                len(row.job)
            for _ in ledger.events():
                pass
    except (LedgerCorrupt, ValueError, TypeError, LookupError):
        return False
    return True


class _Clock:
    """The time that a new ledger writes beside its events: when they happened."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def _fill(
    ledger: SqliteLedger, clock: _Clock, folder: Path, memory: Memory, making: _Making
) -> set[str | None]:
    """Write every job into the new ledger, and return the task ids that it has then."""
    jobs = {admission.job.key: admission.job for admission in making.arrange(())}
    placed = _place(memory.traces, jobs.values())
    ledger.restore_rows([(one.row, one.key, *astuple(one.meaning)) for one in placed])
    log_is_whole = ended_in_order(folder)
    tasks: set[str | None] = set()
    for one in placed:
        estimate = jobs[one.key].estimate if one.key in jobs else None
        files = _files(folder, one.trace)
        provider = one.meaning.provider
        facts = Facts(provider, estimate, files, making.task_in, log_is_whole, making.now)
        attempts = attempts_of(one.trace, facts)
        await _write(ledger, clock, history(one.row, attempts, files, making.now))
        tasks |= {attempt.fields.get("task_id") for attempt in attempts}
    clock.now = making.now
    admissions = making.arrange(list(ledger.rows()))
    restored = {one.row for one in placed}
    for row, admission in zip(ledger.admit(admissions), admissions, strict=True):
        if row not in restored:
            await _write(ledger, clock, unsent(row, admission.job.estimate, making.now))
    return tasks


async def _write(
    ledger: SqliteLedger, clock: _Clock, events: Iterable[tuple[float, Event]]
) -> None:
    for clock.now, event in events:
        await ledger.record(event)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row of the new ledger."""

    row: int
    key: str
    meaning: Meaning
    trace: Trace


def _place(traces: Iterable[Trace], jobs: Iterable[Job]) -> list[_Placed]:
    """Give every job that is known a row: its old one, where that is known.

    Traces of which nobody can tell what job they are of are left out.
    """
    found: dict[tuple[str, str], tuple[str, Meaning, Trace]] = {}
    by_key = {job.key: job for job in jobs}
    by_content = {job.fingerprint: job for job in reversed(by_key.values())}
    # Those whose own row could be read come first: the others are held against them.
    for trace in sorted(traces, key=lambda trace: trace.meaning is None):
        key, meaning = trace.key, trace.meaning
        if meaning is None:
            job = _job_of(trace, by_key.get(key or ""), by_content, found)
            key, meaning = (job.key, _meaning(job)) if job else (key, trace.described)
        if key is not None and meaning is not None:
            sign = (meaning.identity, meaning.fingerprint)
            *_, same = found.setdefault(sign, (key, meaning, trace))
            if same is not trace:
                same.absorb(trace)
    unused = max((trace.row or 0 for *_, trace in found.values()), default=0)
    placed = []
    for key, meaning, trace in found.values():
        unused += trace.row is None
        placed.append(_Placed(trace.row or unused, key, meaning, trace))
    return placed


def _job_of(
    trace: Trace,
    named: Job | None,
    by_content: Mapping[str, Job],
    placed: Container[tuple[str, str]],
) -> Job | None:
    """The manifest's job that a trace without a row of its own is of; None where it is of none.

    `named` has its key. Another row may have that key now: then the trace is of a former job.
    """
    if named is not None and trace.fingerprint == named.fingerprint:
        return named
    if trace.fingerprint is not None:
        same = by_content.get(trace.fingerprint)
        return None if same is None or (same.spec.identity, same.fingerprint) in placed else same
    if named is None or trace.row is None:
        return named
    return None if (named.spec.identity, named.fingerprint) in placed else named


def _meaning(job: Job) -> Meaning:
    spec = job.spec
    return Meaning(
        spec.identity, job.fingerprint, job.stated, spec.provider, spec.model, encode_job(job)
    )


def _files(folder: Path, trace: Trace) -> tuple[StoredFile, ...]:
    """The job's files: those that are on disk, else those that somebody remembers."""
    # `a.mp4` comes before `a.2.mp4`, and that before `a.10.mp4`.
    found = tuple(sorted(trace.found, key=lambda file: (len(file.path), file.path)))
    told = [files for files in (*trace.files, found) if files]
    whole = (files for files in told if all(is_there(folder, file) for file in files))
    return next(whole, told[0] if told else ())


def _put_in_place(draft: Path, path: Path) -> None:
    """Let the new ledger take the damaged one's place, of which a copy is kept.

    The old log goes first, or SQLite would take it for the new file's. While there is no ledger,
    the copy that is kept tells runs that there was one.
    """
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    for suffix in BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_folder(path.parent)
    draft.replace(path)
    sync_folder(path.parent)
