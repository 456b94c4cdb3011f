from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerCorrupt, LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.ledger import open_ledger
from orchestrator.ledger.sqlite.writer import MOST_TOGETHER, Nothing, commit_together, unwritable
from orchestrator.ledger.store import Event
from tests.ledger.material import admit, finish, inline

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger

INTENT, SUBMITTED, STORED = State.SUBMITTING, State.SUBMITTED, State.STORED


def limit_size(ledger: SqliteLedger, *, extra_pages: int) -> None:
    """Let the ledger grow by so many pages and then find the disk full."""

    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + extra_pages}")

    ledger._writer.call(limit)


async def test_many_producers_share_commits_and_wake_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []
    wake_ups: list[object] = []
    loop = asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe
    with open_ledger(tmp_path, campaign="spring") as ledger:
        rows = admit(ledger, *(f"job-{number}" for number in range(640)))
        ledger._writer._connection.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )
        monkeypatch.setattr(
            loop, "call_soon_threadsafe", lambda *args: (wake_ups.append(args), wake(*args))[1]
        )

        async def produce(some: list[int]) -> None:
            for row in some:
                await ledger.record(Event(row, "intent", INTENT))
                await ledger.record(
                    Event(row, "accepted", SUBMITTED, fields={"task_id": f"t{row}"})
                )

        await asyncio.gather(*(produce(rows[start::64]) for start in range(64)))
        assert ledger.counts() == {SUBMITTED: 640}
        assert [logged.seq for logged in ledger.events()] == list(range(1, 1281))
    assert len(wake_ups) == len(commits) < 1280 / 4


async def test_a_refused_event_fails_alone_among_those_committed_with_it(tmp_path: Path) -> None:
    with open_ledger(tmp_path, campaign="spring") as ledger:
        rows = admit(ledger, *(f"job-{number}" for number in range(10)))
        events = [
            Event(row, "event", STORED if number == 4 else INTENT)
            for number, row in enumerate(rows)
        ]
        outcomes = await asyncio.gather(
            *(ledger.record(event) for event in events), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [
            LedgerError if number == 4 else type(None) for number in range(10)
        ]
        assert ledger.counts() == {INTENT: 9, State.PLANNED: 1}


async def test_an_event_that_is_refused_takes_those_recorded_with_it_along(tmp_path: Path) -> None:
    with open_ledger(tmp_path, campaign="spring") as ledger:
        first, second, third = admit(ledger, "a", "b", "c")
        together = [Event(first, "intent", INTENT), Event(second, "stored", STORED)]
        outcomes = await asyncio.gather(
            ledger.record(Event(third, "intent", INTENT)),
            ledger.record(*together),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), LedgerError]
        assert ledger.counts() == {INTENT: 1, State.PLANNED: 2}
        await ledger.record(Event(first, "intent", INTENT))
        assert [logged.event.row for logged in ledger.events()] == [third, first]


async def test_cancelling_the_wait_does_not_lose_the_write(tmp_path: Path) -> None:
    with open_ledger(tmp_path, campaign="spring") as ledger:
        first, second = admit(ledger, "a", "b")

        async def produce() -> None:
            await ledger.record(Event(first, "intent", INTENT))

        task = asyncio.create_task(produce())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ledger.record(Event(second, "intent", INTENT))
        assert ledger.counts() == {INTENT: 2}


async def test_closing_writes_everything_that_is_queued(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    rows = admit(ledger, *(f"job-{number}" for number in range(MOST_TOGETHER + 500)))
    waiting = [ledger.record(Event(row, "intent", INTENT)) for row in rows]
    ledger.close()
    await asyncio.gather(*waiting)
    with inline(tmp_path) as again:
        assert again.counts() == {INTENT: MOST_TOGETHER + 500}


async def test_a_closed_ledger_refuses_and_may_be_closed_twice(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    (row,) = admit(ledger, "a")
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.record(Event(row, "intent", INTENT))
    with pytest.raises(LedgerError, match="closed"):
        ledger.bind_origin("rivya", "https://rivya.ai")


def test_a_loop_that_is_gone_does_not_stop_the_writer(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    rows = admit(ledger, *(f"job-{number}" for number in range(200)))

    async def leave_at_once() -> None:
        for row in rows:
            ledger.record(Event(row, "intent", INTENT))

    asyncio.run(leave_at_once())
    ledger.close()
    with inline(tmp_path) as again:
        assert again.counts() == {INTENT: 200}


@pytest.mark.parametrize("threaded", [True, False])
async def test_a_full_disk_fails_the_waiters_and_everything_after_them(
    tmp_path: Path, threaded: bool
) -> None:
    acknowledged = []
    ledger = open_ledger(tmp_path, campaign="spring", threaded=threaded)
    rows = admit(ledger, *(f"job-{number}" for number in range(50)))
    limit_size(ledger, extra_pages=20)

    async def write_until_full() -> None:
        for row in rows:
            await ledger.record(Event(row, "intent", INTENT, fields={"body": b"x" * 5000}))
            acknowledged.append(row)

    with pytest.raises(LedgerError, match="full") as refused:
        await write_until_full()
    assert refused.value.exit_code == 7
    with pytest.raises(LedgerError, match="cannot be written"):
        await ledger.record(Event(rows[-1], "small"))
    with pytest.raises(LedgerError, match="cannot be written"):
        ledger.bind_origin("rivya", "https://rivya.ai")
    ledger.close()
    assert 0 < len(acknowledged) < 50
    with inline(tmp_path) as again:
        written = [row.row for row in again.rows() if row.state is INTENT]
        assert written == acknowledged
        finish(again.record(Event(rows[-1], "intent", INTENT)))


def test_closing_folds_the_log_into_the_file(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    admit(ledger, "a")
    ledger.close()
    assert {path.name for path in tmp_path.iterdir()} == {"ledger.db", "run.lock"}


async def test_after_a_failed_disk_nobody_folds_the_log_into_the_file(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    (row,) = admit(ledger, "a")
    limit_size(ledger, extra_pages=0)
    with pytest.raises(LedgerError):
        await ledger.record(Event(row, "intent", INTENT, fields={"body": b"x" * 50_000}))
    before = (tmp_path / "ledger.db").read_bytes()
    ledger.close()
    assert (tmp_path / "ledger.db").read_bytes() == before
    assert (tmp_path / "ledger.db-wal").exists()


async def test_each_who_is_refused_gets_an_error_of_its_own(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, campaign="spring")
    rows = admit(ledger, "a", "b")
    limit_size(ledger, extra_pages=0)
    big = {"body": b"x" * 50_000}
    outcomes = await asyncio.gather(
        *(ledger.record(Event(row, "intent", INTENT, fields=big)) for row in rows),
        return_exceptions=True,
    )
    ledger.close()
    assert [type(outcome) for outcome in outcomes] == [LedgerError, LedgerError]
    assert outcomes[0] is not outcomes[1]


def test_a_commit_that_fails_leaves_no_transaction_open() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)

    def fail(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError):
        commit_together(
            connection, [lambda inner: inner.execute("CREATE TABLE a (b)"), fail], Nothing()
        )
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()


def test_damage_found_while_writing_is_told_from_a_full_disk() -> None:
    assert type(unwritable(sqlite3.DatabaseError("malformed"))) is LedgerCorrupt
    assert type(unwritable(sqlite3.OperationalError("full"))) is LedgerError
