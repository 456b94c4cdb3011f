"""What the emulated services share: the catalogue, the tables, the faults, the log, the clock."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import web

from orchestrator.sandbox.faults import Future, Script, Subject, future
from orchestrator.sandbox.tasks import Task, latency

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Catalog, Model
    from orchestrator.sandbox.limits import Limits
    from orchestrator.sandbox.log import Log
    from orchestrator.sandbox.media import Shelf
    from orchestrator.sandbox.tasks import Tasks
    from orchestrator.sandbox.uploads import UploadedFile, Uploads

#: What a wallet holds that no faults file limits.
PLENTY = 1_000_000.0

#: Where uploaded files are served.
FILES = "/cdn/files"


@dataclass
class World:
    """Everything the services share. `origin` is set once the port is known."""

    catalog: Catalog
    tasks: Tasks
    uploads: Uploads
    script: Script
    limits: Limits
    log: Log
    shelf: Shelf
    #: Times every latency; 0 ends every task at once.
    pace: float
    #: Credits of the wallets that can run out, by provider.
    balance: Mapping[str, float]
    #: Bytes that each video has at least.
    video_bytes: int
    origin: str = ""
    #: The requests that are being answered.
    answering: set[asyncio.Task[object]] = field(default_factory=set)
    #: How often each task whose status flaps was looked at.
    looks: Counter[str] = field(default_factory=Counter)

    def stop(self) -> None:
        """Cut what is being answered: a callback or a hanging reply would never end."""
        for answering in self.answering:
            answering.cancel()

    def model(self, provider: str, name: object) -> Model | None:
        """A model of this provider, None where the catalogue has none of this name."""
        return self.catalog.models.get(f"{provider}/{name}")

    def credits(self, provider: str) -> float:
        """What the wallet still holds."""
        return self.balance.get(provider, PLENTY) - self.tasks.spent(provider, time.time())

    def affordable(self, provider: str, price: float | None) -> bool:
        """Whether the wallet covers a create. Only a wallet that is limited is counted."""
        cost = 1 if price is None else price
        return provider not in self.balance or self.credits(provider) >= cost

    def file(self, url: str) -> UploadedFile | None:
        """The uploaded file behind a URL of this sandbox, also of one that ran on another port."""
        parts = urlsplit(url)
        if parts.hostname != "127.0.0.1" or not parts.path.startswith(f"{FILES}/"):
            return None
        return self.uploads.with_id(parts.path.removeprefix(f"{FILES}/").split("/")[0])

    def file_url(self, file: UploadedFile) -> str:
        """Where an uploaded file is served."""
        extension = file.mime_type.partition("/")[2].removeprefix("x-")
        return f"{self.origin}{FILES}/{file.id}/reference.{extension}"

    def make(
        self, provider: str, model: Model, body: bytes, request: Mapping[str, Any], key: str | None
    ) -> Task:
        """Make a paid task and commit it: whoever hears of it afterwards hears of a durable one."""
        task_id = f"task_{uuid4().hex[:24]}" if provider == "rivya" else str(uuid4())
        subject = Subject(provider, model.model, str(request.get("prompt", "")), task_id)
        plan = future(provider, self.script.draw_all(subject))
        earlier = self.tasks.latest(provider) if plan.duplicate else None
        created_at = time.time()
        task = Task(
            provider=provider,
            id=earlier.id if earlier else task_id,
            model=model.model,
            idempotency_key=key,
            body=body,
            created_at=created_at,
            finishes_at=self._end(plan, model, task_id, created_at),
            outcome=plan.outcome,
            credits=model.price if plan.reserve is None else plan.reserve,
        )
        self.tasks.add(task)
        return task

    def _end(self, plan: Future, model: Model, task_id: str, created_at: float) -> float | None:
        if plan.never:
            return None
        if plan.latency is not None:
            return created_at + plan.latency
        return created_at + self.pace * latency(model.model, task_id)

    def shown(self, task: Task, now: float) -> str:
        """How a poll shows a task: as it stands, or as a fault lets it flap."""
        flap = task.outcome.flap
        looks = self.looks[task.id]
        self.looks[task.id] += 1 if flap else 0
        return flap[looks] if looks < len(flap) else task.standing(now)

    def word(self, task: Task, standing: str) -> str:
        """The status word for a standing."""
        if standing == "processing":
            return task.outcome.word or standing
        if standing == "succeeded":
            return task.outcome.success_word or standing
        return standing

    def video_urls(self, task: Task) -> list[str]:
        """The present, signed URLs of a task's videos."""
        link = partial(self.shelf.link, self.origin, task.provider, task.id)
        return [link(index) for index in range(task.outcome.urls)]


WORLD = web.AppKey("world", World)


def subject_of(task: Task) -> Subject:
    """What a rule may look at of a task that exists."""
    return Subject(task.provider, task.model, task.prompt, task.id)


def subject_of_create(
    provider: str, request: Mapping[str, Any], key: str | None, body: bytes
) -> Subject:
    """What a rule may look at of a create before its task exists."""
    name = key or sha256(body).hexdigest()
    return Subject(provider, str(request.get("model")), str(request.get("prompt", "")), name)
