"""Paid tasks: when each ends and how it stands at a moment, as a function of the clock alone.

A task's whole future is decided when it is made and kept with it. So a sandbox that was killed
goes on where the clock is, with or without the faults file it was started with.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import sha256
from math import exp
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Standing = Literal["missing", "queued", "processing", "succeeded", "failed"]

#: Seconds at a pace of 1: half of all tasks end by then, and 95 % within 2.7 times as long.
MEDIAN_SECONDS, SPREAD = 2.0, 0.6
#: Models differ from each other by up to this share of the median, either way.
MODEL_SHARE = 0.1
#: The part of a task's time that it waits in the queue.
QUEUED_SHARE = 0.2

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a task; the defaults are a plain success with one video."""

    #: The task fails with this code and message.
    failure: str | None = None
    message: str | None = None
    #: The failure is told as a bare text instead of a code and a message (AceDataCloud).
    bare: bool = False
    #: Final credits; None is what was reserved.
    final: float | None = None
    #: How many videos the result names.
    urls: int = 1
    #: Seconds for which the provider does not know the id yet.
    missing: float = 0
    #: The status word of the first polls, one each, whatever is true.
    flap: tuple[str, ...] = ()
    #: The status word while the task runs, in place of `processing`.
    word: str | None = None
    #: The status word of success, in place of `succeeded`.
    success_word: str | None = None
    #: While it runs, the task shows `success: false` and no code (AceDataCloud).
    hiccup: bool = False
    #: The create is answered when the task has ended, whatever was asked (AceDataCloud).
    sync: bool = False

    def dumps(self) -> str:
        """What differs from a plain success, as JSON."""
        if self == PLAIN:
            return "{}"
        plain = asdict(PLAIN)
        return json.dumps({k: v for k, v in asdict(self).items() if v != plain[k]})

    @classmethod
    def loads(cls, text: str) -> Outcome:
        """The outcome that `dumps` wrote; fields of later versions are left out."""
        if text == "{}":
            return PLAIN
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in json.loads(text).items() if key in known}
        return cls(**{**values, "flap": tuple(values.get("flap", ()))})


PLAIN = Outcome()


@dataclass(frozen=True)
class Task:
    """One paid create."""

    provider: str
    id: str
    model: str
    idempotency_key: str | None
    #: The create's body, byte for byte.
    body: bytes
    created_at: float
    #: None is never.
    finishes_at: float | None
    outcome: Outcome
    #: Reserved credits; None where the provider tells no price.
    credits: float | None

    @cached_property
    def request(self) -> dict[str, Any]:
        """The create's body as JSON values."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    @property
    def prompt(self) -> str:
        """The create's prompt."""
        return str(self.request.get("prompt", ""))

    def standing(self, now: float) -> Standing:
        """How the task stands at `now`, whatever its polls are told."""
        if now < self.created_at + self.outcome.missing:
            return "missing"
        if self.finishes_at is not None and now >= self.finishes_at:
            return "failed" if self.outcome.failure else "succeeded"
        span = (self.finishes_at or self.created_at + MEDIAN_SECONDS) - self.created_at
        return "queued" if now < self.created_at + QUEUED_SHARE * span else "processing"


def share(text: str) -> float:
    """A number between 0 and 1 (neither included) that depends on the text alone."""
    return (int.from_bytes(sha256(text.encode()).digest()[:6], "big") + 0.5) / 2**48


def latency(model: str, task_id: str) -> float:
    """Seconds that a task takes at a pace of 1: log-normal, drawn from its id."""
    median = MEDIAN_SECONDS * (1 + MODEL_SHARE * (2 * share(model) - 1))
    return median * exp(SPREAD * _NORMAL.inv_cdf(share(task_id)))


_COLUMNS = "provider, id, model, idempotency_key, body, created_at, finishes_at, outcome, credits"


#: What a row of the table counts for at `:now`.
_CHARGE = """CASE
    WHEN finishes_at IS NULL OR finishes_at > :now THEN COALESCE(credits, 1)
    WHEN json_extract(outcome, '$.failure') IS NOT NULL THEN 0
    ELSE COALESCE(json_extract(outcome, '$.final'), credits, 1)
END"""


class Tasks:
    """The durable table of paid tasks. An added task is committed before `add` returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, task: Task) -> None:
        """Keep a task."""
        self._connection.execute(
            f"INSERT INTO tasks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                task.provider, task.id, task.model, task.idempotency_key, task.body,
                task.created_at, task.finishes_at, task.outcome.dumps(), task.credits,
            ),
        )  # fmt: skip

    def with_ids(self, provider: str, ids: Sequence[str]) -> list[Task]:
        """The tasks of these ids that the provider has, in the order they were made."""
        marks = ", ".join("?" * len(ids))
        found = self._select(f"provider = ? AND id IN ({marks})", provider, *ids)
        # Of two with one id the older is shown: the later one fills the dictionary first.
        return sorted({t.id: t for t in reversed(found)}.values(), key=lambda t: t.created_at)

    def with_id(self, provider: str, task_id: str) -> Task | None:
        """The task of this id; the older one where a fault gave the id out twice."""
        return next(iter(self.with_ids(provider, [task_id])), None)

    def with_key(self, provider: str, idempotency_key: str) -> Task | None:
        """The task made by a create with this idempotency key."""
        found = self._select("provider = ? AND idempotency_key = ?", provider, idempotency_key)
        return next(iter(found), None)

    def all(self) -> list[Task]:
        """Every paid task, in the order they were made: what a test compares a ledger with."""
        return self._select("TRUE")

    def latest(self, provider: str) -> Task | None:
        """The task that this provider made last."""
        latest = "number = (SELECT MAX(number) FROM tasks WHERE provider = ?)"
        return next(iter(self._select(latest, provider)), None)

    def open(self, provider: str, now: float) -> int:
        """How many tasks of this provider have not ended."""
        query = (
            "SELECT COUNT(*) FROM tasks"
            " WHERE provider = ? AND (finishes_at IS NULL OR finishes_at > ?)"
        )
        return int(self._connection.execute(query, (provider, now)).fetchone()[0])

    def spent(self, provider: str, now: float) -> float:
        """Credits reserved or spent; failed tasks give theirs back when they end.

        Where the provider tells no price, every task counts 1.
        """
        query = f"SELECT TOTAL({_CHARGE}) FROM tasks WHERE provider = :provider"  # noqa: S608
        row = self._connection.execute(query, {"provider": provider, "now": now}).fetchone()
        return float(row[0])

    def _select(self, condition: str, *values: str) -> list[Task]:
        query = f"SELECT {_COLUMNS} FROM tasks WHERE {condition} ORDER BY number"  # noqa: S608
        return [_task(row) for row in self._connection.execute(query, values)]


def _task(row: tuple[Any, ...]) -> Task:
    provider, task_id, model, key, body, created_at, finishes_at, outcome, reserved = row
    return Task(
        provider=provider,
        id=task_id,
        model=model,
        idempotency_key=key,
        body=body,
        created_at=created_at,
        finishes_at=finishes_at,
        outcome=Outcome.loads(outcome),
        credits=reserved,
    )
