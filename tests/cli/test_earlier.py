"""Earlier runs: what they know of how long tasks take, where it was the same service."""

from __future__ import annotations

import pytest

from orchestrator.cli.earlier import ended_tasks, found_bounds
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.reading import read_ledger
from tests.ledger.material import admit, inline, write

REAL, LOOPBACK = "https://rivya.ai", "http://127.0.0.1"


@pytest.fixture
def run(tmp_path):
    def make(name, origin, *seconds):
        folder = tmp_path / name
        with inline(folder) as ledger:
            ledger.bind_origin("rivya", origin)
            rows = admit(ledger, *(f"job{n}" for n in range(len(seconds))))
            for row, taken in zip(rows, seconds, strict=True):
                write(ledger, row, "intent", State.SUBMITTING, new_attempt=True)
                write(ledger, row, "accepted", State.SUBMITTED, task_id=f"t{row}", submitted_at=5.0)
                if taken is not None:
                    note = {"took": taken}
                    write(ledger, row, "generated", State.GENERATED, generated_at=9e5, note=note)
        return folder

    return make


def times(folder, origin=REAL, provider="rivya"):
    with read_ledger(folder) as ledger:
        return [one.seconds for one in ended_tasks(ledger, folder, provider, origin)]


def test_tasks_of_this_run_and_of_those_beside_it_count_the_latest_last(run):
    run("older", REAL, 60.0, 70.0)
    assert times(run("spring", REAL, 80.0, None, 90.0)) == [60.0, 70.0, 80.0, 90.0]


def test_the_sandbox_tells_nothing_of_the_real_service(run):
    run("spring-sandbox", LOOPBACK, 1.0)
    assert times(run("spring", REAL)) == []


def test_models_and_parameters_are_told(run):
    folder = run("spring", REAL, 60.0)
    with read_ledger(folder) as ledger:
        (one,) = ended_tasks(ledger, folder, "rivya", REAL)
        (row,) = ledger.rows()
    assert one.model_name == f"rivya/{row.model}"
    assert one.params == row.job["params"]


def test_a_folder_that_cannot_be_read_tells_nothing(run, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/ledger.db").write_bytes(b"no ledger at all" * 100)
    assert times(run("spring", REAL, 60.0)) == [60.0]


def test_another_provider_has_its_own(run):
    assert times(run("spring", REAL, 60.0), provider="acedatacloud") == []


def bounds(folder, origin=REAL):
    with read_ledger(folder) as ledger:
        return found_bounds(ledger, folder, "rivya", origin)


def test_the_bounds_of_this_folder_count_before_those_of_others(run):
    for name, level in (("older", 20), ("spring", 30)):
        with inline(run(name, REAL)) as ledger:
            ledger.remember("bounds.rivya", f'{{"in_flight": {level}}}')
    assert bounds(run("new", REAL)) in ({"in_flight": 20}, {"in_flight": 30})
    assert bounds(run("spring", REAL)) == {"in_flight": 30}


@pytest.mark.parametrize("text", ["", "[]", "no JSON", "7"])
def test_bounds_that_cannot_be_read_are_none(run, text):
    with inline(run("spring", REAL)) as ledger:
        ledger.remember("bounds.rivya", text)
    assert bounds(run("spring", REAL)) == {}


def test_bounds_of_another_origin_are_not_ours(run):
    with inline(run("spring-sandbox", LOOPBACK)) as ledger:
        ledger.remember("bounds.rivya", '{"in_flight": 500}')
    assert bounds(run("spring", REAL)) == {}
