"""Windows: a limit of creates shows by the refusals alone, whatever its window, and nothing else
looks like one."""

from __future__ import annotations

import random

import pytest

from orchestrator.engine.meters.windows import MEMORY, Windows


def served(most, window, gaps, *, counts_refused, late=lambda: 0.0, pause=1.5):
    """What is known of creates sent with these gaps to a service with such a limit."""
    windows, arrivals, now = Windows(), [], 0.0
    for gap in gaps:
        now += gap
        windows.sent(now)
        arrived = now + late()
        is_refused = sum(arrived - window < at < arrived for at in arrivals) >= most
        if counts_refused or not is_refused:
            arrivals.append(arrived)
        if is_refused:
            windows.refused(now)
            now += pause * window
        else:
            windows.taken(now)
    return windows


@pytest.mark.parametrize("counts_refused", [True, False])
@pytest.mark.parametrize(
    ("most", "window"),
    [(1, 1.0), (5, 1.0), (1, 2.0), (3, 5.0), (10, 8.0), (5, 10.0), (20, 10.0), (30, 60.0)],
)
def test_a_limit_shows_in_any_window_whether_refusals_count_or_not(most, window, counts_refused):
    chance = random.Random(most)
    gaps = [chance.uniform(0.4, 1.4) * window / most for _ in range(100 + 60 * most)]
    windows = served(most, window, gaps, counts_refused=counts_refused)
    assert windows.rate() == pytest.approx(most * 60 / window, rel=0.1)


def test_a_limit_shows_although_creates_arrive_late_now_and_then():
    chance = random.Random(1)
    gaps = [chance.uniform(0.4, 1.4) * 2.0 for _ in range(400)]
    windows = served(5, 10.0, gaps, counts_refused=True, late=lambda: chance.uniform(0.0, 0.1))
    assert windows.rate() == pytest.approx(30, rel=0.1)


def shown_late(seed):
    """What shows of two creates in four seconds where each arrives up to 0.2 s late."""
    chance = random.Random(seed)
    gaps = [chance.uniform(0.6, 1.4) * 2.0 for _ in range(200)]
    late = served(2, 4.0, gaps, counts_refused=True, late=lambda: chance.uniform(0.0, 0.2))
    return late.rate()


def test_one_count_out_of_line_hides_no_limit():
    shown = [shown_late(seed) for seed in range(40)]
    assert sum(rate == pytest.approx(30, rel=0.1) for rate in shown if rate is not None) > 32


def test_refusals_one_after_the_other_are_told_once():
    windows, now = Windows(), 0.0
    for number in range(60):
        now += 8.0 + number % 7
        windows.sent(now)
        windows.taken(now)
    for _ in range(10):
        now += 2.5
        windows.sent(now)
        windows.refused(now)
    assert windows.rate() is None


def test_what_is_refused_is_left_out_where_it_does_not_count():
    chance = random.Random(3)
    gaps = [chance.uniform(0.2, 1.4) * 2.0 for _ in range(600)]
    windows = served(5, 10.0, gaps, counts_refused=False, pause=0.02)
    assert windows.rate() == pytest.approx(30, rel=0.1)


def test_few_that_were_taken_show_nothing_however_sharp():
    chance = random.Random(1)
    gaps = [chance.uniform(0.4, 1.4) * 2.0 for _ in range(160)]
    assert served(1, 2.0, gaps[:14], counts_refused=True).rate() is None
    assert served(1, 2.0, gaps, counts_refused=True).rate() == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_a_limit_of_tasks_does_not_look_like_one_of_creates(seed):
    chance, windows, now, ends = random.Random(seed), Windows(), 0.0, []
    for _ in range(400):
        now += chance.expovariate(1 / 5.0)
        ends = [end for end in ends if end > now]
        windows.sent(now)
        if len(ends) >= 20:
            windows.refused(now)
        else:
            windows.taken(now)
            ends.append(now + chance.lognormvariate(4.5, 0.6))
    assert windows.rate() is None


def test_few_refusals_and_few_creates_show_nothing():
    assert served(1, 2.0, [1.0] * 4, counts_refused=False).rate() is None
    windows = Windows()
    for number in range(40):
        windows.sent(10.0 * number)
        windows.taken(10.0 * number)
    assert windows.rate() is None


def test_the_oldest_are_forgotten():
    windows = Windows()
    for number in range(10 * MEMORY):
        windows.sent(float(number))
        windows.taken(float(number))
    assert len(windows._sent) <= 2 * MEMORY
    assert len(windows._taken) <= 2 * MEMORY
