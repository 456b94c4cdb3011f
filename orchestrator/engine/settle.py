"""Settle: what a create's answer or a look at a task means for its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.engine.tally import Reason
from orchestrator.jobs import State
from orchestrator.providers.urls import bare

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.account import Account
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.run import Run
    from orchestrator.providers.base import Accepted, Fault, Rejected, TaskView

#: States in which a task is paid for and its video is only a matter of fetching.
_PAID = frozenset({State.GENERATED, State.QUARANTINED, State.STORED})


class Settler:
    """Moves one account's jobs on by what the provider says of them."""

    def __init__(
        self,
        account: Account,
        watch: Callable[[OpenAttempt], None],
        collect: Callable[[OpenAttempt, tuple[str, ...]], None],
    ) -> None:
        self._account = account
        self._run = account.run
        self._watch = watch
        self._collect = collect

    async def accepted(self, attempt: OpenAttempt, accepted: Accepted) -> None:
        """A task exists: make its id durable, then watch it or take its result at once."""
        attempt.task_id = accepted.task_id
        attempt.age, attempt.missing_since = 0.0, None
        attempt.trace = accepted.trace
        attempt.reserved = accepted.reserved
        attempt.submitted_at = self._run.clock.wall()
        fields = {
            "task_id": accepted.task_id,
            "trace": accepted.trace,
            "reserved": accepted.reserved,
            "submitted_at": attempt.submitted_at,
        }
        if accepted.reserved is not None:
            fields["charge"] = accepted.reserved
        await self._run.record(attempt, "accepted", State.SUBMITTED, fields=fields)
        if accepted.reserved is not None:
            await self._note_drift(attempt, accepted.reserved)
            self._run.charge(attempt, accepted.reserved)
        if await self._is_shared(attempt):
            return
        attempt.watched_since = self._run.clock.now()
        if accepted.view is not None:
            await self.seen(attempt, accepted.view)
        else:
            self._watch(attempt)

    async def rejected(
        self, attempt: OpenAttempt, rejected: Rejected, *, new_attempt: bool = False
    ) -> None:
        """Nothing was made, and nothing will be: the job has failed.

        `new_attempt` fails before its create was sent.
        """
        await self._fail(
            attempt, rejected.kind, rejected.fault, charge=0.0, new_attempt=new_attempt
        )
        if rejected.kind == "refused":
            self._refused(attempt)
        self._run.closed()

    async def seen(self, attempt: OpenAttempt, view: TaskView) -> bool:
        """Act on how a task stands; true where it has to be looked at again."""
        if view.odd is not None and view.odd != attempt.odd:
            attempt.odd = view.odd
            self._run.journal.note("odd_status", key=attempt.key, status=view.odd)
        if view.status == "succeeded":
            await self._succeeded(attempt, view)
            return False
        if view.status == "failed" and attempt.state not in _PAID:
            await self._failed(attempt, view)
            return False
        return True

    async def _succeeded(self, attempt: OpenAttempt, view: TaskView) -> None:
        account = self._account
        if attempt.state in (State.SUBMITTED, State.QUARANTINED):
            await self._generated(attempt, view)
        account.channel(attempt.model_name).succeeded()
        account.give_slot(attempt)
        self._collect(attempt, view.urls)

    async def _generated(self, attempt: OpenAttempt, view: TaskView) -> None:
        attempt.urls = tuple(bare(url) for url in view.urls)
        fields: dict[str, object] = {
            "urls": attempt.urls,
            "looks": attempt.looks,
            **dict.fromkeys(("error_class", "error_code", "error_message")),
        }
        if attempt.state is State.SUBMITTED:
            fields["generated_at"] = attempt.generated_at = self._run.clock.wall()
        charge = attempt.charge
        took = self._account.pace.ended(attempt) if attempt.state is State.SUBMITTED else None
        if view.final is not None:
            fields["final"] = fields["charge"] = charge = attempt.final = view.final
        note = None if took is None else {"took": round(took, 3)}
        await self._run.record(attempt, "generated", State.GENERATED, fields=fields, note=note)
        if view.final is not None:
            await self._note_drift(attempt, view.final)
        self._run.charge(attempt, charge)

    async def _failed(self, attempt: OpenAttempt, view: TaskView) -> None:
        """The provider's own word of failure: the one thing that new attempts may follow."""
        account, fault = self._account, view.fault
        assert fault is not None
        account.pace.failed(attempt)
        charge = view.final
        if charge is None:
            charge = 0.0 if account.provider.failures_free else attempt.charge
        kind = "refused" if view.refused else "failed"
        retry = not view.refused and self._has_retries(attempt)
        await self._fail(attempt, kind, fault, charge=charge, final=view.final, retry=retry)
        self._judge_channel(attempt, view)
        if view.refused:
            self._refused(attempt)
        if retry and attempt.selected and not self._run.stopping:
            account.enqueue(attempt)
        else:
            self._run.closed()

    async def _fail(
        self,
        attempt: OpenAttempt,
        kind: str,
        fault: Fault,
        *,
        charge: float,
        final: float | None = None,
        retry: bool = False,
        new_attempt: bool = False,
    ) -> None:
        """Make a failure durable, and with it that a new attempt is due."""
        fields = {
            "error_class": kind,
            "error_code": fault.code,
            "error_message": fault.message,
            "trace": fault.trace,
            "final": final,
            "charge": charge,
        }
        known = {name: value for name, value in fields.items() if value is not None}
        note = {"retry_due": True} if retry else None
        await self._run.record(
            attempt, "failed", State.FAILED, new_attempt=new_attempt, fields=known, note=note
        )
        self._run.charge(attempt, charge)
        self._account.give_slot(attempt)

    def _judge_channel(self, attempt: OpenAttempt, view: TaskView) -> None:
        breaker = self._account.channel(attempt.model_name)
        if not view.model_down:
            breaker.succeeded()
        elif breaker.failed(attempt.row, self._run.clock.now()):
            self._run.journal.note("paused", model=attempt.model_name, why="dead channel")
        self._account.wake()

    def _has_retries(self, attempt: OpenAttempt) -> bool:
        return attempt.job is not None and attempt.number <= attempt.job.spec.retries

    def _refused(self, attempt: OpenAttempt) -> None:
        if attempt.job is not None and attempt.job.spec.on_refusal == "stop":
            self._run.stop(Reason.STOPPED, f"{attempt.key} was refused, and on_refusal is stop")

    async def _note_drift(self, attempt: OpenAttempt, actual: float) -> None:
        """Record that the provider's figure is another than the estimate."""
        if attempt.estimate is None or actual == attempt.estimate:
            return
        note = {"estimated": attempt.estimate, "actual": actual}
        await self._run.record(attempt, "drift", note=note)

    async def _is_shared(self, attempt: OpenAttempt) -> bool:
        """Quarantine two jobs that were given one task id; true where that happened."""
        assert attempt.task_id is not None
        account = self._account
        other = account.holders.setdefault(attempt.task_id, attempt.row)
        if other == attempt.row:
            return False
        for shared in (attempt, account.watched.pop(attempt.task_id, None)):
            if shared is not None and shared.state is State.SUBMITTED:
                await quarantine_shared(self._run, shared)
                account.let_go(shared)
                self._run.closed()
        return True


async def quarantine_shared(run: Run, attempt: OpenAttempt) -> None:
    """Quarantine a job whose task id another job was given too: whose video it is nobody knows."""
    fields = {
        "error_class": "invalid_media",
        "error_code": "task_id_shared",
        "error_message": f"the provider gave task {attempt.task_id} to two jobs",
    }
    await run.record(attempt, "quarantined", State.QUARANTINED, fields=fields)
