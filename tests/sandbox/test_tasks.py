import sqlite3
import time
from dataclasses import fields
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import DiskError, UsageError
from orchestrator.sandbox.database import FILE_NAME, connect
from orchestrator.sandbox.tasks import Outcome, Task, Tasks, latency

MODELS = ["hailuo-pro", "happyhorse-1-0", "sora-2-pro", "minimax-t2v", "minimax-i2v"]


def task(**changes):
    plain = {
        "provider": "rivya",
        "id": "task_a",
        "model": "hailuo-pro",
        "idempotency_key": None,
        "body": b'{"prompt": "a lamp"}',
        "created_at": 100.0,
        "finishes_at": 110.0,
        "outcome": Outcome(),
        "credits": 57.0,
    }
    return Task(**plain | changes)


@pytest.fixture
def tasks():
    connection = connect(None)
    yield Tasks(connection)
    connection.close()


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        (100, "queued"),
        (101.9, "queued"),
        (102, "processing"),
        (110, "succeeded"),
        (1e9, "succeeded"),
    ],
)
def test_a_task_goes_its_way_by_the_clock(now, standing):
    assert task().standing(now) == standing


def test_a_task_can_fail_never_end_or_be_unknown_for_a_while():
    assert task(outcome=Outcome(failure="x")).standing(110) == "failed"
    assert task(finishes_at=None).standing(1e9) == "processing"
    assert task(outcome=Outcome(missing=5)).standing(104.9) == "missing"
    assert task(outcome=Outcome(missing=5)).standing(105) == "processing"


@pytest.mark.parametrize("model", MODELS)
def test_latencies_are_about_two_seconds_and_rarely_above_six(model):
    drawn = [latency(model, f"task_{n}") for n in range(2000)]
    assert 1.7 < median(drawn) < 2.3
    assert quantiles(drawn, n=20)[-1] < 6.2
    assert latency(model, "task_7") == drawn[7]


def test_models_differ_in_latency():
    assert len({latency(model, "task_a") for model in MODELS}) == len(MODELS)


@given(
    st.builds(
        Outcome,
        failure=st.none() | st.text(),
        message=st.none() | st.text(),
        bare=st.booleans(),
        final=st.none() | st.floats(0, 1e6),
        urls=st.integers(0, 5),
        missing=st.floats(0, 1e6),
        flap=st.lists(st.text()).map(tuple),
        word=st.none() | st.text(),
        success_word=st.none() | st.text(),
        hiccup=st.booleans(),
    )
)
def test_an_outcome_is_read_as_it_was_written(outcome):
    assert Outcome.loads(outcome.dumps()) == outcome


def test_an_outcome_of_a_later_version_is_read_as_far_as_it_is_known():
    assert Outcome.loads('{"urls": 2, "colour": "red"}') == Outcome(urls=2)


def test_every_part_of_a_task_is_kept(tasks):
    kept = task(idempotency_key="k", outcome=Outcome(flap=("a",)))
    tasks.add(kept)
    assert tasks.all() == [kept]
    assert {field.name for field in fields(Task)} >= {"provider", "id", "body", "credits"}


def test_of_two_tasks_with_one_id_the_older_is_shown(tasks):
    tasks.add(task(body=b"{}"))
    tasks.add(task(created_at=200.0))
    assert tasks.with_id("rivya", "task_a").created_at == 100
    assert len(tasks.with_ids("rivya", ["task_a"])) == 1
    assert tasks.latest("rivya").created_at == 200


def test_tasks_of_another_provider_are_not_seen(tasks):
    tasks.add(task(idempotency_key="k"))
    assert tasks.with_id("acedatacloud", "task_a") is None
    assert tasks.with_key("acedatacloud", "k") is None
    assert tasks.latest("acedatacloud") is None
    assert (tasks.open("acedatacloud", 100), tasks.spent("acedatacloud", 100)) == (0, 0)


def test_a_key_is_used_for_one_task_only(tasks):
    tasks.add(task(idempotency_key="k"))
    with pytest.raises(sqlite3.IntegrityError):
        tasks.add(task(id="task_b", idempotency_key="k"))


def test_open_tasks_are_those_that_have_not_ended(tasks):
    tasks.add(task())
    tasks.add(task(id="task_b", finishes_at=None))
    assert [tasks.open("rivya", now) for now in (109.9, 110)] == [2, 1]


@pytest.mark.parametrize(
    ("changes", "running", "ended"),
    [
        ({}, 57, 57),
        ({"outcome": Outcome(final=90)}, 57, 90),
        ({"outcome": Outcome(failure="x")}, 57, 0),
        ({"credits": None}, 1, 1),
        ({"finishes_at": None}, 57, 57),
    ],
)
def test_a_task_counts_as_reserved_then_as_final(tasks, changes, running, ended):
    tasks.add(task(**changes))
    assert [tasks.spent("rivya", now) for now in (105, 110)] == [running, ended]


def test_a_task_is_on_disk_when_add_returns(tmp_path):
    writing = connect(tmp_path / "run")
    Tasks(writing).add(task())
    reading = connect(tmp_path / "run")
    assert Tasks(reading).all() == [task()]
    reading.close()
    writing.close()


def test_adding_takes_well_under_a_millisecond(tmp_path):
    connection = connect(tmp_path)
    tasks = Tasks(connection)
    before = time.process_time()
    for number in range(500):
        tasks.add(task(id=f"task_{number}"))
    assert time.process_time() - before < 0.5
    connection.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="file"):
        connect(tmp_path / "file" / "run")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / FILE_NAME).write_text("no database " * 100)
    with pytest.raises(UsageError, match="move it away"):
        connect(tmp_path)
