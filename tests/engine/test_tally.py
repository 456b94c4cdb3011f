"""The tally: counts, reasons, and the exit code that they come to."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.engine.tally import Reason, Tally
from orchestrator.jobs import State

#: What may end a run, the most important first, with its exit code.
ORDER = [
    (lambda tally: tally.because(Reason.STORAGE, "disk"), 7),
    (lambda tally: setattr(tally, "signal_code", 143), 143),
    (lambda tally: tally.because(Reason.CREDENTIALS, "key"), 6),
    (lambda tally: tally.because(Reason.BUDGET, "cap"), 5),
    (lambda tally: setattr(tally, "undecided", True), 4),
    (lambda tally: tally.because(Reason.UNFINISHED, "left"), 3),
    (lambda tally: setattr(tally, "in_trouble", True), 1),
]


@pytest.mark.parametrize(("earlier", "later"), list(itertools.combinations(range(len(ORDER)), 2)))
def test_where_two_exit_codes_apply_the_more_important_counts(earlier, later):
    tally = Tally()
    for index in (later, earlier):
        ORDER[index][0](tally)
    assert tally.exit_code() == ORDER[earlier][1]


def test_a_run_of_which_every_job_is_stored_exits_0():
    tally = Tally()
    tally.counts[State.STORED] = 3
    assert tally.exit_code() == 0


def test_failed_and_quarantined_jobs_of_the_selection_exit_1():
    tally = Tally()
    tally.counts.update([State.STORED, State.FAILED])
    assert tally.exit_code() == 0, "what was not selected decides nothing"
    tally.in_trouble = True
    assert tally.exit_code() == 1


@pytest.mark.parametrize("state", [State.SUBMITTING, State.SUBMITTED, State.GENERATED])
def test_what_is_paid_for_and_not_yet_stored_exits_3(state):
    tally = Tally()
    tally.counts.update([State.STORED, state])
    assert tally.exit_code() == 3


def test_a_stop_is_resumable_and_exits_3():
    tally = Tally()
    tally.because(Reason.STOPPED, "refused")
    assert tally.exit_code() == 3


def test_a_job_is_counted_in_one_state_at_a_time():
    tally = Tally()
    tally.counts[State.PLANNED] = 2
    tally.move(State.PLANNED, State.SUBMITTING)
    assert dict(tally.counts) == {State.PLANNED: 1, State.SUBMITTING: 1}


def test_a_state_that_was_left_again_decides_nothing():
    tally = Tally()
    tally.counts[State.SUBMITTED] = 1
    tally.move(State.SUBMITTED, State.STORED)
    assert tally.exit_code() == 0


def test_each_reason_is_told_once_and_in_order():
    tally = Tally()
    for text in ("a", "b", "a"):
        tally.because(Reason.UNFINISHED, text)
    assert tally.reasons == {Reason.UNFINISHED: ["a", "b"]}
