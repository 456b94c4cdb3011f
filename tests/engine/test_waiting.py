"""Waiting: which job is created next, and when none may be."""

from __future__ import annotations

import gc
import math

import anyio
import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.engine.account import DEAD_CHANNELS
from orchestrator.engine.attempt import OpenAttempt
from orchestrator.engine.tally import Reason
from orchestrator.engine.waiting import Wait
from orchestrator.ledger.store import Ended
from orchestrator.manifest.model import Budget as Caps
from orchestrator.manifest.model import Limits
from orchestrator.plan.plan import make_plan
from tests.engine.campaigns import manifest, spec
from tests.engine.material import K, N, account_of, waiting
from tests.engine.virtual import run_virtual

I2V = "minimax-i2v"


def with_account(work, *arguments, **options):
    """Run `work` over an account on its own, in virtual time."""

    async def alone():
        async with account_of(*arguments, **options) as account:
            return await work(account)

    return run_virtual(alone)


def enqueue(account, *attempts):
    for attempt in attempts:
        account.run.opened()
        account.enqueue(attempt)


def chosen(account, number):
    """The numbers of the next jobs to create."""
    return [account.waiting.choose().row for _ in range(number)]


def test_jobs_come_in_the_manifests_order_whenever_they_were_added():
    async def work(account):
        enqueue(account, *(waiting(number) for number in (5, 1, 4)))
        first = account.waiting.choose().row
        enqueue(account, waiting(2))
        return [first, *chosen(account, 3)]

    assert with_account(work) == [1, 2, 4, 5]


def planned(number, **changes):
    """The plan's job of this number, and what else `add_unsent` takes."""
    (entry,) = make_plan(manifest([spec(number, **changes)]), shipped()).entries
    return number, number, entry.job


def test_jobs_of_which_nothing_was_sent_stand_among_the_others():
    async def work(account):
        enqueue(account, waiting(4), waiting(2))
        for number in (5, 1, 3):
            account.run.opened()
            account.waiting.add_unsent(*planned(number))
        return chosen(account, 5)

    assert with_account(work) == [1, 2, 3, 4, 5]


def test_what_goes_back_to_its_place_goes_again_before_what_follows():
    async def work(account):
        for number in (1, 2, 3):
            account.run.opened()
            account.waiting.add_unsent(*planned(number))
        first = account.waiting.choose()
        account.enqueue(first)
        return account.waiting.choose() is first, chosen(account, 2)

    assert with_account(work) == (True, [2, 3])


def test_of_jobs_that_wait_only_the_first_of_each_kind_is_an_attempt():
    async def work(account):
        for number in range(30):
            account.run.opened()
            model = "sora-2-pro" if number % 3 else "hailuo-pro"
            account.waiting.add_unsent(*planned(number, model=model))
        gc.collect()
        before = {id(one) for one in gc.get_objects() if isinstance(one, OpenAttempt)}
        account.slots.most = 0
        assert account.waiting.choose() == Wait()
        return [
            one
            for one in gc.get_objects()
            if isinstance(one, OpenAttempt) and id(one) not in before
        ]

    assert len(with_account(work)) == 2


def test_what_was_chosen_takes_no_part_of_the_budget_that_the_longest_first_needs():
    async def work(account):
        for model, seconds in (("hailuo-pro", 60.0), ("sora-2-pro", 180.0)):
            account.pace.remember([Ended(f"{K}/{model}", {}, seconds)] * 12)
        enqueue(account, *map(waiting, (1, 2, 3)), waiting(4, model="sora-2-pro"))
        return chosen(account, 4)

    assert with_account(work, caps=Caps(jobs=6)) == [1, 4, 2, 3]


def test_models_share_the_order():
    async def work(account):
        enqueue(account, waiting(2, N), waiting(1, N, model=I2V), waiting(3, N, model=I2V))
        return chosen(account, 3)

    assert with_account(work, N) == [1, 2, 3]


def test_a_job_without_a_place_in_the_manifest_comes_last():
    async def work(account):
        lost = waiting(1)
        lost.position = None
        enqueue(account, lost, waiting(2))
        return chosen(account, 2)

    assert with_account(work) == [2, 1]


def test_nothing_to_create_means_waiting_for_a_change():
    async def work(account):
        return account.waiting.choose()

    assert with_account(work) == Wait(math.inf)


@pytest.mark.parametrize("lack", ["slot", "room", "collected"])
def test_without_a_slot_or_room_or_while_results_pile_up_nothing_is_created(lack):
    async def work(account):
        enqueue(account, waiting(1))
        if lack == "slot":
            account.slots.take()
        account.run.no_room = lack == "room"
        account.backlog = 2 * 16 + 1 if lack == "collected" else 0
        before = account.waiting.choose()
        if lack == "slot":
            account.slots.give()
        account.run.no_room, account.backlog = False, 2 * 16
        return before, account.waiting.choose().row

    limits = Limits(in_flight=1, downloads=2)
    assert with_account(work, K, limits) == (Wait(math.inf), 1)


def test_a_wait_ends_when_something_changes_and_at_the_latest_in_its_time():
    async def work(account):
        account.waiting.choose()
        with anyio.fail_after(1.0):
            enqueue(account, waiting(1))
            await account.waiting.woken(Wait())
        account.waiting.choose()
        before = anyio.current_time()
        await account.waiting.woken(Wait(7.0))
        return anyio.current_time() - before

    assert with_account(work) == 7.0


