"""kill -9 at every durable step: nothing paid is lost, nothing is paid for twice."""

from __future__ import annotations

import pytest

from tests.kill.campaign import KEYED, KEYLESS, Case, Job, Kill, play
from tests.kill.lanes import lanes
from tests.kill.matrix import matrix
from tests.kill.points import POINTS
from tests.kill.provider import provider

#: Campaigns at each point, all at once.
REPETITIONS = 3
#: Campaigns of many jobs that are killed at random times, for each kind of provider.
AT_RANDOM = 5

CASES = [
    pytest.param(point, kind, id=f"{point.name} - {kind}")
    for point in POINTS
    for kind in point.kinds
]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with matrix(tmp_path_factory.mktemp("kill"), REPETITIONS) as made:
        yield made
        assert made.provider.refused_creates() == []


@pytest.mark.parametrize(("point", "kind"), CASES)
def test_a_run_that_is_killed_here_loses_nothing_and_pays_for_nothing_twice(here, point, kind):
    outcomes = [case.result() for case in here.at(point, kind, range(REPETITIONS))]
    assert [finding for outcome in outcomes for finding in outcome.findings] == []
    if kind == KEYED:
        assert sum(outcome.listed for outcome in outcomes) == 0


@pytest.mark.parametrize("kind", [KEYED, KEYLESS])
def test_neither_does_one_of_many_jobs_that_is_killed_at_any_time(here, kind):
    outcomes = [case.result() for case in here.at_random(kind, range(AT_RANDOM))]
    assert [finding for outcome in outcomes for finding in outcome.findings] == []


@pytest.fixture
def judged(tmp_path):
    """Plays one campaign of one job."""

    def judge(*kills, kind=KEYLESS):
        with lanes(1) as free, provider(tmp_path / "provider") as serving:
            case = Case(kind, (Job("only", 0.0, 0),), kills, 3, unaffordable=0, goes_on=True)
            return play(case, "judged", free.get(), serving, tmp_path)

    return judge


def test_a_moment_that_never_comes_is_a_finding(judged):
    outcome = judged(Kill("commit nothing before"))
    assert [finding.what for finding in outcome.findings] == ["seam"]


def test_a_create_that_left_without_a_key_is_listed_and_not_sent_again(judged):
    outcome = judged(Kill("create answered"))
    assert (outcome.kills, outcome.tasks, outcome.listed, outcome.findings) == (1, 1, 1, [])


def test_a_create_that_left_with_a_key_is_sent_again_and_paid_for_once(judged):
    outcome = judged(Kill("create answered"), kind=KEYED)
    assert (outcome.kills, outcome.tasks, outcome.listed, outcome.findings) == (1, 1, 0, [])
