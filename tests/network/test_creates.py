"""A create is paid at most once, wherever the way to the provider breaks.

K is a provider that honours an idempotency key, N one that has none. The provider's own table of
paid tasks is what each story is held against.
"""

from __future__ import annotations

import math
import socket

import anyio
import pytest

from orchestrator.jobs import State
from tests.network.campaigns import CANARY, K, N
from tests.network.conftest import in_each_story, one, until
from tests.network.hurry import hurried
from tests.network.proxy import Fault, first
from tests.providers.wire import closed_port
from tests.storage.host import Host

BOTH = pytest.mark.parametrize("provider", [K, N])


async def reply_length(place, provider):
    """How long a create's reply is, head and body."""
    lengths = []
    whole = Fault(edit=lambda reply: lengths.append(len(reply)) or reply)
    async with place(first("create", whole)) as there:
        await there.run(one(0, provider))
    return lengths[0]


def assert_paid_once_and_known(there, number, sends):
    """One task was made, its id is in the ledger, and all its creates were the same."""
    creates = there.creates(number)
    assert len(creates) == sends
    assert len({(asked.headers.get("idempotency-key"), asked.body) for asked in creates}) == 1
    (task,) = there.paid(number)
    row = there.here.row(f"job{number}")
    assert (row.state, row.attempt.task_id, row.attempt.number) == (State.STORED, task.id, 1)


async def assert_unknown_and_left_alone(there, number, provider, made):
    """The job waits for a person, and no later run sends it again."""
    row = there.here.row(f"job{number}")
    assert row.state is State.UNKNOWN
    assert [undecided.row for undecided in there.here.ledger.undecided()] == [row.row]
    assert (await there.run(one(number, provider))).exit_code() == 4
    assert len(there.proxy.of("create")) == 1
    assert len(there.paid(number)) == made


# --- a reply that is cut ------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "step"), [("closed", 1), ("reset", 9)])
@BOTH
def test_a_reply_cut_after_any_byte_pays_once(provider, end, step, place):
    async def night():
        whole = await reply_length(place, provider)
        async with place() as shared:

            async def story(passed):
                fault = Fault(reply=passed, reset=end == "reset")
                async with place(first("create", fault), beside=shared) as there:
                    tally = await there.run(one(passed, provider))
                    if passed == whole:
                        assert_paid_once_and_known(there, passed, sends=1)
                    elif provider == K:
                        assert tally.exit_code() == 0
                        assert_paid_once_and_known(there, passed, sends=2)
                    else:
                        assert tally.exit_code() == 4
                        await assert_unknown_and_left_alone(there, passed, provider, made=1)

            last = whole if end == "closed" else whole - 1
            await in_each_story(range(0, last + 1, step), story)

    hurried(night)


@BOTH
def test_a_request_cut_after_any_byte_makes_nothing_and_is_not_taken_for_unsent(provider, place):
    async def night():
        async with place() as shared:
            await shared.run(one(999, provider))
            whole = len(shared.proxy.of("create")[0].raw)

            async def story(passed):
                fault = Fault(request=passed, reset=passed % 2 == 0)
                async with place(first("create", fault), beside=shared) as there:
                    await there.run(one(passed, provider))
                    if provider == K:
                        assert_paid_once_and_known(there, passed, sends=2)
                    else:
                        await assert_unknown_and_left_alone(there, passed, provider, made=0)

            await in_each_story([*range(0, whole - 5, 11), *range(whole - 5, whole)], story)

    hurried(night)


@BOTH
def test_a_reply_that_never_comes_is_waited_for_and_then_as_good_as_cut(provider, place):
    async def night():
        async with place(first("create", Fault(stall=math.inf))) as there:
            began = anyio.current_time()
            await there.run(one(0, provider, create_timeout=600.0))
            assert 600 <= anyio.current_time() - began < 2000
            if provider == K:
                assert_paid_once_and_known(there, 0, sends=2)
            else:
                await assert_unknown_and_left_alone(there, 0, provider, made=1)

    hurried(night, speed=400.0)


def test_of_many_cuts_in_a_row_each_resend_is_the_same_create(place):
    async def night():
        cuts = [Fault(reply=10 * number, reset=number % 2 == 0) for number in range(8)]
        async with place(first("create", *cuts)) as there:
            tally = await there.run(one(0, K))
            assert tally.exit_code() == 0
            assert_paid_once_and_known(there, 0, sends=9)

    hurried(night, speed=200.0)


# --- a request that never left ------------------------------------------------------------------


@BOTH
def test_a_port_that_refuses_is_tried_until_it_opens_and_one_create_is_sent(provider, place):
    async def night():
        async with place() as there:
            await there.proxy.close()

            async def open_later(_campaign):
                await anyio.sleep(30)
                await there.proxy.open()

            tally = await there.run(one(0, provider), beside=open_later)
            assert tally.exit_code() == 0
            assert len(there.here.told("trouble")) > 2
            assert_paid_once_and_known(there, 0, sends=1)

    hurried(night)


