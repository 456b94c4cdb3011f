"""Material for the engine's tests: accounts whose providers say what they are told, and runs.

Everything is the product's own but for the far side of the wire and the disk; those are the
simulated world's, until a test tells them what to do next.
"""

from __future__ import annotations

import io
import json
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from orchestrator.catalog.tables import shipped
from orchestrator.engine.account import open_account
from orchestrator.engine.attempt import OpenAttempt
from orchestrator.engine.campaign import Campaign
from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import Journal
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.stages import Access
from orchestrator.engine.tally import Tally
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import MEMORY, SqliteLedger, open_ledger
from orchestrator.ledger.store import Admission, Event
from orchestrator.manifest.model import Budget as Caps
from orchestrator.manifest.model import Limits
from orchestrator.plan.plan import make_plan
from orchestrator.providers.base import Reply
from orchestrator.providers.origins import check_public_url, guarded_socket
from orchestrator.providers.registry import provider
from orchestrator.providers.transport import NotSent
from orchestrator.storage.download import Downloads
from tests.engine.campaigns import MODELS
from tests.engine.virtual import EPOCH, Crash, Deadlock, run_virtual
from tests.engine.world import Disk, Faults, Wire, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orchestrator.ledger.store import Ended, Row
    from orchestrator.manifest.model import Manifest
    from orchestrator.plan.selection import Selection
    from orchestrator.providers.base import Request

#: Kinds of provider: one that honours an idempotency key, and one that has none.
K, N = "rivya", "acedatacloud"
DAY = 86400.0


def calm() -> World:
    """A world in which every task takes 90 seconds."""
    return World(faults=Faults(sigma=0.0))


def reply(status: int, document: object = None, **headers: str) -> Reply:
    """A JSON reply; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps({} if document is None else document).encode())


def error(status: int, code: str, **headers: str) -> Reply:
    """An error in either provider's envelope."""
    return reply(status, {"error": {"code": code, "message": f"told {code}"}}, **headers)


class Told(Wire):
    """A provider's side of the wire: does what it is told, then what its world does.

    An answer is a reply, an exception, or a coroutine function over the request; None is the
    world's own answer.
    """

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.creates: deque[Any] = deque()
        self.looks: deque[Any] = deque()
        #: Stands in for every look that nothing else was told about.
        self.always: Any = None
        #: How a task stands at each look in turn; the last one goes on being so.
        self.views: dict[str, list[dict[str, Any] | None]] = {}
        #: (time, request) of all that was sent.
        self.sent: list[tuple[float, Request]] = []
        self.asked: list[tuple[float, Request]] = []

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        answer = self.creates.popleft() if self.creates else None
        if isinstance(answer, NotSent):
            raise answer
        self.sent.append((anyio.current_time(), request))
        if answer is None:
            return await super().create(request, on_sent=on_sent)
        if on_sent is not None:
            on_sent()
        self.world.arrived(self.provider, "create")
        return await _given(answer, request)

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        answer = self.looks.popleft() if self.looks else self.always
        self.asked.append((anyio.current_time(), request))
        if answer is not None:
            return await _given(answer, request)
        if not self.views or request.upload is not None:
            return await super().ask(request, timeout=timeout)
        await anyio.sleep(0.1)
        return self._told(request)

    def asked_ids(self) -> list[list[str]]:
        """The tasks that each look asked for."""
        return [_ids(request) for _, request in self.asked]

    def _told(self, request: Request) -> Reply:
        ids = _ids(request)
        found = [document for task_id in ids if (document := self._view(task_id)) is not None]
        if self.provider == K:
            return reply(200, found[0]) if found else error(404, "not_found")
        if len(ids) == 1:
            return reply(200, found[0] if found else {})
        return reply(200, {"items": found, "count": len(found)})

    def _view(self, task_id: str) -> dict[str, Any] | None:
        views = self.views.get(task_id)
        if views is None:
            return document(self.provider, task_id, "succeeded")
        return views.pop(0) if len(views) > 1 else views[0]

    def keys(self) -> list[str | None]:
        """The idempotency keys of the creates, in order."""
        return [request.headers.get("Idempotency-Key") for _, request in self.sent]

    def bodies(self) -> list[bytes | None]:
        return [request.body for _, request in self.sent]

    def times(self) -> list[float]:
        return [at for at, _ in self.sent]


async def _given(answer: Any, request: Request) -> Reply:
    await anyio.sleep(0.1)
    if isinstance(answer, BaseException):
        raise answer
    return answer if isinstance(answer, Reply) else await answer(request)


def after(seconds: float, answer: Any) -> Any:
    """An answer that takes its time."""

    async def late(request: Request) -> Reply:
        await anyio.sleep(seconds)
        return await _given(answer, request)

    return late


