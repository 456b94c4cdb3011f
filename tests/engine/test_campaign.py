"""Whole runs in virtual time: what a night looks like from the outside."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.ledger.store import ABANDONED
from orchestrator.manifest.model import Budget as Caps
from orchestrator.plan.selection import Selection
from tests.engine.campaigns import Simulation, manifest, spec
from tests.engine.world import Faults, World
from tests.ledger.material import write


def test_every_job_is_created_once_and_stored():
    simulation = Simulation()
    tally = simulation.run(manifest([spec(n) for n in range(20)]))
    assert tally.exit_code() == 0
    assert tally.counts[State.STORED] == 20
    assert len(simulation.world.tasks) == 20
    assert set(simulation.world.files) == {f"videos/job{n}.mp4" for n in range(20)}


def test_a_second_run_sends_nothing():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(5)])
    simulation.run(jobs)
    before = len(simulation.world.requests)
    assert simulation.run(jobs).exit_code() == 0
    assert len(simulation.world.requests) == before


def test_an_edited_job_is_the_only_one_sent_and_the_old_file_is_kept():
    simulation = Simulation()
    jobs = [spec(n) for n in range(3)]
    simulation.run(manifest(jobs))
    edited = replace(jobs[1], prompt="another prompt")
    simulation.run(manifest([jobs[0], edited, jobs[2]]))
    assert len(simulation.creates()) == 4
    assert any(path.startswith("videos/superseded/job1") for path in simulation.world.files)
    assert "videos/job1.mp4" in simulation.world.files


def test_a_renamed_job_takes_its_row_and_its_file_along():
    simulation = Simulation()
    simulation.run(manifest([spec(1, prompt="same")]))
    simulation.run(manifest([spec(2, prompt="same")]))
    assert len(simulation.creates()) == 1
    assert set(simulation.world.files) == {"videos/job2.mp4"}


def test_two_jobs_may_trade_names():
    simulation = Simulation()
    simulation.run(manifest([spec(1, prompt="red"), spec(2, prompt="blue")]))
    red = simulation.world.files["videos/job1.mp4"]
    simulation.run(manifest([spec(1, prompt="blue"), spec(2, prompt="red")]))
    assert len(simulation.creates()) == 2
    assert simulation.world.files["videos/job2.mp4"] == red


def test_a_file_that_was_removed_is_fetched_again_without_paying():
    simulation = Simulation()
    jobs = manifest([spec(1), spec(2)])
    simulation.run(jobs)
    del simulation.world.files["videos/job1.mp4"]
    assert simulation.run(jobs).exit_code() == 0
    assert "videos/job1.mp4" in simulation.world.files
    assert len(simulation.creates()) == 2


@pytest.mark.parametrize("provider", ["rivya", "acedatacloud"])
def test_limits_hold_in_every_window_where_requests_arrive(provider):
    simulation = Simulation()
    simulation.run(
        manifest(
            [spec(n, provider) for n in range(500)],
            in_flight=40,
            creates_per_minute=50,
            polls_per_second=5.0,
        )
    )
    creates = simulation.creates()
    assert len(creates) == 500
    assert most_in_window(creates, 60.0) <= 50
    polls = [at for at, _, what in simulation.world.requests if what == "poll"]
    assert most_in_window(polls, 1.0) <= 5
    assert simulation.world.most_open[provider] <= 40


def most_in_window(times: list[float], window: float) -> int:
    times = sorted(times)
    most, start = 0, 0
    for end, at in enumerate(times):
        while times[start] <= at - window:
            start += 1
        most = max(most, end - start + 1)
    return most


def test_a_failed_task_is_tried_again_as_often_as_the_job_says():
    simulation = Simulation(World(faults=Faults(task_fails=1.0)))
    tally = simulation.run(manifest([spec(1, retries=2), spec(2)]))
    assert tally.exit_code() == 1
    assert len(simulation.creates()) == 4
    keys = [task.key for task in simulation.world.tasks.values()]
    assert len(set(keys)) == 4, "each attempt has its own key"


def test_a_plain_run_leaves_failed_jobs_and_a_selection_tries_them_again():
    simulation = Simulation(World(faults=Faults(task_fails=1.0)))
    jobs = manifest([spec(1)])
    simulation.run(jobs)
    simulation.run(jobs)
    assert len(simulation.creates()) == 1
    simulation.world.faults.task_fails = 0.0
    tally = simulation.run(jobs, selection=Selection((("state", "failed"),)))
    assert tally.exit_code() == 0
    assert len(simulation.creates()) == 2


def test_what_a_person_gave_up_is_told_apart_from_what_failed():
    simulation = Simulation(World(faults=Faults(task_fails=1.0)))
    jobs = manifest([spec(1), spec(2), spec(3)])
    assert simulation.run(jobs).given_up == 0
    row = next(iter(simulation.ledger.rows())).row
    write(simulation.ledger, row, "abandoned", error_class=ABANDONED)
    tally = simulation.run(jobs)
    assert (tally.counts[State.FAILED], tally.given_up, tally.exit_code()) == (3, 1, 1)


def test_the_budget_holds_whatever_the_concurrency_and_the_order_decides():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(20)], caps=Caps({"rivya": 57 * 7.5}), in_flight=20)
    tally = simulation.run(jobs)
    assert tally.exit_code() == 5
    assert sorted(simulation.states().values()).count(State.STORED) == 7
    assert [key for key, state in simulation.states().items() if state is State.STORED] == [
        f"job{n}" for n in range(7)
    ]


def test_a_higher_price_than_estimated_counts_from_then_on():
    simulation = Simulation(World(faults=Faults(drift=100.0)))
    jobs = manifest([spec(n) for n in range(20)], caps=Caps({"rivya": 1000.0}), in_flight=2)
    tally = simulation.run(jobs)
    assert tally.exit_code() == 5
    spent = sum(task.credits for task in simulation.world.tasks.values())
    assert spent <= 1000 + 2 * (100 - 57)


def test_jobs_of_unknown_price_stay_planned_under_a_cap_and_others_go_on():
    simulation = Simulation()
    jobs = manifest(
        [spec(1, "acedatacloud"), spec(2)], caps=Caps({"rivya": 500.0, "acedatacloud": 10.0})
    )
    tally = simulation.run(jobs)
    assert simulation.states() == {"job1": State.PLANNED, "job2": State.STORED}
    assert tally.exit_code() == 5


def test_the_cap_on_creates_counts_attempts_over_all_runs():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(5)], caps=Caps(jobs=3))
    assert simulation.run(jobs).exit_code() == 5
    assert simulation.run(jobs).exit_code() == 5
    assert len(simulation.creates()) == 3


def test_max_credits_caps_this_call_alone():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(5)])
    assert simulation.run(jobs, max_credits={"rivya": 120.0}).exit_code() == 5
    assert len(simulation.creates()) == 2
    assert simulation.run(jobs, max_credits={"rivya": 171.0}).exit_code() == 0
    assert len(simulation.creates()) == 5


def test_the_first_signal_stops_creates_and_a_later_run_goes_on():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(50)], in_flight=5)

    async def interrupt(campaign):
        await anyio.sleep(60)
        campaign.signalled(130)

    tally = simulation.run(jobs, beside=interrupt)
    assert tally.exit_code() == 130
    sent = len(simulation.creates())
    assert 5 <= sent < 50
    assert State.SUBMITTING not in simulation.states().values()
    assert simulation.run(jobs).exit_code() == 0
    assert len(simulation.creates()) == 50


def test_the_second_signal_ends_at_once_and_nothing_is_paid_twice():
    simulation = Simulation()
    jobs = manifest([spec(n) for n in range(50)], in_flight=5)

    async def interrupt(campaign):
        await anyio.sleep(60.1)
        campaign.signalled(143)
        campaign.signalled(143)

    began = simulation.now
    tally = simulation.run(jobs, beside=interrupt)
    assert tally.exit_code() == 143
    assert simulation.now - began <= 61
    assert simulation.run(jobs).exit_code() == 0
    assert len(simulation.world.tasks) == 50


def test_a_storm_of_429_costs_a_handful_of_requests():
    simulation = Simulation(World(faults=Faults(storm=(100.0, 700.0))))
    tally = simulation.run(
        manifest([spec(n) for n in range(1000)], in_flight=50, creates_per_minute=200)
    )
    assert tally.exit_code() == 0
    assert len(simulation.creates()) <= 1100
    assert len(simulation.world.tasks) == 1000


@pytest.mark.parametrize("provider", ["rivya"])
def test_an_outage_of_ten_minutes_costs_a_handful_of_requests(provider):
    simulation = Simulation(World(faults=Faults(outage=(100.0, 700.0))))
    jobs = [spec(n, provider) for n in range(1000)]
    tally = simulation.run(manifest(jobs, in_flight=50, creates_per_minute=200))
    assert tally.exit_code() == 0
    assert len(simulation.creates()) <= 1100
    assert len(simulation.world.tasks) == 1000


def test_an_outage_of_a_provider_without_keys_leaves_few_unknown_and_goes_on_after_a_probe():
    simulation = Simulation(World(faults=Faults(outage=(100.0, 700.0))))
    jobs = [spec(n, "acedatacloud") for n in range(200)]
    tally = simulation.run(manifest(jobs, in_flight=200, creates_per_minute=30))
    assert tally.exit_code() == 4
    assert 3 <= tally.counts[State.UNKNOWN] <= 8
    assert tally.counts[State.STORED] == 200 - tally.counts[State.UNKNOWN]


def test_no_balance_stops_creates_and_what_is_paid_is_stored():
    simulation = Simulation(World(faults=Faults(balance=7)))
    tally = simulation.run(manifest([spec(n) for n in range(20)]))
    assert tally.exit_code() == 5
    assert tally.counts[State.STORED] == 7
    assert tally.counts[State.PLANNED] == 13
    assert len(simulation.creates()) <= 7 + 10, "one answer to each create that was on the wire"


def test_a_lost_reply_is_asked_for_again_with_the_same_key():
    simulation = Simulation(World(faults=Faults(lost_after=0.3, server_error_after=0.2)))
    tally = simulation.run(manifest([spec(n) for n in range(40)]))
    assert tally.exit_code() == 0
    assert len(simulation.world.tasks) == 40
    assert len(simulation.creates()) > 40


def test_without_keys_a_lost_reply_is_unknown_and_never_sent_again():
    simulation = Simulation(World(seed=3, faults=Faults(lost_after=0.1)))
    jobs = manifest([spec(n, "acedatacloud") for n in range(40)], probe_after=60.0)
    tally = simulation.run(jobs)
    assert tally.exit_code() == 4
    unknown = tally.counts[State.UNKNOWN]
    assert unknown > 0
    sent = len(simulation.creates())
    simulation.world.faults.lost_after = 0.0
    simulation.run(jobs)
    assert len(simulation.creates()) == sent + tally.counts[State.PLANNED]
