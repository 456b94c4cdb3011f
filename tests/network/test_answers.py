"""What providers say over real HTTP, and what the product makes of it."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import partial

import anyio
import pytest

from orchestrator.jobs import State
from tests.network.campaigns import K, N, jobs
from tests.network.conftest import one
from tests.network.hurry import hurried

BOTH = pytest.mark.parametrize("provider", [K, N])


def assert_stored_at_once(there, number=0):
    """The job is stored, and one create was sent for it."""
    (task,) = there.paid(number)
    row = there.here.row(f"job{number}")
    assert (row.state, row.attempt.task_id, row.attempt.number) == (State.STORED, task.id, 1)
    assert len(there.creates(number)) == 1


# --- asked to slow down -------------------------------------------------------------------------


def in_seconds(seconds):
    """A moment as a `Retry-After` states it, so many seconds from now."""
    return formatdate(time.time() + seconds, usegmt=True)


#: What a 429 says, and between which times the create goes out again, in seconds.
WAITS = [
    (None, 1, 30), ("0", 1, 30), ("7", 7, 40), ("2.5", 2.5, 30), ("-1", 1, 30), ("NaN", 1, 30),
    ("inf", 1, 30), ("soon", 1, 30), ("1e9", 300, 500), ("1000000000", 300, 500),
    (partial(in_seconds, -60), 1, 30), (partial(in_seconds, 100), 98, 200),
    (partial(in_seconds, 86_400), 300, 500),
]  # fmt: skip


@pytest.mark.parametrize(("text", "least", "most"), WAITS)
@BOTH
def test_retry_after_is_obeyed_where_it_makes_sense_and_for_five_minutes_at_most(
    provider, text, least, most, place
):
    text = text() if callable(text) else text
    said = "" if text is None else f', retry_after: "{text}"'
    faults = f"- {{on: create, nth: 1, do: {{status: 429{said}}}}}"

    async def night():
        async with place(faults=faults) as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            first, second = there.creates()
            assert least <= second.at - first.at < most
            (task,) = there.paid()
            row = there.here.row()
            assert (row.attempt.task_id, row.attempt.number) == (task.id, 1), "no new attempt"

    hurried(night, speed=400.0 if most > 100 else 100.0)


@BOTH
def test_a_retry_after_of_a_look_slows_looks_and_no_create(provider, place):
    faults = '- {on: poll, nth: 1, do: {status: 429, retry_after: "100"}}'

    async def night():
        async with place(faults=faults) as there:
            began = anyio.current_time()

            async def more(_campaign):
                await anyio.sleep(10)
                assert len(there.proxy.of("create")) == 3
                assert len(there.proxy.of("poll")) <= 3

            assert (await there.run(jobs(*[provider] * 3), beside=more)).exit_code() == 0
            assert anyio.current_time() - began >= 100

    hurried(night, speed=100.0)


# --- how a task stands --------------------------------------------------------------------------

FLAPS = [
    "[processing, queued, processing, queued]", "[moon, reviewing, queued]",
    "[queued, moon, moon, moon, processing]",
]  # fmt: skip


@pytest.mark.parametrize("flaps", FLAPS)
@BOTH
def test_a_status_that_flaps_or_is_unknown_is_looked_at_until_it_is_final(provider, flaps, place):
    async def night():
        async with place(faults=f"- {{on: task, do: {{flap: {flaps}}}}}") as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_stored_at_once(there)
            assert len(there.proxy.of("poll")) > flaps.count(",")
            odd = [line["status"] for line in there.here.told("odd_status")]
            assert odd.count("moon") <= 1, "an odd word is told once"

    hurried(night)


@BOTH
def test_what_is_stored_stays_stored_whatever_is_said_later(provider, place):
    async def night():
        async with place() as there:
            await there.run(one(0, provider))
            before = there.here.row()
            there.here.urls = dict.fromkeys(there.here.urls, "http://127.0.0.1:9/gone")
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert there.here.row() == before
            assert_stored_at_once(there)

    hurried(night)


@BOTH
def test_a_task_that_is_not_known_yet_is_asked_for_again_and_never_made_again(provider, place):
    async def night():
        async with place(faults="- {on: task, do: {missing: 0.3}}") as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_stored_at_once(there)
            assert len(there.proxy.of("poll")) > 2

    hurried(night)


@BOTH
def test_a_task_that_stays_unknown_is_left_to_a_person_after_a_quarter_of_an_hour(provider, place):
    async def night():
        async with place(faults="- {on: task, do: {missing: 60}}") as there:
            began = anyio.current_time()
            assert (await there.run(one(0, provider, poll_every=30.0))).exit_code() == 3
            assert 900 <= anyio.current_time() - began < 3000
            assert there.here.row().state is State.SUBMITTED
            assert [row.key for row in there.here.ledger.undecided()] == ["job0"]
            assert len(there.creates()) == 1

    hurried(night, speed=400.0)


# --- answers that go beyond what is documented --------------------------------------------------


def test_success_without_a_url_is_set_aside_and_looked_at_again_by_the_next_run(place):
    async def night():
        async with place(faults="- {on: task, nth: 1, do: no_url}") as there:
            assert (await there.run(jobs(K, K))).exit_code() == 1
            states = sorted(there.here.states().values())
            assert states == [State.QUARANTINED, State.STORED]
            looks = len(there.proxy.of("poll"))
            for _ in range(5):
                assert (await there.run(jobs(K, K))).exit_code() == 1
            assert len(there.proxy.of("poll")) == looks + 3, "three runs look, then nobody"
            assert len(there.proxy.of("create")) == 2

    hurried(night)


@BOTH
def test_all_videos_of_one_task_are_stored(provider, place):
    async def night():
        async with place(faults="- {on: task, do: {urls: 3}}") as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            videos = sorted(path.name for path in (there.here.path / "videos").glob("*.mp4"))
            assert videos == ["job0.2.mp4", "job0.3.mp4", "job0.mp4"]
            assert len({file.sha256 for file in there.here.row().files}) == 3

    hurried(night)


@BOTH
def test_two_jobs_that_are_given_one_task_are_both_set_aside_and_the_others_go_on(provider, place):
    faults = "- {on: task, nth: 3, do: duplicate}\n- {on: task, do: {latency: 0.5}}"

    async def night():
        async with place(faults=faults) as there:
            what = jobs(*[provider] * 5)
            for _ in range(2):
                assert (await there.run(what)).exit_code() == 1
                states = sorted(there.here.states().values())
                assert states == [State.QUARANTINED] * 2 + [State.STORED] * 3
            shared = [row for row in there.here.ledger.rows() if row.state is State.QUARANTINED]
            assert {row.attempt.error_code for row in shared} == {"task_id_shared"}
            assert len(there.proxy.of("create")) == 5, "nothing is paid for again"

    hurried(night)


@pytest.mark.parametrize(
    "what", ["text", "list", "nan", "duplicate", "surrogate", "deep", "endless"]
)
@BOTH
def test_a_job_whose_looks_make_no_sense_holds_up_no_other(provider, what, place):
    faults = f'- {{on: poll, match: "prompt 1", do: {{garbage: {what}}}}}'

    async def night():
        async with place(faults=faults) as there:
            there.here.urls = there.proxy.behind
            limits = {"give_up_after": 30.0, "poll_every": 5.0}
            assert (await there.run(one(0, provider, **limits))).exit_code() == 0
            assert (await there.run(jobs(*[provider] * 2, **limits))).exit_code() == 3
            assert there.here.states() == {"job0": State.STORED, "job1": State.SUBMITTED}
            assert len(there.paid(1)) == 1

    hurried(night, speed=200.0)