def made(name: str, task_id: str, **more: Any) -> Reply:
    """A create's reply that a task was made."""
    if name == N:
        return reply(200, {"task_id": task_id, "success": True, **more})
    return reply(200, {"id": task_id, "status": "queued", "reserved_credits": 57, **more})


def _ids(request: Request) -> list[str]:
    if request.method == "GET":
        return [request.path.rpartition("/")[2]]
    body = json.loads(request.body or b"{}")
    return list(body["ids"]) if "ids" in body else [str(body["id"])]


def stands(name: str, task_id: str, status: str, **more: Any) -> Reply:
    """One task's answer to a look: `open`, `succeeded` or `failed`."""
    return reply(200, document(name, task_id, status, **more))


def document(name: str, task_id: str, status: str, **more: Any) -> dict[str, Any]:
    """How one task stands: `open`, `succeeded` or `failed`."""
    url = f"https://cdn.example.com/{task_id}.mp4"
    if name == K:
        word = "processing" if status == "open" else status
        result = {"primary_url": url} if status == "succeeded" else None
        fault = {"code": "generation_failed", "message": "no"} if status == "failed" else None
        return {"id": task_id, "status": word, "result": result, "error": fault, **more}
    answers = {
        "open": None,
        "succeeded": {"success": True, "data": [{"state": "succeeded", "video_url": url}]},
        "failed": {"success": False, "error": {"code": "api_error", "message": "no"}},
    }
    return {"id": task_id, "response": answers[status], **more}


