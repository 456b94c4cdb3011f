"""A create's passage: the gate and the meter, without waiting where nothing is in the way."""

from __future__ import annotations

import anyio

from orchestrator.engine.wire.passage import Passage
from orchestrator.manifest.model import Limits
from tests.engine.material import K, account_of


async def test_nothing_in_the_way_is_passed_at_once():
    async with account_of(K, Limits(creates_per_minute=600)) as account:
        with Passage(account) as passage:
            assert passage.at_once()
            assert passage.place is not None
            assert account.gate.stands(passage.ticket)


async def test_trouble_and_a_full_window_have_to_be_waited_for():
    async with account_of(K, Limits(creates_per_minute=1)) as account:
        with Passage(account) as first:
            assert first.at_once()
            first.place.sent()
        with Passage(account) as second:
            assert not second.at_once(), "the window is full"
        account.gate.trouble(first.ticket)
        with Passage(account) as third:
            assert not third.at_once(), "the gate is closed"


async def test_a_place_that_was_not_used_is_free_for_the_next():
    async with account_of(K, Limits(creates_per_minute=1)) as account:
        with Passage(account) as first:
            assert first.at_once()
        with Passage(account) as second:
            assert second.at_once()


async def test_who_gives_up_waiting_leaves_no_place_taken():
    async with account_of(K, Limits(creates_per_minute=1)) as account:
        with Passage(account) as first:
            assert first.at_once()
            with anyio.move_on_after(0.01), Passage(account) as second:
                assert not second.at_once()
                await second.wait()
            assert second.place is None
        with Passage(account) as third:
            assert third.at_once()
