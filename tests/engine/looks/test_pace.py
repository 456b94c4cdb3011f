"""Pace: looks by what is expected, within what the manifest states, and safe where it is wrong."""

from __future__ import annotations

import math
import random
import statistics
from itertools import pairwise

import anyio
import pytest

from orchestrator.ledger.store import Ended
from orchestrator.manifest.model import Budget as Caps
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, K, account_of, waiting
from tests.engine.world import Faults, World

SHORT, LONG = "hailuo-pro", "sora-2-pro"


def known(median=90.0, sigma=0.6, model=SHORT, tasks=200):
    """What earlier runs know of a model."""
    draw = random.Random(median)
    times = (draw.lognormvariate(math.log(median), sigma) for _ in range(tasks))
    return [Ended(f"{K}/{model}", {}, seconds) for seconds in times]


def night(*, seconds=90.0, sigma=0.0, jobs=12, ended=(), **limits):
    """A night of jobs that all run at once; the ages at which each task was looked at."""
    bench = Bench(world=World(seed=3, faults=Faults(median=seconds, sigma=sigma)))
    bench.ended[K] = list(ended)
    what = manifest([spec(n) for n in range(jobs)], in_flight=jobs, **limits)
    assert bench.run(what).exit_code() == 0
    ages = {task.id: [] for task in bench.world.tasks.values()}
    for at, request in bench.wires[K].asked:
        name = request.path.rpartition("/")[2]
        ages[name].append(at - bench.world.tasks[name].made_at)
    return bench, list(ages.values())


STATED = frozenset({"poll_after", "poll_every"})


def test_fixed_times_serve_while_nothing_is_known():
    _, ages = night(jobs=5)
    for looks in ages:
        assert looks[0] == pytest.approx(3, abs=2)
        assert all(9.9 < later - earlier < 12 for earlier, later in pairwise(looks))


def test_what_is_known_saves_looks_and_delay():
    _, ages = night(jobs=100, sigma=0.6, ended=known(), polls_per_second=100.0)
    _, blind = night(jobs=100, sigma=0.6, poll_every=8.0, stated=STATED, polls_per_second=100.0)
    assert sum(map(len, ages)) < 0.7 * sum(map(len, blind))


def test_few_new_tasks_are_looked_at_early_once_times_are_known():
    _, ages = night(jobs=30, ended=known())
    early = sum(looks[0] < 10 for looks in ages)
    assert early == 10


def test_an_early_failure_has_the_next_tasks_looked_at_early():
    bench = Bench(world=World(faults=Faults(sigma=0.0, median=1.0, task_fails=1.0)))
    bench.ended[K] = known()
    bench.run(manifest([spec(n) for n in range(12)], in_flight=1))
    waits = [later - earlier for earlier, later in pairwise(bench.wires[K].times())]
    assert sum(wait > 20 for wait in waits) <= 3, "only before the first failure was seen"


def test_what_the_manifest_states_is_kept_whatever_is_known():
    _, ages = night(
        ended=known(300, 0.1), seconds=300, poll_after=5.0, poll_every=20.0, stated=STATED
    )
    for looks in ages:
        assert looks[0] == pytest.approx(5, abs=2)
        assert all(later - earlier < 22 for earlier, later in pairwise(looks))


@pytest.mark.parametrize("seconds", [900.0, 20.0])
def test_a_service_that_is_slower_or_faster_than_known_is_followed(seconds):
    bench, ages = night(seconds=seconds, ended=known(90, 0.2), jobs=12)
    late = [looks[-1] - seconds for looks in ages]
    assert max(late) < 60
    assert len(bench.wires[K].asked) < 12 * (seconds / 10 + 4)


def test_a_night_without_anybody_teaches_the_next_run_nothing():
    bench = Bench(world=World(seed=2, faults=Faults()))

    def stop(campaign):
        campaign.signalled(130)

    async def soon(campaign):
        await anyio.sleep(30)
        stop(campaign)

    bench.run(
        manifest([spec(n) for n in range(15)], in_flight=15, creates_per_minute=600.0), beside=soon
    )
    bench.now += 8 * 3600.0
    bench.run(manifest([spec(n) for n in range(15)], in_flight=15))
    assert bench.ledger.ended(K, 100) == []
    began = bench.now
    bench.run(manifest([spec(n) for n in range(15, 27)], in_flight=12, creates_per_minute=600.0))
    assert bench.now - began < 600


