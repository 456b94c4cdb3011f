"""Watch: one schedule of looks for each account, asked in batches where the provider can."""

from __future__ import annotations

import heapq
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestrator.engine.meters.limits import SHORTEST_WAIT
from orchestrator.engine.tally import Reason
from orchestrator.engine.wire.evidence import raw_reply
from orchestrator.errors import StorageError
from orchestrator.jobs import State
from orchestrator.providers.base import PollTrouble, TaskView
from orchestrator.providers.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.account import Account
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.settle import Settler
    from orchestrator.providers.base import Reply

#: How long an id that the provider does not know is asked for, in seconds.
MISSING_FOR = 900.0
#: Polls of one account that are under way at once.
CONCURRENT_POLLS = 32
#: Longest wait for the answer to a poll, in seconds.
POLL_TIMEOUT = 60.0


class Watcher:
    """Looks at one account's open tasks until each is final."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._run = account.run
        self._looks: list[tuple[float, int, OpenAttempt]] = []
        self._added = anyio.Event()
        self._order = 0
        self._batch = account.provider.poll_batch
        self._free = anyio.Semaphore(CONCURRENT_POLLS, fast_acquire=True)
        self.settler: Settler | None = None

    def add(self, attempt: OpenAttempt) -> None:
        """Watch a new task, first after `poll_after`."""
        self._look_in(attempt, self._account.pace.first(attempt))

    def add_now(self, attempt: OpenAttempt) -> None:
        """Look at a task of an earlier run, or for a fresh URL, as soon as the meter allows."""
        self._look_in(attempt, 0.0)

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            if self._added.is_set():
                self._added = anyio.Event()
            wait = self._looks[0][0] - self._run.clock.now() if self._looks else None
            if wait is None or wait > SHORTEST_WAIT:
                with anyio.move_on_after(wait):
                    await self._added.wait()
                continue
            await self._free.acquire()
            ticket = await self._account.poll_gate.passage()
            place = await self._account.polls.admit()
            due = self._take_due()
            if not due:
                self._account.polls.done(place)
                self._account.poll_gate.withdraw(ticket)
                self._free.release()
                continue
            place.sent()
            self._account.polls.done(place)
            self._run.crew.start(self._look, due, ticket)

    def _look_in(self, attempt: OpenAttempt, seconds: float) -> None:
        assert attempt.task_id is not None
        self._account.watched[attempt.task_id] = attempt
        self._order += 1
        heapq.heappush(self._looks, (self._run.clock.now() + seconds, self._order, attempt))
        self._added.set()

    def _take_due(self) -> list[OpenAttempt]:
        """As many due tasks as one poll can ask for; those settled by now are dropped."""
        due: list[OpenAttempt] = []
        now = self._run.clock.now() + SHORTEST_WAIT
        while self._looks and self._looks[0][0] <= now:
            if len(due) == self._batch:
                break
            attempt = heapq.heappop(self._looks)[2]
            if self._account.watched.get(str(attempt.task_id)) is attempt:
                due.append(attempt)
        return due

    async def _look(self, due: list[OpenAttempt], ticket: int) -> None:
        answer: Mapping[str, TaskView] = {}
        try:
            answer = await self._ask(due, ticket)
        except Exception as error:  # noqa: BLE001 - what cannot be read is asked for again
            self._account.poll_gate.trouble(ticket, why=f"a defect of this program: {error!r}")
            self._run.journal.note("defect", error=repr(error))
        finally:
            self._account.poll_gate.withdraw(ticket)
            self._free.release()
        for attempt in due:
            try:
                await self._settle(attempt, answer.get(str(attempt.task_id)))
            except StorageError:
                self._close(attempt)
            except Exception as error:  # noqa: BLE001 - one job's failure never touches another's
                self._run.journal.note("defect", key=attempt.key, error=repr(error))
                self._leave(attempt, f"a defect of this program: {error!r}")

    async def _ask(self, due: list[OpenAttempt], ticket: int) -> Mapping[str, TaskView]:
        """One poll; empty where it told nothing, which is never a job's failure."""
        account = self._account
        task_ids = [str(attempt.task_id) for attempt in due]
        try:
            reply = await account.transport.ask(
                account.provider.poll(task_ids), timeout=POLL_TIMEOUT
            )
        except TransportError as error:
            account.poll_gate.trouble(ticket, why=error.reason)
            self._run.journal.note(
                "poll_trouble", provider=account.provider.name, message=error.reason
            )
            return {}
        answer = account.provider.read_poll(task_ids, reply)
        if not isinstance(answer, PollTrouble):
            account.poll_gate.fine(ticket)
            await self._keep_odd(due, answer, reply)
            return answer
        if answer.refuses_batch and len(due) > 1:
            self._batch = 1
            account.poll_gate.fine(ticket)
        else:
            why = f"{answer.fault.message} ({answer.fault.code})"
            account.poll_gate.trouble(ticket, answer.retry_after, why=why)
        self._run.journal.note(
            "poll_trouble",
            provider=account.provider.name,
            reason=answer.reason,
            message=answer.fault.message,
        )
        if answer.reason == "credentials" and not account.halted:
            account.halt(Reason.CREDENTIALS, f"{answer.fault.message} ({answer.fault.code})")
        return {}

    async def _keep_odd(
        self, due: list[OpenAttempt], answer: Mapping[str, TaskView], reply: Reply
    ) -> None:
        """Keep the reply that says a task succeeded and names no video: only a person can tell."""
        for attempt in due:
            view = answer.get(str(attempt.task_id))
            if view is not None and view.status == "succeeded" and not view.urls:
                # Where the ledger fails, the settling that follows ends the job.
                with suppress(StorageError):
                    await self._run.record(attempt, "no_url", note={"reply": raw_reply(reply)})

    async def _settle(self, attempt: OpenAttempt, view: TaskView | None) -> None:
        assert self.settler is not None
        if view is not None and view.status in ("succeeded", "failed"):
            del self._account.watched[str(attempt.task_id)]
            if not await self.settler.seen(attempt, view):
                return
        elif view is not None:
            await self.settler.seen(attempt, view)
        why = self._gives_up(attempt, view)
        if why is None:
            self._look_in(attempt, self._account.pace.following(attempt))
        else:
            await self._give_up(attempt, why)

    def _gives_up(self, attempt: OpenAttempt, view: TaskView | None) -> str | None:
        """Why this run stops watching a task, None while it goes on.

        Time is the event loop's, so that a clock that jumps ends nothing.
        """
        now = self._run.clock.now()
        age = attempt.age + now - attempt.watched_since
        if view is not None:
            is_missing = view.status == "missing"
            attempt.missing_since = (attempt.missing_since or now) if is_missing else None
        if attempt.missing_since is not None and now - attempt.missing_since >= MISSING_FOR:
            return "the provider does not know its task"
        if view is not None and view.status == "failed":
            return "the provider now says that the task failed after it had succeeded"
        if age >= self._account.limits.give_up_after:
            return "its task does not end" if view else "the provider could not be asked"
        return None

    async def _give_up(self, attempt: OpenAttempt, why: str) -> None:
        breaker = self._account.channel(attempt.model_name)
        if breaker.probe == attempt.row:
            breaker.failed(attempt.row, self._run.clock.now())
        if not attempt.restoring:
            note = {"needs_decision": True, "message": why}
            await self._run.record(attempt, "gave_up", note=note)
        self._leave(attempt, why)

    def _leave(self, attempt: OpenAttempt, why: str) -> None:
        self._run.tally.because(Reason.UNFINISHED, f"{attempt.key}: {why}")
        self._close(attempt)

    def _close(self, attempt: OpenAttempt) -> None:
        self._account.watched.pop(str(attempt.task_id), None)
        self._account.let_go(attempt)
        self._run.closed()


def is_watched(state: State) -> bool:
    """Whether a row of an earlier run in this state has a task to look at."""
    return state in (State.SUBMITTED, State.GENERATED, State.QUARANTINED)
