"""What all stages of one run share, and the one way in which they change the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.engine.crew import Crew
from orchestrator.engine.tally import Reason
from orchestrator.errors import StorageError
from orchestrator.ledger.rescue import RESCUE_FILE, Rescued
from orchestrator.ledger.store import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.clock import Clock
    from orchestrator.engine.journal import Journal
    from orchestrator.engine.meters.budget import Budget
    from orchestrator.engine.tally import Tally
    from orchestrator.jobs import State
    from orchestrator.ledger.store import Ledger, Row, StoredFile


@dataclass(slots=True)
class Run:
    """One call's ledger, budget, clock and counts."""

    ledger: Ledger
    budget: Budget
    clock: Clock
    journal: Journal
    tally: Tally
    tasks: TaskGroup
    #: Rows whose video stands under a key that another fingerprint has now, by key.
    former: dict[str, Row] = field(default_factory=dict)
    #: No more creates, in this run, for any account.
    stopping: bool = False
    #: The disk is full: creates wait until a download finds room again.
    no_room: bool = False
    #: Jobs that this run still works on.
    open_jobs: int = 0
    _idle: anyio.Event = field(default_factory=anyio.Event)
    _wire: anyio.Event = field(default_factory=anyio.Event)
    #: Called when creates may have become possible or impossible.
    wakers: list[Callable[[], None]] = field(default_factory=list)
    #: Does what each create, poll and download takes.
    crew: Crew = field(init=False)

    def __post_init__(self) -> None:
        self.crew = Crew(self.tasks)

    def opened(self) -> None:
        """One more job is worked on."""
        self.open_jobs += 1

    def closed(self) -> None:
        """A job needs nothing more from this run."""
        self.open_jobs -= 1
        assert self.open_jobs >= 0, "a job was closed twice"
        if self.open_jobs == 0:
            self._idle.set()

    async def wire_is_clear(self) -> None:
        """Wait until no create is on the wire: each may be paid, and its answer names the task."""
        while self.tally.on_the_wire:
            self._wire = anyio.Event()
            await self._wire.wait()

    def wire_changed(self, difference: int) -> None:
        """One create more or less is on the wire."""
        self.tally.on_the_wire += difference
        if self.tally.on_the_wire == 0:
            self._wire.set()

    async def idle(self) -> None:
        """Wait until no job is worked on."""
        while self.open_jobs:
            self._idle = anyio.Event()
            await self._idle.wait()

    def wake(self) -> None:
        """Have every account look again at what it may create."""
        for waker in self.wakers:
            waker()

    def stop(self, reason: Reason, text: str) -> None:
        """End creates for all accounts; polls and downloads go on."""
        self.tally.because(reason, text)
        self.journal.note("stopping", reason=reason.value, text=text)
        self.stopping = True
        self.wake()

    async def record(
        self,
        attempt: OpenAttempt,
        kind: str,
        state: State | None = None,
        *,
        new_attempt: bool = False,
        fields: Mapping[str, Any] | None = None,
        files: Sequence[StoredFile] | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> None:
        """Make one change durable, then count and log it.

        An answer that came since the last one is made durable before it, in the same commit.
        Raises StorageError where the ledger cannot be written: nothing more may be created then.
        """
        event = Event(attempt.row, kind, state, new_attempt, fields or {}, files, note or {})
        reply = attempt.reply
        try:
            if reply is None:
                await self.ledger.record(event)
            else:
                answered = Event(attempt.row, "reply", fields={"reply": reply})
                await self.ledger.record(answered, event)
        except StorageError as error:
            self.stop(Reason.STORAGE, str(error))
            attempt.reply = None
            if reply is not None:
                self._rescue(attempt, reply)
            raise
        attempt.reply = None
        if state is not None:
            if attempt.position is not None:
                self.tally.move(attempt.state, state)
            attempt.state = state
        self._log(attempt, kind, state, note or {})

    def _log(
        self, attempt: OpenAttempt, kind: str, state: State | None, note: Mapping[str, Any]
    ) -> None:
        self.journal.note(
            kind,
            key=attempt.key,
            row=attempt.row,
            attempt=attempt.number or None,
            task_id=attempt.task_id,
            state=state.value if state else None,
            **note,
        )

    def _rescue(self, attempt: OpenAttempt, reply: str) -> None:
        """Keep a create's answer that the ledger cannot take: it may name a paid task.

        The emergency file takes it, or else a person has to: it is told at the end as well.
        """
        rescued = Rescued(
            attempt.row,
            attempt.key,
            attempt.number,
            attempt.provider,
            reply,
            attempt.task_id,
            attempt.idempotency_key,
            self.clock.wall(),
        )
        what = f"task {attempt.task_id}" if attempt.task_id else "the provider's answer"
        try:
            self.ledger.rescue(rescued)
        except OSError:
            text = f"{what} is kept nowhere but here: {reply}"
        else:
            text = f"{what} is in {RESCUE_FILE} for the next run"
        self.tally.rescued.append(f"{attempt.key}: {text}")
        self.journal.note(
            "not_in_the_ledger",
            key=attempt.key,
            row=attempt.row,
            attempt=attempt.number,
            task_id=attempt.task_id,
            reply=reply,
        )

    async def rearrange(self, row: Row, kind: str, files: Sequence[StoredFile]) -> None:
        """Make durable that a row's files have other names now."""
        await self.ledger.record(Event(row.row, kind, files=files))
        self.journal.note(kind, key=row.key, files=[file.path for file in files])

    def charge(self, attempt: OpenAttempt, amount: float) -> None:
        """Let an attempt count for another amount from now on."""
        self.budget.change(attempt.provider, amount - attempt.charge, own=attempt.own)
        attempt.charge = amount
        self.wake()
