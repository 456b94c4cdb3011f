"""A process to be killed: writes events and says on stdout which of them are on disk."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import SqliteLedger, open_ledger
from orchestrator.ledger.store import Admission, Event
from tests.ledger.material import make_job

JOBS = 4000


async def produce(ledger: SqliteLedger, rows: list[int]) -> None:
    """Take rows from where they stand to `submitted`, saying each task id once it is durable."""
    for row in rows:
        if ledger.row(row).state is State.PLANNED:
            await ledger.record(
                Event(row, "intent", State.SUBMITTING, fields={"body": b"{}" * 500})
            )
            os.write(1, f"intent {row}\n".encode())
        if ledger.row(row).state is State.SUBMITTING:
            await ledger.record(
                Event(row, "accepted", State.SUBMITTED, fields={"task_id": f"task-{row}"})
            )
            os.write(1, f"task {row}\n".encode())


async def main(folder: Path, largest_file: int) -> None:
    """Write until killed, until the disk fails, or until all is done."""
    ledger = open_ledger(folder, campaign="spring")
    known = [row.row for row in ledger.rows()] or [None] * JOBS
    rows = list(
        ledger.admit(
            [Admission(make_job(f"job-{number}"), row) for number, row in enumerate(known)]
        )
    )
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    outcomes = await asyncio.gather(
        *(produce(ledger, rows[start::16]) for start in range(16)), return_exceptions=True
    )
    ledger.close()
    failed = [outcome for outcome in outcomes if outcome is not None]
    if not all(isinstance(outcome, LedgerError) for outcome in failed):
        raise RuntimeError(failed)
    os.write(1, b"failed\n" if failed else b"done\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