class Mortal:
    """A ledger in memory that suspends like a real one, and fails or dies when it is told to."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self.inner = ledger
        #: Called with each event before it is written; may raise, a Crash for good.
        self.before: Callable[[Event], None] | None = None
        self.dead = False

    async def record(self, *events: Event) -> None:
        await anyio.lowlevel.checkpoint()
        if self.dead:
            raise Crash
        try:
            for event in events:
                if self.before is not None:
                    self.before(event)
        except Crash:
            self.dead = True
            raise
        await self.inner.record(*events)
        await anyio.lowlevel.checkpoint()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Bench:
    """A world that can be told what to do, a ledger, and runs over them, one after the other."""

    world: World = field(default_factory=calm)
    #: Virtual time, which goes on from run to run.
    now: float = 0.0
    #: Added to the wall clock, to let it jump.
    wall_shift: float = 0.0
    log: io.StringIO = field(default_factory=io.StringIO)
    fetch: Any = None
    #: What earlier runs know of how long tasks take, by provider.
    ended: dict[str, list[Ended]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inner = open_ledger(
            Path(), campaign="told", clock=self.wall, database=MEMORY, threaded=False
        )
        self.ledger = Mortal(inner)
        self.wires = {name: Told(self.world, name) for name in MODELS}
        self.store: Any = Disk(self.world)
        self.clock = Clock(self.wall)
        self.campaign: Campaign | None = None
        self.providers: dict[str, Any] = {name: provider(name) for name in MODELS}

    def wall(self) -> float:
        with suppress(anyio.NoEventLoopError):
            self.now = anyio.current_time()
        return EPOCH + self.now + self.wall_shift

    def run(
        self,
        what: Manifest,
        *,
        selection: Selection | None = None,
        max_credits: dict[str, float] | None = None,
        within: float = 30 * DAY,
        beside: Callable[[Campaign], Any] | None = None,
    ) -> Tally:
        """Run a manifest to its end in virtual time; one that would not end is a failure."""

        async def work() -> Tally:
            campaign = self.campaign = self._campaign(what, selection, max_credits or {})
            async with anyio.create_task_group() as tasks:
                if beside is not None:
                    tasks.start_soon(beside, campaign)
                try:
                    with anyio.fail_after(within):
                        return await campaign.run()
                finally:
                    self.now = anyio.current_time()
                    tasks.cancel_scope.cancel()

        try:
            return run_virtual(work, start=self.now)
        except Deadlock:
            raise AssertionError("the run would hang for ever") from None
        except BaseExceptionGroup as group:
            if group.subgroup(TimeoutError):
                raise AssertionError(f"the run does not end within {within} seconds") from group
            raise

    def crash(self, what: Manifest, **options: Any) -> None:
        """Run until the process dies where the ledger or the world was told to."""
        try:
            self.run(what, **options)
        except BaseExceptionGroup as group:
            if not group.subgroup(Crash):
                raise
        else:
            raise AssertionError("nothing died")
        self.ledger.before, self.ledger.dead = None, False

    def die_before(self, kind: str) -> None:
        """Let the process die just before an event of this kind becomes durable."""

        def before(event: Event) -> None:
            if event.kind == kind:
                raise Crash

        self.ledger.before = before

    def _campaign(
        self, what: Manifest, selection: Selection | None, max_credits: dict[str, float]
    ) -> Campaign:
        catalog = shipped()
        plan = make_plan(what, catalog, self.ledger.rows(), selection)
        spend = {name: spent.charge for name, spent in self.ledger.spend().items()}
        budget = Budget(what.budget, max_credits, spend, self.ledger.attempts_made())
        tasks = anyio.create_task_group()
        run = Run(self.ledger, budget, self.clock, Journal(self.log, self.clock), Tally(), tasks)
        accesses = [
            Access(
                self.providers[name],
                self.wires[name],
                None,  # type: ignore[arg-type] - the simulated disk asks nobody
                self.fetch,
                what.limits[name],
                dict(catalog.models),
                self.ended.get(name, ()),
            )
            for name in MODELS
        ]
        return Campaign(run, plan, self.store, accesses, grace=10.0)

    def rows(self) -> dict[str, Row]:
        """The manifest's rows, by key."""
        return {row.key: row for row in self.ledger.rows(current=True)}

    def row(self, key: str = "job1") -> Row:
        return self.rows()[key]

    def states(self) -> dict[str, State]:
        return {key: row.state for key, row in self.rows().items()}

    def kinds(self, key: str = "job1") -> list[str]:
        """The kinds of a row's events, in order."""
        row = self.row(key).row
        return [logged.event.kind for logged in self.ledger.events() if logged.event.row == row]

    def notes(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log that tell of such an event."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def admit(self, what: Manifest) -> None:
        """Make the manifest's jobs rows of the ledger, without a run."""
        plan = make_plan(what, shipped(), self.ledger.rows())
        self.ledger.admit(
            [Admission(entry.job, entry.row.row if entry.row else None) for entry in plan.entries]
        )

    def put(
        self,
        kind: str,
        state: State | None = None,
        *,
        key: str = "job1",
        files: Any = None,
        new_attempt: bool = False,
        **fields: Any,
    ) -> None:
        """Record an event as an earlier run would have."""

        async def work() -> None:
            row = self.row(key).row
            await self.ledger.inner.record(Event(row, kind, state, new_attempt, fields, files))

        run_virtual(work, start=self.now)

    def intend(self, name: str = K, key: str = "job1", ago: float = 5.0, **fields: Any) -> bytes:
        """Record a create of so many seconds ago; its body."""
        body = json.dumps({"told": key, "at": name}).encode()
        at = EPOCH + self.now + self.wall_shift - ago
        self.put(
            "intent",
            State.SUBMITTING,
            key=key,
            idempotency_key=f"key-{key}",
            body=body,
            first_sent_at=at,
            last_sent_at=at,
            estimated=57.0,
            charge=57.0,
            **fields,
        )
        return body


@asynccontextmanager
async def account_of(
    name: str = K,
    limits: Limits | None = None,
    *,
    caps: Caps | None = None,
    transport: Any = None,
    ledger: Any = None,
    clock: Clock | None = None,
    log: io.StringIO | None = None,
) -> AsyncIterator[Any]:
    """An account on its own, within a run that has a ledger in memory."""
    clock = clock or Clock(lambda: EPOCH + anyio.current_time())
    opened = ledger or open_ledger(
        Path(), campaign="told", clock=clock.wall, database=MEMORY, threaded=False
    )
    budget = Budget(caps or Caps(), {}, {}, 0)
    journal = Journal(log or io.StringIO(), clock)
    async with anyio.create_task_group() as tasks:
        run = Run(opened, budget, clock, journal, Tally(), tasks)
        models = dict(shipped().models)
        yield open_account(run, provider(name), transport, limits or Limits(), models)
        tasks.cancel_scope.cancel()
    opened.close()


def waiting(number: int, name: str = K, **fields: Any) -> OpenAttempt:
    """An attempt that waits for its create; its row and its position are its number."""
    return OpenAttempt(
        row=number,
        key=f"job{number}",
        provider=name,
        model=fields.pop("model", MODELS[name]),
        state=fields.pop("state", State.PLANNED),
        position=number,
        estimate=fields.pop("estimate", 57.0),
        **fields,
    )


class Hasty(Clock):
    """A clock for real loops whose waits are only written down."""

    __slots__ = ("waits",)

    def __init__(self, now: float = EPOCH) -> None:
        super().__init__(lambda: now)
        object.__setattr__(self, "waits", [])

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()


def hosting(**options: Any) -> Downloads:
    """A client that may fetch from loopback."""
    return Downloads(
        check_url=partial(check_public_url, loopback_allowed=True),
        open_socket=guarded_socket(loopback_allowed=True),
        **options,
    )
