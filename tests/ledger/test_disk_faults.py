"""A disk that fails at any of the steps by which a ledger is written.

The providers' own table of paid tasks is the oracle: what it has, the ledger has to know of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from orchestrator.ledger.rescue import Rescued
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.store import Event
from tests.ledger.disk import FULL, IOERR_TRUNCATE, IOERR_WRITE, OK, faulty_disk
from tests.ledger.material import admit, inline

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger

JOBS = range(1, 4)
#: More steps than one night of so many jobs takes.
STEPS = 140


@dataclass
class Night:
    """What was sent and what was written, as those know who did it."""

    #: Row to the task that the provider made for it.
    paid: dict[int, str] = field(default_factory=dict)
    #: Events whose writing was awaited.
    written: list[tuple[int, str]] = field(default_factory=list)

    async def run(self, ledger: SqliteLedger) -> None:
        """Create one job after the other, as the engine does; stop where the ledger fails."""
        ledger._writer.call(lambda connection: connection.execute("PRAGMA wal_autocheckpoint = 12"))
        for row in JOBS:
            if ledger.row(row).state is State.PLANNED:
                await self.create(ledger, row)
            if ledger.row(row).state is State.SUBMITTING:
                attempt = ledger.row(row).attempt
                task = json.loads(attempt.reply)["task"]
                await self.write(ledger, row, "accepted", State.SUBMITTED, task_id=task)

    async def create(self, ledger: SqliteLedger, row: int) -> None:
        await self.write(ledger, row, "intent", State.SUBMITTING, body=b"x" * 3000)
        assert row not in self.paid, "paid twice"
        self.paid[row] = f"task-{row}"
        reply = json.dumps({"task": self.paid[row]})
        try:
            await self.write(ledger, row, "reply", reply=reply)
        except LedgerError:
            ledger.rescue(Rescued(row, f"job-{row}", 1, "rivya", reply))
            raise

    async def write(
        self, ledger: SqliteLedger, row: int, kind: str, state: State | None = None, **fields
    ) -> None:
        await ledger.record(Event(row, kind, state, fields=fields))
        self.written.append((row, kind))


@pytest.fixture
def template(tmp_path: Path) -> bytes:
    """A ledger of three jobs, as a file."""
    with inline(tmp_path / "template") as ledger:
        admit(ledger, *(f"job-{row}" for row in JOBS))
    return (tmp_path / "template" / "ledger.db").read_bytes()


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [FULL, IOERR_WRITE], ids=["full", "broken"])
async def test_whatever_write_fails_nothing_paid_is_lost_and_nothing_is_paid_twice(
    template: bytes, tmp_path: Path, code: int, lasting: bool
) -> None:
    failed = 0
    for failing in range(1 + lasting + 2 * (code == FULL), STEPS, 7):

        def fault(number: int, what: str, failing: int = failing) -> int:
            struck = number >= failing if lasting else number == failing
            return (OK, code if what == "write" else IOERR_TRUNCATE)[struck and what != "sync"]

        failed += await one_night(template, tmp_path / str(failing), fault)
    assert failed > 4, "faults came to be heard of"


async def one_night(template: bytes, folder: Path, fault) -> bool:
    """A night on a disk that fails, and one on a mended disk; true where the first one failed."""
    put(folder, template)
    night, failed = Night(), False
    with faulty_disk(fault) as disk:
        try:
            with open_ledger(folder, campaign="spring") as ledger:
                await night.run(ledger)
        except LedgerError:
            failed = True
    assert disk.number < STEPS
    with open_ledger(folder, campaign="spring") as ledger:
        check(ledger, night)
        await night.run(ledger)
        check(ledger, night)
        assert ledger.counts() == {State.SUBMITTED: len(JOBS)}
    assert names(folder) == {"ledger.db", "run.lock"}
    return failed


def put(folder: Path, template: bytes) -> None:
    folder.mkdir()
    (folder / "ledger.db").write_bytes(template)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check(ledger: SqliteLedger, night: Night) -> None:
    """The ledger is whole; it has what was written, and knows of every task that was paid."""
    assert ledger.fetch("PRAGMA integrity_check") == [("ok",)]
    events = [logged.event for logged in ledger.events()]
    assert set(night.written) <= {(event.row, event.kind) for event in events}
    folded = fold(events)
    for row in ledger.rows():
        assert row.attempt is None or (row.attempt,) == folded[row.row].attempts
    for number, task in night.paid.items():
        attempt = ledger.row(number).attempt
        assert attempt is not None, "a create without an intent"
        assert json.loads(attempt.reply)["task"] == task
