from __future__ import annotations

from benchmarks.ledger import appends
from benchmarks.ledger_events import life, measure
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.reading import read_ledger
from tests.ledger.material import admit, finish, in_memory


def test_a_life_leads_from_the_intent_to_the_stored_video():
    with in_memory() as ledger:
        (row,) = admit(ledger, "cup")
        states = []
        for events in life(row):
            finish(ledger.record(*events))
            states.append(ledger.row(row).state)
        assert states == [State.SUBMITTING, State.SUBMITTED, State.GENERATED, State.STORED]
        assert ledger.row(row).attempt.reply is not None


async def test_every_event_that_is_counted_is_in_the_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.ledger_events.JOBS", 40)
    taken = await measure(tmp_path / "run", 4, 30.0)
    assert (taken["events"], taken["steps"]) == (40 * 5, 40 * 4)
    ledger = read_ledger(tmp_path / "run")
    assert ledger.counts() == {State.STORED: 40}
    ledger.close()


def test_a_plain_program_appends_whole_records(tmp_path):
    rate = appends(tmp_path / "plain", 0.05)
    size = (tmp_path / "plain").stat().st_size
    assert size % 4096 == 0
    assert 0 < rate <= size / 4096 / 0.05
