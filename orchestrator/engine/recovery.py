"""Recovery: what a run does with each row that an earlier run left, whatever ended that one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.engine.attempt import is_new, reopened
from orchestrator.engine.settle import quarantine_shared
from orchestrator.engine.sidecar import describer
from orchestrator.engine.submit import UNKNOWN_HOLDS_SLOT
from orchestrator.engine.tally import Reason
from orchestrator.errors import DiskError
from orchestrator.jobs import State
from orchestrator.storage.outcomes import Taken

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.collect import Store
    from orchestrator.engine.run import Run
    from orchestrator.engine.stages import Stages
    from orchestrator.jobs import Job
    from orchestrator.ledger.store import Row
    from orchestrator.plan.plan import Entry

#: How many runs look at a quarantined result.
QUARANTINE_LOOKS = 3
#: How much later than its intent a create of an earlier run may have arrived, in seconds.
SENT_LATER = 2.0
#: States whose rows this run cannot leave alone: something was paid, or may have been.
UNSETTLED = frozenset({State.SUBMITTING, State.SUBMITTED, State.GENERATED, State.QUARANTINED})

#: States that a create may start from, where the plan says that it is due.
CREATABLE = frozenset({State.PLANNED, State.FAILED, State.UNKNOWN})


class Recovery:
    """Puts rows back on their account's stages."""

    def __init__(self, run: Run, store: Store, stages: Mapping[str, Stages]) -> None:
        self._run = run
        self._store = store
        self._stages = stages
        #: New attempts that were let through so far, in the manifest's order.
        self._creates = 0

    async def take_up(self, entries: Sequence[Entry], numbers: Sequence[int]) -> None:
        """Take up every row: the manifest's jobs in order, then what it no longer holds.

        `entries` are the manifest's jobs and `numbers` their rows. The ledger tells only of those
        of which something was sent, a few at a time: a manifest may hold a hundred thousand.
        """
        self._seed_meters()
        shared = self._run.ledger.shared_tasks()
        begun = iter(self._run.ledger.begun())
        row = next(begun, None)
        for place, (entry, number) in enumerate(zip(entries, numbers, strict=True)):
            if row is not None and row.position == place:
                await self._take_up_begun(row, entry, shared)
                row = next(begun, None)
            elif entry.to_run and entry.job.provider in self._stages:
                self._create_unsent(number, place, entry.job)
        while row is not None:
            assert row.position is None, "a row of the manifest was passed over"
            await self._take_up_begun(row, None, shared)
            row = next(begun, None)

    async def _take_up_begun(
        self, row: Row, entry: Entry | None, shared: Container[tuple[str, str]]
    ) -> None:
        """Take up a row of which something was sent; `entry` is its job in the manifest."""
        if row.state is State.STORED:
            await self._write_lost_sidecars(row)
        if row.provider not in self._stages:
            return
        attempt = reopened(row, entry.job if entry else None)
        attempt.selected = entry is not None and entry.selected
        if attempt.task_id is not None:
            account = self._stages[row.provider].account
            account.holders.setdefault(attempt.task_id, attempt.row)
            if (row.provider, attempt.task_id) in shared:
                if row.state in (State.SUBMITTED, State.GENERATED):
                    await quarantine_shared(self._run, attempt)
                if row.state in UNSETTLED:
                    return
        if entry is not None and entry.to_run and row.state in CREATABLE:
            self._create(attempt)
        else:
            await self._take_up(row, attempt)

    def _create_unsent(self, row: int, place: int, job: Job) -> None:
        """Have a job created of which nothing was sent yet, unless a cap leaves it planned."""
        if self._may_create(job.provider, job.key, job.estimate, counts=True):
            self._run.opened()
            self._stages[job.provider].account.waiting.add_unsent(row, place, job)

    def _create(self, attempt: OpenAttempt) -> None:
        """Have a job created once more, unless a cap leaves it as it is."""
        counts = is_new(attempt)
        if self._may_create(attempt.provider, attempt.key, attempt.estimate, counts=counts):
            self._run.opened()
            self._stages[attempt.provider].account.enqueue(attempt)

    def _may_create(self, provider: str, key: str, estimate: float | None, *, counts: bool) -> bool:
        """Whether no cap leaves a job planned.

        Its price may be unknown, or the jobs before it take all creates that are allowed.
        """
        self._creates += counts
        most = self._run.budget.caps.jobs
        if most is not None and self._run.budget.attempts + self._creates > most:
            self._run.tally.because(Reason.BUDGET, f"the cap of {most} creates is reached")
            return False
        if self._run.budget.caps_unpriced(provider, estimate):
            self._run.tally.because(
                Reason.BUDGET, f"{key} stays planned: its price is not known under a cap"
            )
            return False
        return True

    async def _take_up(self, row: Row, attempt: OpenAttempt) -> None:
        stages = self._stages[row.provider]
        if row.state is State.SUBMITTING:
            self._hold_slot(attempt)
            self._run.opened()
            reply = row.attempt.reply if row.attempt else None
            self._run.tasks.start_soon(stages.submitter.recover, attempt, reply)
        elif row.state is State.UNKNOWN:
            self._hold_unknown(attempt)
        elif row.state is State.QUARANTINED:
            await self._look_once_more(attempt)
        elif row.state in UNSETTLED or self._is_lost(row):
            attempt.restoring = row.state is State.STORED
            if attempt.restoring:
                await self._set_damaged_aside(row)
            self._watch(attempt, row)

    def _watch(self, attempt: OpenAttempt, row: Row) -> None:
        if attempt.task_id is None:
            return
        if row.state is State.SUBMITTED:
            self._hold_slot(attempt)
        submitted_at = row.attempt.submitted_at if row.attempt else None
        now = self._run.clock.wall()
        attempt.age = max(0.0, now - submitted_at) if submitted_at is not None else 0.0
        attempt.watched_since = self._run.clock.now()
        self._run.opened()
        self._stages[row.provider].watcher.add_now(attempt)

    async def _look_once_more(self, attempt: OpenAttempt) -> None:
        if attempt.looks >= QUARANTINE_LOOKS or attempt.task_id is None:
            return
        attempt.looks += 1
        await self._run.record(attempt, "look", fields={"looks": attempt.looks})
        self._watch(attempt, self._run.ledger.row(attempt.row))

    def _is_lost(self, row: Row) -> bool:
        """Whether a stored job of the manifest has lost a file."""
        if row.state is not State.STORED or row.position is None:
            return False
        if all(self._store.exists(file) for file in row.files):
            return False
        self._run.journal.note("file_missing", key=row.key)
        return True

    async def _write_lost_sidecars(self, row: Row) -> None:
        """Write beside a row's videos again what made them, where that is gone.

        All of it is in the ledger: nobody is asked, and nothing is fetched.
        """
        for file in row.files:
            if not self._store.lacks_sidecar(file):
                continue
            document = describer(reopened(row), self._run.ledger)(file)
            try:
                await self._store.write_sidecar(file, document)
            except DiskError as error:
                self._run.tally.because(Reason.STORAGE, str(error))
            else:
                self._run.journal.note("sidecar_written", key=row.key, file=file.path)

    async def _set_damaged_aside(self, row: Row) -> None:
        """Make room for a lost file under its own name, where a damaged one has it."""
        mark = f"damaged-{self._run.clock.wall():.0f}"
        for file in row.files:
            if not self._store.exists(file):
                with suppress(DiskError, Taken):
                    await self._store.supersede(file.path, mark)

    def _hold_slot(self, attempt: OpenAttempt) -> None:
        self._stages[attempt.provider].account.slots.take()
        attempt.has_slot = True

    def _hold_unknown(self, attempt: OpenAttempt) -> None:
        """A create of unknown outcome may still run: it keeps its slot for ten minutes."""
        account = self._stages[attempt.provider].account
        age = self._run.clock.wall() - (attempt.last_sent_at or 0.0)
        if 0 <= age < UNKNOWN_HOLDS_SLOT:
            self._hold_slot(attempt)
            account.slots.lingering += 1
            submitter = self._stages[attempt.provider].submitter
            self._run.tasks.start_soon(submitter.give_slot_later, attempt, UNKNOWN_HOLDS_SLOT - age)

    def _seed_meters(self) -> None:
        """Let what earlier runs sent count, so that a restart bursts nothing."""
        now = self._run.clock.wall()
        for name, stages in self._stages.items():
            sent = self._run.ledger.creates(name, now - stages.account.creates.span)
            stages.account.creates.seed(now - at - SENT_LATER for at in sent)


def _is_open(row: Row) -> bool:
    """Whether something of this row is still to be asked for or fetched."""
    if row.state is State.QUARANTINED:
        return row.attempt is not None and row.attempt.looks < QUARANTINE_LOOKS
    return row.state in UNSETTLED


def needs_access(rows: Iterable[Row], store: Store) -> frozenset[str]:
    """Providers that this run has to reach for the sake of rows that are there already."""
    return frozenset(
        row.provider
        for row in rows
        if _is_open(row)
        or (
            row.state is State.STORED
            and row.position is not None
            and not all(store.exists(file) for file in row.files)
        )
    )
