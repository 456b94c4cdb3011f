"""A ledger made again takes the damaged one's place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import DiskError, LedgerBusy, LedgerCorrupt, LedgerNewer, UsageError
from orchestrator.jobs import State
from orchestrator.ledger.keeping import kept_copies
from orchestrator.ledger.repair import rebuild as rebuilding
from tests.ledger.damage import ALL, check, destroy, states
from tests.ledger.material import inline
from tests.ledger.nights import Night

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_ledger_in_order_is_not_made_again(night: Night) -> None:
    before = (night.folder / "ledger.db").read_bytes()
    with pytest.raises(UsageError, match="is in order"):
        await night.rebuild()
    assert (night.folder / "ledger.db").read_bytes() == before
    assert kept_copies(night.folder / "ledger.db") == []


async def test_a_row_that_sqlite_can_read_and_nobody_else_is_damage(night: Night) -> None:
    with closing(sqlite3.connect(night.folder / "ledger.db")) as connection:
        connection.execute("UPDATE jobs SET job = '{' WHERE key = 'new'")
        connection.commit()
    await night.rebuild()
    check(night, log_is_whole=True)


async def test_a_folder_that_tells_of_no_run_gives_no_ledger(tmp_path: Path) -> None:
    night = Night(tmp_path, dict(ALL))
    with pytest.raises(UsageError, match="nothing in its folder tells of a run"):
        await night.rebuild()
    assert not (tmp_path / "ledger.db").exists()


async def test_a_newer_ledger_is_left_alone(night: Night) -> None:
    with closing(sqlite3.connect(night.folder / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerNewer):
        await night.rebuild()


async def test_a_ledger_in_use_is_left_alone(night: Night) -> None:
    with inline(night.folder), pytest.raises(LedgerBusy):
        await night.rebuild()


async def test_the_damaged_ledger_and_its_log_are_kept_and_the_log_is_not_the_new_ones(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path / "run", dict(ALL))
    night.run(ends=False)
    destroy(night.folder / "ledger.db")
    damaged = (night.folder / "ledger.db").read_bytes()
    log = (night.folder / "ledger.db-wal").read_bytes()
    assert log
    with pytest.raises(LedgerCorrupt):
        night.reopened()
    made = await night.rebuild()
    assert made.kept is not None
    assert kept_copies(night.folder / "ledger.db") == [made.kept], "the one that the run made"
    assert made.kept.read_bytes() == damaged
    assert made.kept.with_name(f"{made.kept.name}-wal").read_bytes() == log
    assert not (night.folder / "ledger.db-wal").exists()
    check(night, log_is_whole=False)


@pytest.mark.parametrize("moment", range(1, 7))
async def test_a_crash_at_any_moment_leaves_a_folder_that_runs_refuse_and_rebuild_mends(
    night: Night, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    destroy(night.folder / "ledger.db")
    moments = 0

    def crashing(real):
        def call(*arguments):
            nonlocal moments
            moments += 1
            if moments == moment:
                raise RuntimeError("killed")
            return real(*arguments)

        return call

    for name in ("sync_file", "sync_folder", "keep_copy"):
        monkeypatch.setattr(rebuilding, name, crashing(getattr(rebuilding, name)))
    killed = False
    try:
        await night.rebuild()
    except RuntimeError:
        killed = True
    monkeypatch.undo()
    if killed and moment < 5:
        with pytest.raises(LedgerCorrupt, match="orchestrator rebuild"):
            night.reopened()
        await night.rebuild()
    check(night, log_is_whole=True)
    assert states(night)["stored"] is State.STORED


async def test_a_full_disk_is_told_and_changes_nothing(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroy(night.folder / "ledger.db")
    before = (night.folder / "ledger.db").read_bytes()

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rebuilding, "sync_file", full)
    with pytest.raises(DiskError, match=r"No space left on device\. Make room"):
        await night.rebuild()
    assert (night.folder / "ledger.db").read_bytes() == before


async def test_a_ledger_that_was_made_again_may_be_damaged_and_made_again(night: Night) -> None:
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    first = states(night)
    destroy(night.folder / "ledger.db")
    await night.rebuild()
    assert states(night) == first
    assert len(kept_copies(night.folder / "ledger.db")) == 2
