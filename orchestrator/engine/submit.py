"""Submit: from a planned job to a task id, without ever paying twice.

What becomes of a create decides what follows: a task to watch, a job that failed, another try, or
an outcome that nobody knows. `send` has the wire.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestrator.engine.attempt import is_new
from orchestrator.engine.tally import Reason
from orchestrator.engine.waiting import Wait
from orchestrator.engine.wire.evidence import kept_reply
from orchestrator.engine.wire.passage import Passage
from orchestrator.engine.wire.send import Sender, Unsent
from orchestrator.errors import StorageError
from orchestrator.jobs import State
from orchestrator.providers.base import (
    Accepted,
    CreateOutcome,
    Fault,
    Halted,
    Rejected,
    Request,
    Throttled,
    Unclear,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.engine.account import Account
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.meters.bounds import Load
    from orchestrator.engine.references.uploads import Uploads
    from orchestrator.engine.settle import Settler
    from orchestrator.jobs import Job
    from orchestrator.providers.base import WireReference

#: How long a create of unknown outcome keeps its slot, in seconds.
UNKNOWN_HOLDS_SLOT = 600.0
#: States of a job that was reserved for and not yet intended.
UNSENT = (State.PLANNED, State.FAILED, State.UNKNOWN)


class Submitter:
    """Creates one account's jobs."""

    def __init__(self, account: Account, uploads: Uploads, settler: Settler) -> None:
        self._account = account
        self._run = account.run
        self._uploads = uploads
        self._settler = settler
        self._sender = Sender(account)
        #: What waits before its send and can be called back by a stop.
        self._waiting: set[anyio.CancelScope] = set()

    async def run(self) -> None:
        """Start creates as slots, budget and pauses allow, until cancelled."""
        while True:
            choice = self._account.waiting.choose()
            if isinstance(choice, Wait):
                await self._account.waiting.woken(choice)
                self._call_back()
            else:
                self._reserve(choice)
                self._run.crew.start(self.submit, choice)

    def _call_back(self) -> None:
        if self._run.stopping or self._account.halted:
            for scope in self._waiting:
                scope.cancel()

    def _reserve(self, attempt: OpenAttempt) -> None:
        account = self._account
        account.slots.take()
        attempt.has_slot = True
        attempt.own = True
        self._run.budget.reserve(attempt.provider, attempt.estimate, counts=is_new(attempt))
        attempt.charge = attempt.estimate or 0.0
        account.unknowns.started(attempt.row)
        account.channel(attempt.model_name).started(attempt.row)

    async def recover(self, attempt: OpenAttempt, reply: str | None) -> None:
        """Settle a create that an earlier run was in the middle of.

        A kept reply is read now; without one the create may have arrived, and is repeated only
        where that is safe.
        """
        await self._guarded(attempt, lambda: self._recover(attempt, reply))

    async def _recover(self, attempt: OpenAttempt, reply: str | None) -> None:
        outcome = self._account.provider.read_create(kept_reply(reply)) if reply else None
        if isinstance(outcome, Accepted | Rejected):
            await self._act(attempt, outcome)
        elif isinstance(outcome, Throttled | Halted) and not attempt.ambiguous:
            await self._return(attempt, outcome.fault)
            if attempt.job is not None and attempt.selected:
                self._put_back(attempt)
            else:
                self._leave(attempt)
        elif self._account.provider.honours_key and attempt.body is not None:
            attempt.ambiguous = True
            await self._send(attempt)
        else:
            fault = Fault("interrupted", "a run ended while this create was on the wire")
            await self._unknown(attempt, fault, interrupted=True)

    async def submit(self, attempt: OpenAttempt) -> None:
        """Bring one job from its reservation to an outcome."""
        await self._guarded(attempt, lambda: self._send(attempt))

    async def _send(self, attempt: OpenAttempt) -> None:
        request = await self._request(attempt)
        while request is not None and await self._try(attempt, request):
            pass

    async def _guarded(self, attempt: OpenAttempt, work: Callable[[], Awaitable[object]]) -> None:
        """Do a job's work; whatever goes wrong stays with this job."""
        try:
            await work()
        except StorageError:
            self._leave(attempt)
        except Exception as error:  # noqa: BLE001 - one job's failure never touches another's
            self._run.journal.note("defect", key=attempt.key, error=repr(error))
            self._run.tally.because(
                Reason.UNFINISHED, f"{attempt.key}: a defect of this program: {error!r}"
            )
            await self._keep_reply(attempt)
            self._leave(attempt)

    async def _keep_reply(self, attempt: OpenAttempt) -> None:
        """Keep an answer about which nothing could be done: a person, or a later version, may."""
        if attempt.reply is not None:
            with suppress(StorageError):
                await self._run.record(attempt, "unread")

    async def _request(self, attempt: OpenAttempt) -> Request | None:
        """The create to send: the ledger's bytes again, or a new one; None if it came to an end."""
        if attempt.state is State.SUBMITTING:
            assert attempt.body is not None
            assert attempt.idempotency_key is not None
            return self._account.provider.resend(attempt.body, attempt.idempotency_key)
        assert attempt.job is not None
        references = await self._references(attempt.job)
        if references is None or self._stopped():
            self._leave(attempt)
            return None
        if not isinstance(references, list):
            await self._without_references(attempt, references)
            return None
        key = str(uuid.uuid4())
        model = self._account.models[attempt.model_name]
        request = self._account.provider.create(attempt.job, model, references, key)
        attempt.idempotency_key, attempt.body = key, request.body
        attempt.task_id, attempt.reserved, attempt.ambiguous = None, None, False
        return request

    async def _references(self, job: Job) -> list[WireReference] | Rejected | Halted | Fault | None:
        """What the create refers to, or why it cannot be had; None where a stop called it back."""
        if not job.spec.references:
            return []
        with self._callable_back():
            return await self._uploads.wire(job)
        return None

    async def _try(self, attempt: OpenAttempt, request: Request) -> bool:
        """Send the create once and act on what came; true where it has to be tried again."""
        with Passage(self._account) as passage:
            if not passage.at_once():
                with self._callable_back():
                    await passage.wait()
            if self._stopped() or passage.place is None:
                self._leave(attempt)
                return False
            if not attempt.ambiguous and not self._account.may_send(attempt):
                self._put_back(attempt)
                return False
            if attempt.ambiguous and not self._sender.may_resend(attempt):
                await self._unknown(attempt, Fault("resend_window", "too late to send again"))
                return False
            self._on_the_wire(1)
            try:
                await self._sender.intend(attempt)
                load = self._account.send()
                outcome = await self._sender.exchange(attempt, request, passage.place)
                self._judge_account(outcome, passage.ticket, attempt, load)
                return await self._act(attempt, outcome)
            finally:
                self._on_the_wire(-1)

    def _on_the_wire(self, difference: int) -> None:
        self._account.sending += difference
        self._run.wire_changed(difference)

    def _judge_account(
        self, outcome: CreateOutcome | Unsent, ticket: int, attempt: OpenAttempt, load: Load
    ) -> None:
        """Let the account's pauses and bounds know how the create went under which load."""
        account, now = self._account, self._run.clock.now()
        if isinstance(outcome, Throttled):
            account.gate.trouble(ticket, outcome.retry_after, why=_why(outcome.fault))
            self._run.journal.note("throttled", provider=account.provider.name, **_said(outcome))
            account.move(account.bounds.throttled(load, now))
        elif isinstance(outcome, Unsent) or (isinstance(outcome, Unclear) and not outcome.final):
            asked = getattr(outcome, "retry_after", None)
            account.gate.trouble(ticket, asked, why=_why(outcome.fault))
            self._run.journal.note("trouble", provider=account.provider.name, **_said(outcome))
            account.bounds.troubled()
            if account.gate.troubled_for >= account.limits.give_up_after:
                account.halt(Reason.UNFINISHED, f"not to be reached: {outcome.fault.message}")
        else:
            account.gate.fine(ticket)
        if isinstance(outcome, Accepted):
            account.move(account.bounds.taken(load, now))
        if isinstance(outcome, Accepted | Rejected):
            account.unknowns.succeeded()
        elif not isinstance(outcome, Unclear):
            account.unknowns.undecided(attempt.row)
        if not isinstance(outcome, Accepted):
            account.channel(attempt.model_name).undecided(attempt.row)
        account.wake()

    async def _act(self, attempt: OpenAttempt, outcome: CreateOutcome | Unsent) -> bool:
        """Do what an outcome asks for; true where the create has to be tried again."""
        match outcome:
            case Accepted():
                await self._settler.accepted(attempt, outcome)
            case Rejected() if attempt.ambiguous:
                # This send made nothing, but an earlier one of the same key may have.
                await self._unknown(attempt, outcome.fault)
            case Rejected():
                await self._settler.rejected(attempt, outcome)
            case Throttled() | Unsent():
                await self._return(attempt, outcome.fault)
                if self._account.slots.exceeded and not attempt.ambiguous:
                    self._put_back(attempt)
                    return False
                return True
            case Halted():
                await self._return(attempt, outcome.fault)
                self._halt(outcome)
                self._leave(attempt)
            case Unclear():
                attempt.ambiguous = True
                if self._sender.may_resend(attempt) and not outcome.final:
                    await self._run.record(attempt, "unclear", note=_said(outcome))
                    return True
                await self._unknown(attempt, outcome.fault)
        return False

    async def _return(self, attempt: OpenAttempt, fault: Fault) -> None:
        """Nothing was made: back to planned, unless an earlier send may have made it."""
        note = {"code": fault.code, "message": fault.message}
        if attempt.ambiguous:
            await self._run.record(attempt, "unclear", note=note)
        else:
            await self._run.record(
                attempt, "returned", State.PLANNED, fields={"charge": 0.0}, note=note
            )

    async def _unknown(
        self, attempt: OpenAttempt, fault: Fault, *, interrupted: bool = False
    ) -> None:
        """Whether a task was made is not known, and asking again might pay twice.

        `interrupted` creates say nothing about the provider: they pause nothing.
        """
        account = self._account
        fields = {"error_code": fault.code, "error_message": fault.message, "trace": fault.trace}
        await self._run.record(attempt, "unknown", State.UNKNOWN, fields=fields)
        if not interrupted and account.unknowns.failed(attempt.row, self._run.clock.now()):
            self._run.journal.note("paused", provider=account.provider.name, why="unknown creates")
        if attempt.has_slot:
            account.slots.lingering += 1
            self._run.tasks.start_soon(self.give_slot_later, attempt, UNKNOWN_HOLDS_SLOT)
        account.wake()
        self._run.closed()

    async def give_slot_later(self, attempt: OpenAttempt, seconds: float) -> None:
        """Let go of a slot after so many seconds."""
        await self._run.clock.sleep(seconds)
        self._account.slots.lingering -= 1
        self._account.give_slot(attempt)

    async def _without_references(
        self, attempt: OpenAttempt, reason: Rejected | Halted | Fault
    ) -> None:
        """End a job whose references could not be uploaded; no create was sent for it."""
        if isinstance(reason, Rejected):
            self._release(attempt)
            attempt.number += 1
            self._account.let_go(attempt)
            await self._settler.rejected(attempt, reason, new_attempt=True)
            return
        if isinstance(reason, Halted):
            self._halt(reason)
        else:
            self._run.tally.because(Reason.UNFINISHED, f"{attempt.key}: {reason.message}")
        self._leave(attempt)

    def _halt(self, halted: Halted) -> None:
        reason = Reason.BUDGET if halted.reason == "balance" else Reason.CREDENTIALS
        self._account.halt(reason, f"{halted.fault.message} ({halted.fault.code})")

    def _release(self, attempt: OpenAttempt) -> None:
        self._run.budget.release(
            attempt.provider, attempt.charge, counts=is_new(attempt), own=attempt.own
        )
        attempt.charge = 0.0

    def _put_back(self, attempt: OpenAttempt) -> None:
        """A pause began or a bound fell while the create waited: it goes back into the queue."""
        self._let_go(attempt)
        self._account.enqueue(attempt)

    def _leave(self, attempt: OpenAttempt) -> None:
        """End what this run does about the job; the ledger says where it stands."""
        self._let_go(attempt)
        self._run.closed()

    def _let_go(self, attempt: OpenAttempt) -> None:
        """Give back what was reserved for a create that was not sent, and its slot."""
        if attempt.state in UNSENT:
            self._release(attempt)
        self._account.let_go(attempt)

    def _stopped(self) -> bool:
        return self._run.stopping or self._account.halted

    def _callable_back(self) -> _CallableBack:
        return _CallableBack(self._waiting)


class _CallableBack:
    """A scope that a stop may cancel, because nothing has been sent in it yet."""

    def __init__(self, waiting: set[anyio.CancelScope]) -> None:
        self._waiting = waiting
        self._scope = anyio.CancelScope()

    def __enter__(self) -> anyio.CancelScope:
        self._waiting.add(self._scope)
        return self._scope.__enter__()

    def __exit__(self, *error: object) -> bool:
        self._waiting.discard(self._scope)
        return bool(self._scope.__exit__(*error))  # type: ignore[arg-type]


def _why(fault: Fault) -> str:
    """A fault in words; the code too where it is the provider's."""
    is_ours = fault.code in ("not_sent", "lost")
    return fault.message if is_ours else f"{fault.message} ({fault.code})"


def _said(outcome: Throttled | Unsent | Unclear) -> dict[str, str]:
    return {"code": outcome.fault.code, "message": outcome.fault.message}