@pytest.mark.parametrize("median", [3600.0, 36000.0])
def test_what_is_known_quite_wrongly_is_borne_for_a_while_only(median):
    _, ages = night(seconds=50.0, ended=known(median, 0.2))
    assert max(looks[-1] for looks in ages) < 160


def test_a_task_whose_create_was_repeated_teaches_nothing():
    bench = Bench(world=World(seed=4, faults=Faults(lost_after=0.7, sigma=0.0)))
    bench.run(manifest([spec(n) for n in range(30)], in_flight=30, creates_per_minute=600.0))
    took = [one.seconds for one in bench.ledger.ended(K, 100)]
    assert len(took) < 30
    assert all(80 < seconds < 100 for seconds in took)


def test_the_accounts_rate_of_looks_is_never_exceeded():
    bench, _ = night(jobs=60, sigma=0.6, ended=known(), polls_per_second=1.0)
    times = [at for at, _ in bench.wires[K].asked]
    assert all(later - earlier > 0.99 for earlier, later in pairwise(times))


def test_times_learned_in_a_run_serve_the_rest_of_it():
    bench = Bench(world=World(faults=Faults(sigma=0.0)))
    bench.run(manifest([spec(n) for n in range(60)], in_flight=20))
    looks = dict.fromkeys(bench.world.tasks, 0)
    for _, request in bench.wires[K].asked:
        looks[request.path.rpartition("/")[2]] += 1
    counts = list(looks.values())
    assert min(counts[:10]) >= 9
    assert statistics.median(counts[40:]) <= 5


async def test_a_task_of_an_earlier_run_teaches_nothing():
    async with account_of(K) as account:
        for age in (0.0, 9000.0):
            for number in range(20):
                attempt = waiting(number)
                attempt.age, attempt.watched_since = age, account.run.clock.now() - 60
                account.pace.ended(attempt)
        assert account.pace.expected(waiting(1)) == pytest.approx(30, rel=0.1)


# --- which job goes first -----------------------------------------------------------------------


def order(jobs, *, ended, caps=None, in_flight=1):
    bench = Bench()
    bench.ended[K] = ended
    bench.run(manifest(jobs, in_flight=in_flight, caps=caps))
    return [bench.world.tasks[task].body for task in bench.world.tasks], bench


MIXED = [spec(n, model=SHORT if n % 2 else LONG) for n in (1, 2, 3, 4)]


def models(bodies):
    return ["long" if LONG.encode() in body else "short" for body in bodies]


def test_the_longest_jobs_go_first():
    ended = known(60) + known(180, model=LONG)
    assert models(order(MIXED, ended=ended)[0]) == ["long", "long", "short", "short"]


def test_among_equals_the_manifests_order_holds():
    bodies, _ = order(MIXED, ended=[])
    assert models(bodies) == ["short", "long", "short", "long"]


def test_what_nothing_is_known_of_is_tried_before_what_is_known():
    assert models(order(MIXED, ended=known(60))[0])[:2] == ["long", "long"]


def test_where_a_cap_may_not_allow_all_the_manifests_order_decides():
    ended = known(60) + known(180, model=LONG)
    bodies, bench = order(MIXED, ended=ended, caps=Caps({K: 200.0}))
    assert models(bodies) == ["short", "long", "short", "long"][: len(bodies)]
    assert len(bodies) < 4
    assert bench.row("job4").attempt is None


def test_where_a_cap_is_near_the_manifests_order_decides_though_all_fits():
    ended = known(60) + known(180, model=LONG)
    bodies, _ = order(MIXED, ended=ended, caps=Caps(jobs=5))
    assert models(bodies) == ["short", "long", "short", "long"]
    bodies, _ = order(MIXED, ended=ended, caps=Caps(jobs=50))
    assert models(bodies) == ["long", "long", "short", "short"]
