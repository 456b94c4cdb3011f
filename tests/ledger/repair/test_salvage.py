from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.jobs import State
from orchestrator.ledger.encoding import encode_job
from orchestrator.ledger.repair.salvage import Evidence, merged, salvage
from orchestrator.ledger.store import ATTEMPT_FIELDS
from tests.ledger.material import inline, make_job, write
from tests.ledger.nights import PATHS, Night

if TYPE_CHECKING:
    from pathlib import Path


def test_of_a_whole_ledger_every_row_of_every_table_is_read(tmp_path: Path) -> None:
    """What is read follows the tables: a new column that is not read turns this red."""
    night = Night(tmp_path, {way.replace(" ", "-"): way for way in PATHS})
    night.run()
    with inline(tmp_path) as ledger:
        ledger.bind_origin("rivya", "https://rivya.ai")
        rows = list(ledger.rows())
        attempts = {row.row: ledger.attempts(row.row) for row in rows}
    found = salvage(tmp_path / "ledger.db")
    assert found.origins == {"rivya": "https://rivya.ai"}
    traces = {trace.row: trace for trace in found.traces}
    assert traces.keys() == {row.row for row in rows}
    for row in rows:
        trace = traces[row.row]
        job = make_job(row.key)
        assert (trace.key, trace.state, trace.is_current) == (row.key, row.state, True)
        assert trace.meaning.identity == job.spec.identity
        assert trace.meaning.job == encode_job(job)
        for files in trace.files:
            assert files == row.files
        for attempt in attempts[row.row]:
            told = [one for one in trace.evidence[attempt.number] if one.fields]
            assert len(told) == 2, "by its events and by its own row"
            known = {name: getattr(attempt, name) for name in ATTEMPT_FIELDS}
            for one in told:
                assert {name: value for name, value in one.fields.items() if value} == {
                    name: value for name, value in known.items() if value
                }


def test_the_furthest_state_is_believed_and_what_it_lacks_is_filled_in() -> None:
    one = Evidence(State.SUBMITTED, {"task_id": "t", "reserved": 2.0, "final": None})
    other = Evidence(State.STORED, {"reserved": 3.0, "final": 3.0})
    for order in ([one, other], [other, one]):
        assert merged(order) == Evidence(
            State.STORED, {"task_id": "t", "reserved": 3.0, "final": 3.0}
        )


def test_where_two_sources_are_as_far_the_first_is_believed() -> None:
    first, second = Evidence(State.FAILED, {"charge": 1.0}), Evidence(State.FAILED, {"charge": 2.0})
    assert merged([first, second]).fields == {"charge": 1.0}


def test_an_error_of_an_earlier_state_is_no_error_of_a_later_one() -> None:
    earlier = Evidence(State.QUARANTINED, {"error_class": "invalid_media", "task_id": "t"})
    assert merged([earlier, Evidence(State.STORED, {})]).fields == {"task_id": "t"}
    assert merged([earlier]).fields == earlier.fields


def test_a_row_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    night = Night(tmp_path, {"a": "stored", "b": "stored", "c": "stored"})
    night.run()
    with inline(tmp_path) as ledger:
        for statement in (
            "UPDATE jobs SET job = '{' WHERE key = 'a'",
            "UPDATE jobs SET key = 5.5 WHERE key = 'b'",
            "UPDATE attempts SET charge = 'much' WHERE row = 1",
            "UPDATE attempts SET number = 1e9 WHERE row = 2",
            "UPDATE files SET bytes = 'some' WHERE row = 1",
        ):
            ledger._writer.call(lambda connection, text=statement: connection.execute(text))
        ledger._connection.execute("DROP TRIGGER events_are_never_changed")
        ledger._connection.execute("UPDATE events SET data = '[' WHERE row = 1")
        ledger._connection.execute("UPDATE events SET state = 'dreaming' WHERE row = 2")
        write(ledger, 3, "moved", note={"from": "c", "to": "d"})
    traces = {trace.row: trace for trace in salvage(tmp_path / "ledger.db").traces}
    assert traces[3].key == "c"
    assert len(traces[3].evidence[1]) == 3
    assert 1 not in traces or traces[1].meaning is None
    assert all(trace.evidence.keys() <= {1} for trace in traces.values())
