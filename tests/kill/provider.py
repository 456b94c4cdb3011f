"""The provider that the victims pay: the sandbox, and its durable table as the oracle."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unittest import mock

from anyio.from_thread import start_blocking_portal

from orchestrator.sandbox import media
from orchestrator.sandbox.database import FILE_NAME
from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from orchestrator.sandbox.log import Request

#: Seconds that tasks take whose prompt says `after=…`.
LATENCIES = (0.0, 0.01, 0.05)
FAULTS = "".join(
    f"- {{on: task, match: 'after={seconds} ', do: {{latency: {seconds}}}}}\n"
    for seconds in LATENCIES
)
PADDING = re.compile(r"bytes=(\d+) ")

_plain_video = media.video


@dataclass(frozen=True)
class PaidTask:
    """One task that was paid for, as the provider's own table has it."""

    provider: str
    id: str
    idempotency_key: str | None
    prompt: str
    #: Credits; 1 where the provider tells no price.
    credits: float
    #: The `params` of its create, as JSON.
    params: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the video that it serves."""
        return _digest(self.params, self.id, self.prompt)


class Provider:
    """The sandbox in a thread of this process."""

    def __init__(
        self, sandbox: Sandbox, state: Path, urls: Mapping[str, str], portal: BlockingPortal
    ) -> None:
        self._sandbox = sandbox
        self._database = state / FILE_NAME
        self._portal = portal
        self.urls = urls

    def latest(self) -> int:
        """The number of the task that was made last: where the creates of a new case begin."""
        ((number,),) = self._read("SELECT COALESCE(MAX(number), 0) FROM tasks")
        return int(number)

    def tasks(self, case: str, after: int) -> list[PaidTask]:
        """What was paid for, after task number `after`, by creates whose prompts name `case`."""
        found = self._read(
            "SELECT provider, id, idempotency_key, body, credits FROM tasks"
            " WHERE number > ? AND instr(body, ?) ORDER BY number",
            after,
            f'"{case} '.encode(),
        )
        return [_paid(*columns) for columns in found]

    def creates_received(self) -> int:
        """Creates that arrived whole; those of one key count each."""
        return sum(request.on == "create" for request in self._requests())

    def refused_creates(self) -> list[int | None]:
        """The statuses of all creates that were answered with anything but a task.

        None stands for a victim that was gone by then.
        """
        return [
            request.status
            for request in self._requests()
            if request.on == "create" and request.status not in (200, 201, None)
        ]

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def _requests(self) -> list[Request]:
        return self._portal.call(lambda: list(self._sandbox.requests))


def _paid(
    provider: str, task_id: str, key: str | None, body: bytes, price: float | None
) -> PaidTask:
    request = json.loads(body)
    params = json.dumps(request.get("params", {}))
    return PaidTask(provider, task_id, key, request["prompt"], price or 1.0, params)


@lru_cache(maxsize=1000)
def _digest(params: str, task_id: str, prompt: str) -> str:
    return hashlib.sha256(video(json.loads(params), task_id, prompt, 0, 0)).hexdigest()


def video(
    params: Mapping[str, Any], task_id: str, prompt: str, index: int, edition: int, **_options: int
) -> bytes:
    """A generation's video, made as long as its prompt says."""
    content = _plain_video(params, task_id, prompt, index, edition)
    wanted = PADDING.search(prompt)
    return content + media.box("free", bytes(int(wanted[1]))) if wanted else content


@contextmanager
def provider(state: Path) -> Iterator[Provider]:
    """Serve until the block ends."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(media, "video", video))
        portal = stack.enter_context(start_blocking_portal())
        sandbox = Sandbox(state, faults=parse(FAULTS), pace=0)
        urls = stack.enter_context(portal.wrap_async_context_manager(sandbox))
        yield Provider(sandbox, state, urls, portal)
