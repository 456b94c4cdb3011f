from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs import State
from orchestrator.plan.matching import match
from tests.plan.material import SORA, job, row_of

SENT = [state for state in State if state is not State.PLANNED]


def rows_found(jobs, rows):
    return [found.row.row if found.row else None for found in match(jobs, rows)]


def made_with_default(default, key="cup", **changes):
    params = tuple(
        replace(param, default=default) if param.key == "n_frames" else param
        for param in SORA.params
    )
    return job(key, replace(SORA, params=params), **changes)


def test_a_new_job_has_no_row():
    assert rows_found([job()], []) == [None]


@pytest.mark.parametrize("state", State)
def test_an_unchanged_job_keeps_its_row_in_any_state(state):
    assert rows_found([job()], [row_of(job(), 4, state)]) == [4]


def test_an_edited_job_is_a_new_one():
    assert rows_found([job(prompt="A lamp")], [row_of(job())]) == [None]


@pytest.mark.parametrize("state", SENT)
def test_a_renamed_job_takes_its_row_over(state):
    assert rows_found([job("mug")], [row_of(job("cup"), 4, state)]) == [4]


def test_a_renamed_job_of_which_nothing_was_sent_is_new():
    assert rows_found([job("mug")], [row_of(job("cup"), 4, State.PLANNED)]) == [None]


def test_moved_and_reordered_jobs_keep_their_rows():
    jobs = [job(name, prompt=name) for name in ("a", "b", "c")]
    rows = [row_of(made, number) for number, made in enumerate(jobs, start=1)]
    assert rows_found([jobs[2], jobs[0], jobs[1]], rows) == [3, 1, 2]


def test_jobs_that_swapped_their_ids_swap_their_rows():
    rows = [row_of(job("a", prompt="x"), 1), row_of(job("b", prompt="y"), 2)]
    assert rows_found([job("a", prompt="y"), job("b", prompt="x")], rows) == [2, 1]


def test_more_takes_leave_the_first_ones_alone():
    takes = [job(f"cup/{take}", take=take) for take in (1, 2, 3)]
    rows = [row_of(replace(takes[0], spec=replace(takes[0].spec, key="cup")), 1)]
    assert rows_found(takes, rows) == [1, None, None]


def test_identical_jobs_have_a_row_each():
    twins = [job("a"), job("b")]
    assert rows_found(twins, [row_of(twins[0], 1)]) == [1, None]
    assert rows_found(twins, [row_of(twins[1], 2), row_of(twins[0], 1)]) == [1, 2]


def test_of_identical_rows_a_renamed_job_takes_the_furthest():
    old = [job("a"), job("b"), job("c")]
    states = (State.FAILED, State.STORED, State.SUBMITTED)
    rows = [row_of(made, n, state) for n, (made, state) in enumerate(zip(old, states, strict=True))]
    assert rows_found([job("x")], rows) == [1]
    assert rows_found([job("x"), job("y"), job("z")], rows) == [1, 2, 0]


def test_of_rows_alike_a_renamed_job_takes_the_oldest():
    rows = [row_of(job("b"), 7), row_of(job("a"), 3)]
    assert rows_found([job("x")], rows) == [3]


def test_a_renamed_job_takes_a_stored_row_although_its_old_name_was_never_sent():
    """Renamed there and back: the row of the first name came back unsent from the provider."""
    unsent = row_of(job("cup"), 1, State.PLANNED)
    stored = row_of(job("mug"), 2, State.STORED)
    assert rows_found([job("cup")], [unsent, stored]) == [2]
    assert rows_found([job("cup")], [stored, unsent]) == [2]


def test_a_twin_of_a_removed_job_takes_its_video_instead_of_buying_it_again():
    rows = [row_of(job("a"), 1, State.STORED), row_of(job("b"), 2, State.PLANNED)]
    assert rows_found([job("b")], rows) == [1]
    assert rows_found([job("a"), job("b")], rows) == [1, 2]