def test_a_pause_after_unknown_creates_is_waited_for_and_one_probe_goes():
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        for row in range(3):
            account.unknowns.failed(row, anyio.current_time())
        before = account.waiting.choose()
        await anyio.sleep(300.0)
        probe = account.waiting.choose()
        account.unknowns.started(probe.row)
        return before, probe.row, account.waiting.choose()

    assert with_account(work) == (Wait(300.0), 1, Wait(math.inf))


def test_a_model_whose_channel_is_dead_does_not_hold_up_the_others():
    async def work(account):
        enqueue(account, waiting(1, N), waiting(2, N, model=I2V))
        for row in range(DEAD_CHANNELS):
            account.channel(f"{N}/minimax-t2v").failed(row, anyio.current_time())
        return account.waiting.choose().row, account.waiting.choose()

    assert with_account(work, N) == (2, Wait(300.0))


def test_five_probes_in_vain_end_the_creates_of_one_model_alone():
    async def work(account):
        enqueue(account, waiting(1, N), waiting(2, N, model=I2V), waiting(3, N))
        account.channel(f"{N}/minimax-t2v").probes = 5
        return account.waiting.choose().row, account.run.open_jobs, account.run.tally.reasons

    row, still_open, reasons = with_account(work, N)
    assert (row, still_open) == (2, 1)
    assert reasons == {Reason.UNFINISHED: [f"{N}/minimax-t2v: its channel stayed dead"]}


def test_creates_that_keep_ending_unknown_end_the_accounts_creates():
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        account.unknowns.probes = 5
        return account.waiting.choose(), account.run.open_jobs, account.run.tally.exit_code()

    assert with_account(work) == (Wait(math.inf), 0, 3)


@pytest.mark.parametrize("why", ["a stop", "a halt"])
def test_after_a_stop_or_a_halt_every_job_is_let_go(why):
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        account.run.opened()
        account.waiting.add_unsent(*planned(3))
        if why == "a stop":
            account.run.stop(Reason.STOPPED, "a signal")
        else:
            account.halt(Reason.CREDENTIALS, "the key is revoked")
        return account.waiting.choose(), account.run.open_jobs

    assert with_account(work) == (Wait(math.inf), 0)


def test_where_not_everything_fits_nothing_overtakes_what_comes_first():
    async def work(account):
        enqueue(account, waiting(1, estimate=80.0), waiting(2, estimate=10.0))
        return account.waiting.choose(), account.run.open_jobs, account.run.tally.reasons

    wait, still_open, reasons = with_account(work, caps=Caps({K: 50.0}))
    assert (wait, still_open) == (Wait(math.inf), 0)
    assert "job1" in reasons[Reason.BUDGET][0]


def test_while_a_task_is_open_it_may_turn_out_cheaper_and_the_next_one_waits():
    async def work(account):
        first = waiting(1, estimate=40.0)
        enqueue(account, first, waiting(2, estimate=40.0))
        assert account.waiting.choose() is first
        account.slots.take()
        first.has_slot, first.charge = True, 40.0
        account.run.budget.reserve(K, 40.0)
        before = account.waiting.choose(), account.run.open_jobs
        account.run.charge(first, 5.0)
        return before, account.waiting.choose().row

    assert with_account(work, caps=Caps({K: 50.0})) == ((Wait(math.inf), 2), 2)


def test_a_model_without_jobs_does_not_shorten_the_wait_for_another():
    async def work(account):
        await anyio.sleep(1000.0)
        for model, at in (("minimax-t2v", 0.0), (I2V, 1000.0)):
            for row in range(DEAD_CHANNELS):
                account.channel(f"{N}/{model}").failed(row, at)
        enqueue(account, waiting(1, N, model=I2V))
        return account.waiting.choose()

    assert with_account(work, N) == Wait(300.0)


def add_unsent(account, *jobs):
    for job in jobs:
        account.run.opened()
        account.waiting.add_unsent(*job)


def test_what_was_never_sent_counts_with_its_retries_against_a_cap():
    async def work(account):
        for model, seconds in (("hailuo-pro", 60.0), ("sora-2-pro", 180.0)):
            account.pace.remember([Ended(f"{K}/{model}", {}, seconds)] * 12)
        add_unsent(account, planned(1, retries=2), planned(2, retries=2))
        add_unsent(account, planned(3, model="sora-2-pro"))
        return chosen(account, 1)

    assert with_account(work, caps=Caps(jobs=14)) == [3]
    assert with_account(work, caps=Caps(jobs=13)) == [1], "the manifest's order decides"


def test_what_is_dropped_waits_no_more():
    async def work(account):
        add_unsent(account, planned(1), planned(2))
        assert len(account.waiting) == 2
        account.run.stop(Reason.STOPPED, "enough")
        account.waiting.choose()
        return len(account.waiting)

    assert with_account(work) == 0


def test_an_attempt_knows_its_jobs_place_in_the_manifest():
    async def work(account):
        add_unsent(account, planned(1), planned(2))
        return [account.waiting.choose().position for _ in range(2)]

    assert with_account(work) == [1, 2]
