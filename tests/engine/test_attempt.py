"""Open attempts: what of a row the engine begins with."""

from __future__ import annotations

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.engine.attempt import is_new, reopened, unsent
from orchestrator.jobs import State
from orchestrator.plan.plan import make_plan
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, waiting


@pytest.mark.parametrize(
    ("number", "state", "new"),
    [
        (0, State.PLANNED, True),
        (1, State.PLANNED, False),
        (1, State.FAILED, True),
        (1, State.UNKNOWN, True),
    ],
)
def test_an_attempt_is_new_unless_nothing_was_made_of_the_last_one(number, state, new):
    attempt = waiting(1, state=state)
    attempt.number = number
    assert is_new(attempt) is new


def test_a_job_of_which_nothing_was_sent_begins_as_its_row_would():
    bench, what = Bench(), manifest([spec(n, retries=n) for n in range(3)])
    bench.admit(what)
    for entry in make_plan(what, shipped()).entries:
        row = bench.row(entry.job.key)
        assert unsent(row.row, row.position, entry.job) == reopened(row, entry.job)
