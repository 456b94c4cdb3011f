"""The account: which job is created next, and when none may be."""

from __future__ import annotations

import math

import anyio
import pytest

from orchestrator.engine.account import DEAD_CHANNELS, Wait, is_new
from orchestrator.engine.tally import Reason
from orchestrator.jobs import State
from orchestrator.manifest.model import Budget as Caps
from orchestrator.manifest.model import Limits
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
    return [account.choose().row for _ in range(number)]


def test_jobs_come_in_the_manifests_order_whenever_they_were_added():
    async def work(account):
        enqueue(account, *(waiting(number) for number in (5, 1, 4)))
        first = account.choose().row
        enqueue(account, waiting(2))
        return [first, *chosen(account, 3)]

    assert with_account(work) == [1, 2, 4, 5]


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
        return account.choose()

    assert with_account(work) == Wait(math.inf)


@pytest.mark.parametrize("lack", ["slot", "room", "collected"])
def test_without_a_slot_or_room_or_while_results_pile_up_nothing_is_created(lack):
    async def work(account):
        enqueue(account, waiting(1))
        if lack == "slot":
            account.slots.take()
        account.run.no_room = lack == "room"
        account.backlog = 2 * 16 + 1 if lack == "collected" else 0
        before = account.choose()
        if lack == "slot":
            account.slots.give()
        account.run.no_room, account.backlog = False, 2 * 16
        return before, account.choose().row

    limits = Limits(in_flight=1, downloads=2)
    assert with_account(work, K, limits) == (Wait(math.inf), 1)


def test_a_wait_ends_when_something_changes_and_at_the_latest_in_its_time():
    async def work(account):
        account.choose()
        with anyio.fail_after(1.0):
            enqueue(account, waiting(1))
            await account.woken(Wait())
        account.choose()
        before = anyio.current_time()
        await account.woken(Wait(7.0))
        return anyio.current_time() - before

    assert with_account(work) == 7.0


def test_a_pause_after_unknown_creates_is_waited_for_and_one_probe_goes():
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        for row in range(3):
            account.unknowns.failed(row, anyio.current_time())
        before = account.choose()
        await anyio.sleep(300.0)
        probe = account.choose()
        account.unknowns.started(probe.row)
        return before, probe.row, account.choose()

    assert with_account(work) == (Wait(300.0), 1, Wait(math.inf))


def test_a_model_whose_channel_is_dead_does_not_hold_up_the_others():
    async def work(account):
        enqueue(account, waiting(1, N), waiting(2, N, model=I2V))
        for row in range(DEAD_CHANNELS):
            account.channel(f"{N}/minimax-t2v").failed(row, anyio.current_time())
        return account.choose().row, account.choose()

    assert with_account(work, N) == (2, Wait(300.0))


def test_five_probes_in_vain_end_the_creates_of_one_model_alone():
    async def work(account):
        enqueue(account, waiting(1, N), waiting(2, N, model=I2V), waiting(3, N))
        account.channel(f"{N}/minimax-t2v").probes = 5
        return account.choose().row, account.run.open_jobs, account.run.tally.reasons

    row, still_open, reasons = with_account(work, N)
    assert (row, still_open) == (2, 1)
    assert reasons == {Reason.UNFINISHED: [f"{N}/minimax-t2v: its channel stayed dead"]}


def test_creates_that_keep_ending_unknown_end_the_accounts_creates():
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        account.unknowns.probes = 5
        return account.choose(), account.run.open_jobs, account.run.tally.exit_code()

    assert with_account(work) == (Wait(math.inf), 0, 3)


@pytest.mark.parametrize("why", ["a stop", "a halt"])
def test_after_a_stop_or_a_halt_every_job_is_let_go(why):
    async def work(account):
        enqueue(account, waiting(1), waiting(2))
        if why == "a stop":
            account.run.stop(Reason.STOPPED, "a signal")
        else:
            account.halt(Reason.CREDENTIALS, "the key is revoked")
        return account.choose(), account.run.open_jobs

    assert with_account(work) == (Wait(math.inf), 0)


def test_a_halt_names_the_account_and_the_reason():
    async def work(account):
        account.halt(Reason.BUDGET, "no credits left")
        return account.run.tally.reasons

    assert with_account(work) == {Reason.BUDGET: ["rivya: no credits left"]}


def test_where_not_everything_fits_nothing_overtakes_what_comes_first():
    async def work(account):
        enqueue(account, waiting(1, estimate=80.0), waiting(2, estimate=10.0))
        return account.choose(), account.run.open_jobs, account.run.tally.reasons

    wait, still_open, reasons = with_account(work, caps=Caps({K: 50.0}))
    assert (wait, still_open) == (Wait(math.inf), 0)
    assert "job1" in reasons[Reason.BUDGET][0]


def test_while_a_task_is_open_it_may_turn_out_cheaper_and_the_next_one_waits():
    async def work(account):
        first = waiting(1, estimate=40.0)
        enqueue(account, first, waiting(2, estimate=40.0))
        assert account.choose() is first
        account.slots.take()
        first.has_slot, first.charge = True, 40.0
        account.run.budget.reserve(K, 40.0)
        before = account.choose(), account.run.open_jobs
        account.run.charge(first, 5.0)
        return before, account.choose().row

    assert with_account(work, caps=Caps({K: 50.0})) == ((Wait(math.inf), 2), 2)


def test_a_create_that_waited_through_the_beginning_of_a_pause_may_not_go():
    async def work(account):
        probe, other = waiting(1, N), waiting(2, N)
        before = account.may_send(other)
        for row in range(3):
            account.unknowns.failed(row, 0.0)
        account.unknowns.started(probe.row)
        return before, account.may_send(other), account.may_send(probe)

    assert with_account(work, N) == (True, False, True)


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


def test_a_slot_is_given_back_once_however_often_it_is_said():
    async def work(account):
        attempt = waiting(1, has_slot=True)
        account.slots.take()
        account.give_slot(attempt)
        account.give_slot(attempt)
        return account.slots.held

    assert with_account(work) == 0


def test_what_ends_without_a_word_leaves_its_slot_and_its_probes_to_others():
    async def work(account):
        attempt = waiting(1, N, has_slot=True)
        channel = account.channel(attempt.model_name)
        account.slots.take()
        for row in range(3):
            account.unknowns.failed(row, 0.0)
            channel.failed(row, 0.0)
        account.unknowns.started(1)
        channel.started(1)
        account.let_go(attempt)
        return account.slots.held, account.unknowns.probe, channel.probe

    assert with_account(work, N) == (0, None, None)


def test_a_model_without_jobs_does_not_shorten_the_wait_for_another():
    async def work(account):
        await anyio.sleep(1000.0)
        for model, at in (("minimax-t2v", 0.0), (I2V, 1000.0)):
            for row in range(DEAD_CHANNELS):
                account.channel(f"{N}/{model}").failed(row, at)
        enqueue(account, waiting(1, N, model=I2V))
        return account.choose()

    assert with_account(work, N) == Wait(300.0)
