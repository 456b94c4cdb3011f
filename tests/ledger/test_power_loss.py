"""What the disk holds when the power goes: replayed from every write and sync of a real ledger.

The disk keeps what was synced. Of what was not, it may keep nothing, all, or some sectors. A disk
that lies about its syncs is outside of what can be promised.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger import folders
from orchestrator.ledger.sqlite import opening
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.store import Event
from tests.ledger.disk import IOERR_FSYNC, OK, faulty_disk
from tests.ledger.material import admit, inline

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from tests.ledger.disk import FaultyDisk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with a ledger of eight jobs."""
    folder = tmp_path / "run"
    with inline(folder) as ledger:
        admit(ledger, *(f"job-{number}" for number in range(1, 9)))
    return folder


def fold_often(ledger: SqliteLedger) -> None:
    """Have the log folded into the file every few pages, as a long run does every thousand."""
    ledger._writer.call(lambda connection: connection.execute("PRAGMA wal_autocheckpoint = 12"))


async def work(ledger: SqliteLedger, disk: FaultyDisk, rows: range) -> None:
    """Take rows to `submitted`, marking each event once it was awaited."""
    for row in rows:
        for event in (
            Event(row, "intent", State.SUBMITTING, fields={"body": b"x" * 3000}),
            Event(row, "accepted", State.SUBMITTED, fields={"task_id": f"task-{row}"}),
        ):
            await ledger.record(event)
            disk.mark(f"{row} {event.kind}")


def put(folder: Path, image: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)


def check(folder: Path, image: dict[str, bytes], marks: list[str], *, exactly: bool = True) -> None:
    """The ledger opens after the power loss, is whole, and has all that was marked."""
    put(folder, image)
    with inline(folder) as ledger:
        assert ledger.fetch("PRAGMA integrity_check") == [("ok",)]
        found = [f"{logged.event.row} {logged.event.kind}" for logged in ledger.events()]
    assert set(marks) <= set(found)
    if exactly:
        # What was on its way may be there as well.
        assert len(found) <= len(marks) + 1


async def test_what_was_awaited_survives_a_power_loss_at_any_step(
    folder: Path, tmp_path: Path
) -> None:
    with faulty_disk() as disk:
        for rows in (range(1, 5), range(5, 9)):
            with open_ledger(folder, campaign="spring") as ledger:
                fold_often(ledger)
                await work(ledger, disk, rows)
    assert len(disk.marks(len(disk.steps))) == 16
    assert sum(step.what == "sync" and step.name == "ledger.db" for step in disk.steps) > 4
    chance = random.Random(4)
    for until in range(1, len(disk.steps) + 1, 2):
        for number, luck in enumerate((None, chance)):
            image = disk.after_power_loss(until, luck)
            check(tmp_path / f"{until}-{number}", image, disk.marks(until))


async def test_after_a_failed_sync_nothing_is_written_and_nothing_awaited_is_ever_lost(
    folder: Path, tmp_path: Path
) -> None:
    """The system may forget what it failed to sync, and still show it to whoever reads it.

    So the same sync is never tried again: the ledger refuses all work, and who opens it next
    writes everything anew before anything is added.
    """
    heard = [await fail_one_sync(folder, tmp_path / str(number), number) for number in range(1, 17)]
    assert heard.count(True) > 4, "a commit's sync failed"
    assert heard.count(False) > 4, "the sync of a log being folded into the file failed"


async def fail_one_sync(folder: Path, copy: Path, failing: int) -> bool:
    """Have one sync fail, go on in a second session, and let the power go after it.

    True where the first session heard of the failure.
    """
    put(copy, {"ledger.db": (folder / "ledger.db").read_bytes()})
    syncs = 0

    def fault(_: int, what: str) -> int:
        nonlocal syncs
        syncs += what == "sync"
        return IOERR_FSYNC if what == "sync" and syncs == failing else OK

    with faulty_disk(fault) as disk:
        heard = False
        with open_ledger(copy, campaign="spring") as ledger:
            fold_often(ledger)
            try:
                await work(ledger, disk, range(1, 5))
            except LedgerError:
                heard = True
                steps = len(disk.steps)
                with pytest.raises(LedgerError, match="cannot be written"):
                    await ledger.record(Event(8, "intent", State.SUBMITTING))
        if heard:
            assert disk.steps[steps:] == [], "nobody tries again"
        assert syncs >= failing
        with open_ledger(copy, campaign="spring") as ledger:
            ends = []
            for row in range(5, 9):
                await work(ledger, disk, range(row, row + 1))
                ends.append(len(disk.steps))
    for until in ends:
        image = disk.after_power_loss(until, None)
        check(copy / str(until), image, disk.marks(until), exactly=False)
    return heard


@pytest.mark.parametrize("threaded", [True, False])
def test_every_commit_is_synced_whatever_sqlite_was_built_to_do(
    folder: Path, threaded: bool
) -> None:
    with open_ledger(folder, campaign="spring", threaded=threaded) as ledger:
        settings = ledger._writer.call(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "fullfsync")
            ]
        )
    assert settings == ["wal", 2, 1]


def test_a_new_ledger_and_its_folders_are_durable_under_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real = folders.sync_folder

    def sync(path: Path) -> None:
        synced.append(path)
        real(path)

    monkeypatch.setattr(folders, "sync_folder", sync)
    monkeypatch.setattr(opening, "sync_folder", sync)
    inline(tmp_path / "runs" / "spring").close()
    assert synced[:3] == [tmp_path, tmp_path / "runs", tmp_path / "runs" / "spring"]
