"""How many events a second the ledger makes durable, by the number of writers.

Each writer takes jobs through their life, and waits for each of its events before the next one.
`python -m benchmarks.ledger_events FOLDER WRITERS SECONDS` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.store import Event, StoredFile
from tests.ledger.material import admit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: All the jobs that there are: where they have run out, the measurement ends sooner.
JOBS = 20_000

_BODY = json.dumps({"model": "sora-2-pro", "prompt": "A film of a cup on a table by the sea"})
_REPLY = json.dumps({
    "status": 201,
    "headers": {"content-type": "application/json"},
    "body": {"status": "queued", "reserved_credits": 75, "result": None, "error": None},
})  # fmt: skip


def life(row: int) -> Iterator[tuple[Event, ...]]:
    """What one job records, step by step, with fields as long as the engine's."""
    submitting = {
        "idempotency_key": f"{row:032x}", "body": _BODY.encode(), "estimated": 75.0,
        "charge": 75.0, "first_sent_at": 1e9, "last_sent_at": 1e9,
    }  # fmt: skip
    yield (Event(row, "intent", State.SUBMITTING, new_attempt=True, fields=submitting),)
    accepted = {"task_id": f"task_{row:024x}", "reserved": 75.0, "submitted_at": 1e9}
    yield (
        Event(row, "reply", fields={"reply": _REPLY}),
        Event(row, "accepted", State.SUBMITTED, fields=accepted),
    )
    urls = (f"https://cdn.example.com/task_{row:024x}/0.mp4",)
    generated = {"urls": urls, "looks": 7, "final": 75.0, "generated_at": 1e9}
    yield (Event(row, "generated", State.GENERATED, fields=generated, note={"took": 90.0}),)
    file = StoredFile(f"videos/job-{row}.mp4", 1_000_000, f"{row:064x}", 5.0, 1920, 1080)
    yield (Event(row, "stored", State.STORED, fields={"stored_at": 1e9}, files=[file]),)


async def measure(folder: Path, writers: int, seconds: float) -> dict[str, float]:
    """Events and steps that were made durable, and the seconds that it took."""
    keys = [f"job{number}" for number in range(JOBS)]
    with open_ledger(folder, campaign="bench") as ledger:
        rows = iter(admit(ledger, *keys))
        steps: list[int] = []
        began = time.perf_counter()

        async def write() -> None:
            for row in rows:
                for events in life(row):
                    await ledger.record(*events)
                    steps.append(len(events))
                if time.perf_counter() >= began + seconds:
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(writers):
                tasks.start_soon(write)
        taken = time.perf_counter() - began
    return {"events": sum(steps), "steps": len(steps), "seconds": taken}


if __name__ == "__main__":
    print(json.dumps(anyio.run(measure, Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