def test_a_failed_job_keeps_its_own_row():
    rows = [row_of(job("a"), 1, State.FAILED), row_of(job("b"), 2, State.STORED)]
    assert rows_found([job("a")], rows) == [1]


def test_what_a_row_says_of_an_unchanged_job_is_not_kept_twice():
    asked, stored = job("cup"), row_of(replace(job("cup"), fingerprint="".join(job().fingerprint)))
    kept = match([asked], [stored])[0].row
    assert kept.identity is asked.spec.identity
    assert (kept.fingerprint is asked.fingerprint, kept.job) == (True, None)


@pytest.mark.parametrize("state", SENT)
def test_a_changed_default_keeps_the_row_as_it_was_bought(state):
    bought = made_with_default("10")
    (found,) = match([made_with_default("15")], [row_of(bought, 4, state)])
    assert (found.row.row, found.default_changed) == (4, True)
    assert found.job.fingerprint == bought.fingerprint
    assert found.job.params == bought.params


def test_a_changed_default_counts_for_what_was_never_sent():
    now = made_with_default("15")
    (found,) = match([now], [row_of(made_with_default("10"), 4, State.PLANNED)])
    assert (found.row, found.default_changed, found.job) == (None, False, now)


def test_a_changed_default_does_not_excuse_an_edit():
    rows = [row_of(made_with_default("10"), 4)]
    assert rows_found([made_with_default("15", prompt="A lamp")], rows) == [None]


def test_an_exact_row_goes_before_one_of_an_older_default():
    old, now = made_with_default("10"), made_with_default("15")
    (found,) = match([now], [row_of(now, 1), row_of(old, 2)])
    assert (found.row.row, found.default_changed) == (1, False)


NAMES = st.sampled_from("abcdef")
PROMPTS = st.sampled_from("xyz")
JOBS = st.dictionaries(NAMES, PROMPTS).map(
    lambda named: [job(name, prompt=prompt) for name, prompt in named.items()]
)
ROWS = st.lists(
    st.tuples(NAMES, PROMPTS, st.sampled_from(State)), unique_by=lambda row: row[:2], max_size=8
).map(
    lambda rows: [
        row_of(job(name, prompt=prompt), number, state)
        for number, (name, prompt, state) in enumerate(rows)
    ]
)


@settings(max_examples=300)
@given(JOBS, ROWS)
def test_no_job_is_lost_and_no_row_is_claimed_twice(jobs, rows):
    found = match(jobs, rows)
    assert [one.job for one in found] == jobs
    claimed = [one.row.row for one in found if one.row is not None]
    assert len(claimed) == len(set(claimed))
    for one in found:
        assert one.row is None or one.row.fingerprint == one.job.fingerprint


@settings(max_examples=300)
@given(JOBS, ROWS)
def test_a_job_with_a_row_of_its_own_that_was_sent_gets_it(jobs, rows):
    sent = [row for row in rows if row.state is not State.PLANNED]
    own = {(row.identity, row.fingerprint): row.row for row in sent}
    for found in match(jobs, rows):
        expected = own.get((found.job.spec.identity, found.job.fingerprint))
        assert expected is None or found.row.row == expected


@settings(max_examples=300)
@given(JOBS, ROWS)
def test_nothing_that_was_bought_is_sent_again(jobs, rows):
    found = match(jobs, rows)
    claimed = {one.row.row for one in found if one.row is not None}
    for one in found:
        if one.row is not None and one.row.state is not State.PLANNED:
            continue
        left = [row for row in rows if row.row not in claimed and row.state is not State.PLANNED]
        assert one.job.fingerprint not in {row.fingerprint for row in left}


@given(JOBS, ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(jobs, rows, random):
    shuffled = random.sample(rows, len(rows))
    assert rows_found(jobs, rows) == rows_found(jobs, shuffled)
