"""A world in memory for the engine's simulations: two providers, a wire with faults, a disk.

The world keeps its own table of paid tasks. It is the oracle: what it says was made is what has to
be found in the ledger.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.errors import DiskError
from orchestrator.ledger.store import StoredFile
from orchestrator.providers.base import Reply
from orchestrator.providers.transport import Lost, NotSent
from orchestrator.storage.outcomes import Expired, Invalid, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.providers.base import Request


#: How long the world remembers a key, in seconds: a little longer than a create may be repeated.
KEY_LIFETIME = 3700.0


@dataclass(slots=True)
class Task:
    """One task that a provider made, and will bill."""

    id: str
    provider: str
    key: str | None
    body: bytes
    made_at: float
    ready_at: float
    #: `succeeded`, or the error code that it fails with.
    outcome: str = "succeeded"
    credits: float = 0.0

    @property
    def cost(self) -> float:
        """What is billed in the end: a failure costs nothing."""
        return self.credits if self.outcome == "succeeded" else 0.0


@dataclass(slots=True)
class Faults:
    """How often what goes wrong, as probabilities from 0 to 1, and how the providers behave."""

    not_sent: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0
    server_error_before: float = 0.0
    server_error_after: float = 0.0
    throttled: float = 0.0
    rejected: float = 0.0
    refused: float = 0.0
    poll_trouble: float = 0.0
    task_fails: float = 0.0
    download_trouble: float = 0.0
    download_expired: float = 0.0
    download_invalid: float = 0.0
    #: Seconds between which nothing answers, or everything is throttled.
    outage: tuple[float, float] | None = None
    storm: tuple[float, float] | None = None
    #: Creates answered with an error that halts the account, after so many.
    balance: int | None = None
    #: Price of a task in credits, where it is another than the table's.
    drift: float | None = None
    median: float = 90.0
    sigma: float = 0.6


@dataclass(slots=True)
class World:
    """Everything outside the engine."""

    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    tasks: dict[str, Task] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    #: (time, provider, what) of every request that arrived.
    requests: list[tuple[float, str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    #: Files that have lost what described them.
    bare: set[str] = field(default_factory=set)
    #: How many tasks were unfinished at once, at most, by provider.
    most_open: dict[str, int] = field(default_factory=dict)
    random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.random.seed(self.seed)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def within(self, span: tuple[float, float] | None) -> bool:
        return span is not None and span[0] <= anyio.current_time() < span[1]

    def arrived(self, provider: str, what: str) -> None:
        self.requests.append((anyio.current_time(), provider, what))

    def open_tasks(self, provider: str) -> int:
        now = anyio.current_time()
        return sum(task.ready_at > now for task in self.tasks.values() if task.provider == provider)

    def make(self, provider: str, key: str | None, body: bytes) -> Task:
        """A task is made, and paid: the same one again for a key that is honoured."""
        now = anyio.current_time()
        if key is not None and key in self.by_key:
            task = self.tasks[self.by_key[key]]
            assert task.body == body, "a key was used again with another body"
            if now - task.made_at <= KEY_LIFETIME:
                return task
        latency = self.random.lognormvariate(0, self.faults.sigma) * self.faults.median
        outcome = "generation_failed" if self.chance(self.faults.task_fails) else "succeeded"
        price = 57.0 if self.faults.drift is None else self.faults.drift
        number = len(self.tasks) + 1
        task = Task(f"task_{number}", provider, key, body, now, now + latency, outcome, price)
        self.tasks[task.id] = task
        if key is not None:
            self.by_key[key] = task.id
        self.most_open[provider] = max(self.most_open.get(provider, 0), self.open_tasks(provider))
        return task

    def results(self, provider: str) -> list[Task]:
        return [
            task
            for task in self.tasks.values()
            if task.provider == provider and task.outcome == "succeeded"
        ]


class Wire:
    """One account's transport into the world: `engine.account.Transport`."""

    def __init__(self, world: World, provider: str) -> None:
        self.world = world
        self.provider = provider

    async def create(self, request: Request, *, on_sent: Callable[[], None] | None = None) -> Reply:
        world, faults = self.world, self.world.faults
        if world.chance(faults.not_sent):
            await anyio.sleep(world.random.random())
            raise NotSent("no connection could be made")
        await anyio.sleep(world.random.random() * 0.2)
        if on_sent is not None:
            on_sent()
        world.arrived(self.provider, "create")
        if world.within(faults.outage) or world.chance(faults.server_error_before):
            return _error(503, "public_api_disabled")
        if world.within(faults.storm) or world.chance(faults.throttled):
            return _error(429, "rate_limited")
        return await self._answer(request)

    async def _answer(self, request: Request) -> Reply:
        world, faults = self.world, self.world.faults
        if world.chance(faults.lost_before):
            raise Lost("the connection was reset")
        if faults.balance is not None and len(world.tasks) >= faults.balance:
            return _error(402, "insufficient_credits")
        if world.chance(faults.rejected):
            return _error(400, "validation_failed")
        if world.chance(faults.refused) and self.provider == "acedatacloud":
            return _error(403, "forbidden")
        assert request.body is not None
        key = request.headers.get("Idempotency-Key")
        task = world.make(self.provider, key, request.body)
        await anyio.sleep(world.random.random())
        if world.chance(faults.lost_after):
            raise Lost("no reply came in time")
        if world.chance(faults.server_error_after):
            return _error(500, "api_error")
        if self.provider == "acedatacloud":
            return _json(200, {"task_id": task.id, "success": True})
        return _json(200, _rivya(task, "queued"))

    async def ask(self, request: Request, *, timeout: float = 60) -> Reply:
        world = self.world
        world.arrived(self.provider, "poll")
        await anyio.sleep(world.random.random() * 0.2)
        if world.within(world.faults.outage):
            return _error(503, "public_api_disabled")
        if world.chance(world.faults.poll_trouble):
            if world.chance(0.5):
                raise Lost("the reply was cut off")
            return _error(502, "bad_gateway")
        if self.provider == "acedatacloud":
            return self._batch(json.loads(request.body or b"{}"))
        task = world.tasks.get(request.path.rpartition("/")[2])
        if task is None:
            return _error(404, "not_found")
        done = anyio.current_time() >= task.ready_at
        return _json(200, _rivya(task, task.outcome if done else "processing"))

    def _batch(self, body: dict[str, Any]) -> Reply:
        ids = body.get("ids") or [body["id"]]
        items = [
            _acedatacloud(self.world.tasks[task_id])
            for task_id in ids
            if task_id in self.world.tasks
        ]
        self.world.random.shuffle(items)
        if "ids" in body:
            return _json(200, {"items": items, "count": len(items)})
        return _json(200, items[0] if items else {})


