"""Whatever happens to a look at a task, only the provider's own word ends the task's job."""

from __future__ import annotations

import math

import anyio
import pytest

from orchestrator.jobs import State
from tests.network.campaigns import K, N
from tests.network.conftest import in_each_story, one, until
from tests.network.hurry import hurried
from tests.network.proxy import Fault, every, first, moved
from tests.storage.host import Host

BOTH = pytest.mark.parametrize("provider", [K, N])


def assert_stored_and_paid_once(there, number=0):
    (task,) = there.paid(number)
    row = there.here.row(f"job{number}")
    assert (row.state, row.attempt.task_id) == (State.STORED, task.id)
    assert len(there.creates(number)) == 1


@pytest.mark.parametrize(("end", "step"), [("closed", 11), ("reset", 29)])
@BOTH
def test_a_look_cut_after_any_byte_is_only_asked_again(provider, end, step, place):
    async def night():
        lengths = []
        whole = Fault(edit=lambda reply: lengths.append(len(reply)) or reply)
        async with place(every("poll", whole)) as shared:
            await shared.run(one(9999, provider))

            async def story(passed):
                cut = Fault(reply=passed, reset=end == "reset")
                async with place(first("poll", cut, cut), beside=shared) as there:
                    assert (await there.run(one(passed, provider))).exit_code() == 0
                    assert_stored_and_paid_once(there, passed)
                    assert len(there.proxy.of("poll")) == 3

            # Times in a reply take more or fewer digits.
            await in_each_story(range(0, min(lengths) - 20, step), story)

    hurried(night)


@BOTH
def test_a_look_that_never_reaches_the_provider_is_only_asked_again(provider, place):
    async def night():
        async with place() as shared:

            async def story(passed):
                cut = Fault(request=passed, reset=passed % 2 == 0)
                async with place(first("poll", cut), beside=shared) as there:
                    assert (await there.run(one(passed, provider))).exit_code() == 0
                    assert_stored_and_paid_once(there, passed)

            await in_each_story(range(0, 200, 13), story)

    hurried(night)


@BOTH
def test_a_look_that_is_never_answered_is_given_up_after_a_minute_and_asked_again(provider, place):
    async def night():
        async with place(first("poll", Fault(stall=math.inf))) as there:
            began = anyio.current_time()
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert 60 <= anyio.current_time() - began < 400
            assert_stored_and_paid_once(there)

    hurried(night, speed=100.0)


@BOTH
def test_a_look_that_drips_is_given_up_after_a_minute_and_asked_again(provider, place):
    async def night():
        async with place(first("poll", Fault(pieces=1, every=2.0))) as there:
            began = anyio.current_time()
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert 60 <= anyio.current_time() - began < 400
            assert_stored_and_paid_once(there)

    hurried(night, speed=100.0)


@BOTH
def test_a_provider_that_vanishes_between_two_looks_is_waited_for(provider, place):
    away = []

    def script(asked):
        return Fault(request=0, reset=True) if away and asked.on == "poll" else None

    async def night():
        async with place(script, faults="- {on: task, do: {latency: 0.2}}") as there:

            async def vanish(_campaign):
                await until(lambda: there.proxy.of("poll"))
                away.append(True)
                await there.proxy.close()
                await anyio.sleep(60)
                await there.proxy.open()
                away.clear()

            assert (await there.run(one(0, provider), beside=vanish)).exit_code() == 0
            assert there.here.told("poll_trouble")
            assert_stored_and_paid_once(there)

    hurried(night)


ODD = [
    "reset", "html", "empty", "cut: 20", "gzip: 9000000", "garbage: text", "garbage: list",
    "garbage: nan", "garbage: duplicate", "garbage: surrogate", "garbage: deep",
    "status: 400", "status: 404", "status: 408", "status: 409", "status: 418",
    "status: 429", "status: 500", "status: 502", "status: 503", "status: 504",
    "redirect: 302", "redirect: 307", "redirect: 308",
]  # fmt: skip


@pytest.mark.parametrize("what", ODD)
@BOTH
def test_an_odd_answer_to_a_look_fails_no_job(provider, what, place):
    action = f"{{{what}}}" if ":" in what else what
    faults = f"- {{on: poll, times: 3, do: {action}}}"

    async def night():
        async with place(faults=faults) as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_stored_and_paid_once(there)
            assert len(there.proxy.of("poll")) == 4

    hurried(night, speed=100.0)


@BOTH
def test_a_redirect_of_a_look_takes_the_key_nowhere(provider, place):
    async def night():
        async with Host() as elsewhere:
            target = elsewhere.url.partition("?")[0]
            rule = f'{{redirect: 307, to: "{target}"}}'
            async with place(faults=f"- {{on: poll, times: 2, do: {rule}}}") as there:
                assert (await there.run(one(0, provider))).exit_code() == 0
                assert_stored_and_paid_once(there)
        assert elsewhere.connections == 0

    hurried(night)


@BOTH
def test_the_answer_to_another_question_says_nothing_of_a_task(provider, place):
    """A cache on the way may answer a look with another task's success, or failure."""

    places = []

    def swapped(reply):
        (task,) = places[0].paid()
        return moved(reply, b'"id": "%s"' % task.id.encode(), b'"id": "task_of_somebody_else"')

    async def night():
        mixed_up = Fault(edit=swapped)
        async with place(first("poll", mixed_up, mixed_up)) as there:
            places.append(there)
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_stored_and_paid_once(there)
            assert len(there.proxy.of("poll")) == 3

    hurried(night)