@BOTH
def test_a_name_that_cannot_be_resolved_is_tried_until_it_can_and_one_create_is_sent(
    provider, place, monkeypatch
):
    resolve, asked = socket.getaddrinfo, []

    def forgetful(host, *rest, **options):
        if host == "localhost":
            asked.append(host)
            if len(asked) <= 3:
                raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return resolve(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", forgetful)

    async def night():
        async with place() as there:
            there.here.urls = {
                name: url.replace("127.0.0.1", "localhost") for name, url in there.here.urls.items()
            }
            tally = await there.run(one(0, provider))
            assert tally.exit_code() == 0
            assert len(there.here.told("trouble")) == 3
            assert_paid_once_and_known(there, 0, sends=1)

    hurried(night)


@BOTH
def test_tls_that_fails_sends_nothing_and_a_later_run_sends_once(provider, place):
    async def night():
        async with place() as there:
            plain = there.here.urls

            async def give_up(campaign):
                await until(lambda: len(there.here.told("trouble")) >= 3)
                campaign.signalled(130)

            there.here.urls = {name: url.replace("http:", "https:") for name, url in plain.items()}
            tally = await there.run(one(0, provider), beside=give_up)
            assert tally.exit_code() == 130
            assert there.here.row().state is State.PLANNED
            assert all(CANARY.encode() not in asked.raw for asked in there.proxy.asked)
            there.here.urls = plain
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_paid_once_and_known(there, 0, sends=1)

    hurried(night, speed=100.0)


@BOTH
def test_a_connection_that_is_reset_as_soon_as_it_is_made_never_leads_to_two_tasks(provider, place):
    async def night():
        async with place() as there:
            there.proxy.slammed = 1
            await there.run(one(0, provider))
            if provider == K or there.here.row().state is State.STORED:
                assert_paid_once_and_known(there, 0, sends=1)
            else:
                assert there.proxy.of("create") == []
                assert there.here.row().state is State.UNKNOWN

    hurried(night)


# --- replies of something on the way ------------------------------------------------------------


@pytest.mark.parametrize("made", ["true", "false"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@BOTH
def test_a_servers_error_may_hide_a_task_and_never_makes_two(provider, status, made, place):
    faults = f"- {{on: create, nth: 1, do: {{status: {status}, made: {made}}}}}"

    async def night():
        async with place(faults=faults) as there:
            await there.run(one(0, provider))
            if provider == K:
                assert_paid_once_and_known(there, 0, sends=2)
            else:
                await assert_unknown_and_left_alone(there, 0, provider, made=made == "true")

    hurried(night)


@pytest.mark.parametrize("made", ["true", "false"])
@pytest.mark.parametrize(
    "what", ["html", "empty", "garbage: text", "garbage: list", "garbage: nan", "garbage: deep"]
)
@BOTH
def test_a_success_that_names_no_task_may_hide_one_and_never_makes_two(provider, what, made, place):
    action = f"{{{what}{'' if ':' in what else ':'}, made: {made}}}"

    async def night():
        async with place(faults=f"- {{on: create, nth: 1, do: {action}}}") as there:
            await there.run(one(0, provider))
            if provider == K:
                assert_paid_once_and_known(there, 0, sends=2)
            else:
                await assert_unknown_and_left_alone(there, 0, provider, made=made == "true")

    hurried(night)


@BOTH
def test_a_reply_without_an_end_is_read_up_to_a_cap_and_as_good_as_cut(provider, place):
    faults = "- {on: create, nth: 1, do: {garbage: endless, made: true}}"

    async def night():
        async with place(faults=faults) as there:
            there.here.urls = there.proxy.behind
            tally = await there.run(one(0, provider))
            assert tally.exit_code() == (0 if provider == K else 4)
            assert len(there.paid()) == 1
            creates = [request for request in there.sandbox.requests if request.on == "create"]
            assert len(creates) == (2 if provider == K else 1)

    hurried(night)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@BOTH
def test_a_redirect_of_a_create_is_not_followed_and_may_have_made_a_task(provider, status, place):
    async def night():
        async with Host() as elsewhere:
            target = elsewhere.url.partition("?")[0]
            rule = f'{{redirect: {status}, to: "{target}", made: true}}'
            async with place(faults=f"- {{on: create, nth: 1, do: {rule}}}") as there:
                await there.run(one(0, provider))
                if provider == K:
                    assert_paid_once_and_known(there, 0, sends=2)
                else:
                    await assert_unknown_and_left_alone(there, 0, provider, made=1)
        assert elsewhere.connections == 0

    hurried(night)


@BOTH
def test_nothing_listens_and_the_job_stays_planned(provider, place):
    async def night():
        async with place() as there:
            where = f"http://127.0.0.1:{closed_port()}"
            there.here.urls = {name: f"{where}/{name}" for name in there.here.urls}
            tally = await there.run(one(0, provider, give_up_after=100.0))
            assert tally.exit_code() == 3
            assert there.here.row().state is State.PLANNED
            assert there.paid() == []

    hurried(night, speed=200.0)