def document_of(task: Task, status: str) -> Reply:
    """A reply that says how a task of Rivya's stands."""
    return _json(200, _rivya(task, status))


class Disk:
    """A run folder's videos in memory: `engine.collect.Store`."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def fetch(
        self, url: str, target: str, *, part_id: str, client: object, describe: Any
    ) -> StoredFile:
        del client
        world, faults = self.world, self.world.faults
        await anyio.sleep(world.random.random() * 3)
        if world.chance(faults.download_trouble):
            raise Transient("the download was cut off")
        if world.chance(faults.download_expired):
            raise Expired(403)
        if world.chance(faults.download_invalid):
            raise Invalid("it is no MP4")
        content = f"{url} {part_id}".encode()
        world.files[target] = content
        digest = hashlib.sha256(content).hexdigest()
        stored = StoredFile(target, len(content), digest, 5.0, 16, 9)
        json.dumps(describe(stored))
        return stored

    def settle(self, stored: StoredFile) -> None:
        assert stored.path in self.world.files

    async def move(self, old: str, new: str) -> None:
        if old not in self.world.files:
            raise DiskError(f"{old} is not there")
        self.world.files[new] = self.world.files.pop(old)

    async def supersede(self, path: str, fingerprint8: str) -> str:
        new = f"videos/superseded/{path.removeprefix('videos/')}.{fingerprint8}.mp4"
        await self.move(path, new)
        return new

    def exists(self, stored: StoredFile) -> bool:
        return stored.path in self.world.files

    def lacks_sidecar(self, stored: StoredFile) -> bool:
        return stored.path in self.world.bare

    async def write_sidecar(self, stored: StoredFile, document: Mapping[str, Any]) -> None:
        json.dumps(document)
        self.world.bare.remove(stored.path)


def _json(status: int, document: object) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(document).encode())


def _error(status: int, code: str) -> Reply:
    return _json(status, {"error": {"code": code, "message": code}})


def _rivya(task: Task, status: str) -> dict[str, Any]:
    failed = status not in ("queued", "processing", "succeeded")
    return {
        "id": task.id,
        "status": "failed" if failed else status,
        "reserved_credits": task.credits,
        "final_credits": task.credits if status == "succeeded" else 0,
        "result": {"primary_url": f"https://cdn.example.com/{task.id}.mp4"}
        if status == "succeeded"
        else None,
        "error": {"code": task.outcome, "message": "it failed"} if failed else None,
    }


def _acedatacloud(task: Task) -> dict[str, Any]:
    if anyio.current_time() < task.ready_at:
        return {"id": task.id, "response": None}
    if task.outcome != "succeeded":
        error = {"code": "api_error", "message": task.outcome}
        return {"id": task.id, "response": {"success": False, "error": error}}
    data = [{"state": "succeeded", "video_url": f"https://cdn.example.com/{task.id}.mp4"}]
    return {"id": task.id, "response": {"success": True, "task_id": task.id, "data": data}}
