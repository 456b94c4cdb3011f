"""The account: its slots, its pauses and its end."""

from __future__ import annotations

from orchestrator.engine.tally import Reason
from tests.engine.material import N, account_of, waiting
from tests.engine.virtual import run_virtual


def with_account(work, *arguments, **options):
    """Run `work` over an account on its own, in virtual time."""

    async def alone():
        async with account_of(*arguments, **options) as account:
            return await work(account)

    return run_virtual(alone)


def test_a_halt_names_the_account_and_the_reason():
    async def work(account):
        account.halt(Reason.BUDGET, "no credits left")
        return account.run.tally.reasons

    assert with_account(work) == {Reason.BUDGET: ["rivya: no credits left"]}


def test_a_create_that_waited_through_the_beginning_of_a_pause_may_not_go():
    async def work(account):
        probe, other = waiting(1, N), waiting(2, N)
        before = account.may_send(other)
        for row in range(3):
            account.unknowns.failed(row, 0.0)
        account.unknowns.started(probe.row)
        return before, account.may_send(other), account.may_send(probe)

    assert with_account(work, N) == (True, False, True)


def test_a_create_that_waited_while_its_bound_fell_below_what_is_held_may_not_go():
    async def work(account):
        for _ in range(3):
            account.slots.take()
        found = []
        for most in (4, 3, 2):
            account.slots.most = most
            found.append(account.may_send(waiting(1, N)))
        return found

    assert with_account(work, N) == [True, True, False]


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
