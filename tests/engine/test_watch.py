"""Watch: tasks are looked at until they are final, and only the provider's own word fails one."""

from __future__ import annotations

import itertools
import math

import anyio
import pytest

from orchestrator.engine.tally import Reason
from orchestrator.engine.watch import MISSING_FOR, is_watched
from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.states import LEGAL
from orchestrator.ledger.store import StoredFile
from orchestrator.providers.base import Reply
from orchestrator.providers.transport import Lost, NotSent
from tests.engine.campaigns import manifest, spec
from tests.engine.material import DAY, Bench, K, N, document, error, made, reply
from tests.engine.test_campaign import most_in_window
from tests.engine.test_submit import account

KINDS = pytest.mark.parametrize("name", [K, N])
#: Looks that tell nothing about any task.
TROUBLES = {
    "reset": Lost("the connection was reset"),
    "not sent": NotSent("no connection could be made"),
    "timed out": Lost("no reply came in time"),
    "429": error(429, "rate_limited", retry_after="5"),
    "500": error(500, "api_error"),
    "503": error(503, "public_api_disabled"),
    "403": error(403, "somewhere"),
    "302": Reply(302, {"location": "https://elsewhere.example.com/"}, b""),
    "no JSON": Reply(200, {}, b"<html>"),
    "cut JSON": Reply(200, {}, b'{"id": "to'),
    "a list": Reply(200, {}, b"[]"),
    "deep": Reply(200, {}, b"[" * 100_000),
    "surrogates": Reply(200, {}, b'{"error": {"code": "\\ud800", "message": "\\u001b[31m"}}'),
}


def watching(name, *views, looks=()):
    """A bench whose one create makes `told`, which stands as these documents say, in turn."""
    bench = Bench()
    wire = bench.wires[name]
    wire.creates.append(made(name, "told"))
    wire.looks.extend(looks)
    wire.views = {"told": list(views) or [document(name, "told", "succeeded")]}
    return bench


def opened(name, times=1):
    return [document(name, "told", "open")] * times


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@KINDS
def test_no_trouble_of_a_look_ever_fails_a_job(name, trouble):
    bench = watching(name, looks=[trouble] * 4)
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    assert len(bench.wires[name].sent) == 1


@KINDS
def test_a_look_that_says_the_key_is_wrong_ends_creates_and_goes_on_looking(name):
    code = {K: "api_key_revoked", N: "invalid_token"}[name]
    bench = watching(name, looks=[error(401, code)])
    tally = bench.run(manifest([spec(1, name), spec(2, name)], in_flight=1))
    assert bench.states() == {"job1": State.STORED, "job2": State.PLANNED}
    assert tally.exit_code() == 6


@KINDS
def test_the_first_look_and_the_longest_time_between_two_are_the_manifests(name):
    finished = document(name, "told", "succeeded")
    bench = watching(name, *opened(name, 3), finished)
    bench.run(manifest([spec(1, name)], poll_after=30.0, poll_every=70.0))
    first, *others = [at for at, _ in bench.wires[name].asked]
    created = bench.wires[name].times()[0]
    assert first - created == pytest.approx(30.0, abs=0.5)
    waits = [later - sooner for sooner, later in zip([first, *others], others, strict=False)]
    assert waits == pytest.approx([70.0] * 3, abs=0.5)


@pytest.mark.parametrize("trouble", [error(503, "public_api_disabled"), Lost("cut")])
def test_looks_that_meet_trouble_slow_down_for_the_whole_account(trouble):
    bench = watching(K, looks=[trouble] * 12)
    bench.run(manifest([spec(1)], poll_every=1.0))
    times = [at for at, _ in bench.wires[K].asked][:12]
    waits = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert waits[-1] >= 60
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60], abs=0.5)


def test_trouble_with_looks_does_not_hold_up_creates():
    bench = watching(K, looks=[error(429, "rate_limited", retry_after="300")])
    bench.run(manifest([spec(1), spec(2)], creates_per_minute=6.0))
    assert bench.wires[K].times()[1] < 60


@KINDS
def test_a_status_that_flaps_moves_nothing_back(name):
    odd = {
        K: {"id": "told", "status": "paused"},
        N: {"id": "told", "response": {"success": True, "data": [{"state": "paused"}]}},
    }[name]
    views = [*opened(name), odd, *opened(name), odd, document(name, "told", "succeeded")]
    bench = watching(name, *views)
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    assert bench.kinds() == ["intent", "reply", "accepted", "generated", "stored"]
    assert bench.notes("odd_status")[0]["status"] == "paused"


@KINDS
def test_success_and_failure_are_final_whatever_is_said_later(name):
    views = [document(name, "told", "failed"), document(name, "told", "succeeded")]
    bench = watching(name, *views)
    bench.run(manifest([spec(1, name)]))
    bench.run(manifest([spec(1, name)]))
    assert bench.row().state is State.FAILED
    assert len(bench.wires[name].asked) == 1


def test_what_had_succeeded_never_fails_and_is_left_to_a_person():
    bench = watching(K, document(K, "told", "succeeded"), document(K, "told", "failed"))
    bench.world.faults.download_expired = 1.0
    assert bench.run(manifest([spec(1)])).exit_code() == 3
    assert (bench.row().state, bench.row().needs_decision) == (State.GENERATED, True)
    assert bench.row().attempt.charge == 57.0


def test_a_task_that_is_not_known_yet_is_asked_for_again():
    bench = watching(K, looks=[error(404, "not_found")] * 20)
    assert bench.run(manifest([spec(1)])).exit_code() == 0
    assert len(bench.wires[K].sent) == 1


def test_an_empty_answer_is_neither_pending_nor_failed():
    bench = watching(N, looks=[reply(200, {})] * 20)
    assert bench.run(manifest([spec(1, N)])).exit_code() == 0
    assert len(bench.wires[N].sent) == 1


@KINDS
def test_an_id_that_stays_unknown_is_given_up_after_15_minutes_and_never_created_again(name):
    bench = watching(name, {})
    bench.wires[name].always = {K: error(404, "not_found"), N: reply(200, {})}[name]
    began = bench.now
    tally = bench.run(manifest([spec(1, name)]))
    assert tally.exit_code() == 3
    assert MISSING_FOR == 900
    assert bench.now - began == pytest.approx(900, abs=30)
    assert (bench.row().state, bench.row().needs_decision) == (State.SUBMITTED, True)
    assert account(bench, name).slots.held == 0
    assert len(bench.wires[name].sent) == 1


@KINDS
def test_a_task_that_does_not_end_frees_its_slot_and_the_next_run_looks_again(name):
    bench = watching(name, *opened(name))
    jobs = manifest([spec(1, name), spec(2, name)], in_flight=1, give_up_after=1000.0)
    bench.wires[name].creates.append(made(name, "second"))
    tally = bench.run(jobs)
    assert bench.states() == {"job1": State.SUBMITTED, "job2": State.STORED}
    assert bench.row("job1").needs_decision
    assert tally.exit_code() == 3
    assert "job1" in tally.reasons[Reason.UNFINISHED][0]
    bench.wires[name].views = {"told": [document(name, "told", "succeeded")]}
    assert bench.run(jobs).exit_code() == 0
    assert not bench.row("job1").needs_decision
    assert len(bench.wires[name].sent) == 2


def test_the_time_a_task_takes_counts_over_all_runs():
    bench = watching(K, *opened(K))
    jobs = manifest([spec(1)], give_up_after=1000.0)

    async def interrupt(campaign):
        await anyio.sleep(600)
        campaign.signalled(130)

    bench.run(jobs, beside=interrupt)
    began = bench.now
    assert bench.run(jobs).exit_code() == 3
    assert 300 < bench.now - began < 420


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_gives_no_task_up(jump):
    bench = watching(K, *opened(K, 30), document(K, "told", "succeeded"))

    async def leap(campaign):
        await anyio.sleep(60)
        bench.wall_shift += jump

    jobs = manifest([spec(1)], give_up_after=3600.0)
    assert bench.run(jobs, beside=leap).exit_code() == 0


def test_polls_ask_for_up_to_fifty_tasks_at_once():
    bench = Bench()
    bench.wires[N].views = {"none": [{}]}
    for number in range(120):
        bench.wires[N].creates.append(made(N, f"told_{number}"))
    jobs = [spec(number, N) for number in range(120)]
    tally = bench.run(
        manifest(jobs, in_flight=200, creates_per_minute=1e6, poll_after=60.0, poll_every=60.0)
    )
    assert tally.exit_code() == 0
    batches = [len(ids) for ids in bench.wires[N].asked_ids()]
    assert max(batches) == 50
    assert sum(batches) == 120
    assert len(batches) <= math.ceil(120 / 50) + 2
    assert all(b'"retrieve_batch"' in request.body for _, request in bench.wires[N].asked)


def test_a_provider_that_tells_one_task_at_a_time_is_asked_for_one():
    bench = Bench()
    bench.wires[K].views = {"none": [{}]}
    for number in range(20):
        bench.wires[K].creates.append(made(K, f"told_{number}"))
    bench.run(manifest([spec(number) for number in range(20)], in_flight=50))
    assert {len(ids) for ids in bench.wires[K].asked_ids()} == {1}


def test_one_ill_task_of_a_batch_leaves_the_others_alone():
    bench = Bench()
    wire = bench.wires[N]
    wire.creates.extend(made(N, f"told_{number}") for number in range(4))
    wire.views = {
        "told_0": [document(N, "told_0", "failed")],
        "told_1": [{"id": "told_1", "response": "?"}],
        "told_2": [document(N, "told_2", "succeeded")],
    }
    wire.views["told_1"].append(document(N, "told_1", "succeeded"))
    jobs = manifest([spec(n, N) for n in range(4)], creates_per_minute=1e6)
    assert bench.run(jobs).exit_code() == 1
    assert list(bench.states().values()) == [State.FAILED, *[State.STORED] * 3]


@KINDS
def test_polls_keep_their_limit_in_every_window(name):
    bench = Bench()
    bench.run(
        manifest(
            [spec(number, name) for number in range(60)],
            in_flight=60,
            creates_per_minute=1e6,
            polls_per_second=3.0,
            poll_every=1.0,
        )
    )
    times = [at for at, _ in bench.wires[name].asked]
    assert len(times) > 50
    assert most_in_window(times, 1.0) <= 3


def test_a_job_that_the_ledger_cannot_move_stops_creates_and_loses_nothing():
    bench = watching(K)

    def refuse(event):
        if event.kind == "generated":
            raise LedgerError("the disk is full")

    bench.ledger.before = refuse
    assert bench.run(manifest([spec(1)])).exit_code() == 7
    assert bench.row().state is State.SUBMITTED
    bench.ledger.before = None
    assert bench.run(manifest([spec(1)])).exit_code() == 0


@pytest.mark.parametrize("state", State)
def test_rows_with_a_task_that_is_paid_for_are_watched(state):
    assert is_watched(state) == (state in {State.SUBMITTED, State.GENERATED, State.QUARANTINED})


@pytest.mark.parametrize("answer", [error(401, "api_key_revoked"), Lost("no reply came in time")])
def test_a_run_whose_looks_all_fail_ends_after_give_up_after_and_can_be_resumed(answer):
    bench = watching(K)
    bench.wires[K].always = answer
    jobs = manifest([spec(1)])
    bench.run(jobs, within=DAY)
    assert bench.row().state is State.SUBMITTED
    bench.wires[K].always = None
    assert bench.run(jobs).exit_code() == 0


@KINDS
def test_one_look_that_leaves_an_old_task_out_does_not_give_it_up(name):
    views = [*opened(name, 120), None, document(name, "told", "succeeded")]
    bench = watching(name, *views)
    assert bench.run(manifest([spec(1, name)], poll_every=10.0)).exit_code() == 0


@pytest.mark.parametrize(
    "state",
    [
        State.STORED,
        pytest.param(State.QUARANTINED),
    ],
)
def test_what_waits_for_a_person_is_something_that_a_person_can_end(state):
    bench = Bench()
    jobs = manifest([spec(1)])
    bench.admit(jobs)
    bench.intend()
    bench.put("accepted", State.SUBMITTED, task_id="told", submitted_at=bench.wall())
    bench.put("generated", State.GENERATED)
    files = [StoredFile("videos/job1.mp4", 5, "a" * 64)] if state is State.STORED else None
    bench.put(state.value, state, files=files)
    bench.now += DAY
    bench.wires[K].always = error(404, "not_found")
    bench.run(jobs)
    assert bench.row().state is state
    assert not bench.row().needs_decision or State.FAILED in LEGAL[state]


class Unreadable:
    """A provider whose answers to looks its translator cannot read at first."""

    def __init__(self, inner):
        self.inner = inner
        self.times = 2

    def read_poll(self, task_ids, reply):
        self.times -= 1
        if self.times >= 0:
            raise ZeroDivisionError("a defect")
        return self.inner.read_poll(task_ids, reply)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_a_defect_in_reading_a_look_does_not_end_the_run():
    bench = watching(K)
    bench.providers[K] = Unreadable(bench.providers[K])
    bench.run(manifest([spec(1)]))
    assert bench.row().state is State.STORED


def many(number, *looks):
    """A bench with so many tasks, whose first looks are answered so."""
    bench = Bench()
    wire = bench.wires[N]
    wire.creates.extend(made(N, f"told_{n}") for n in range(number))
    wire.looks.extend(looks)
    wire.views = {"none": [{}]}
    tally = bench.run(
        manifest([spec(n, N) for n in range(number)], in_flight=100, creates_per_minute=1e6)
    )
    return tally, [len(ids) for ids in wire.asked_ids()]


def test_a_provider_that_refuses_batches_is_asked_for_one_task_at_a_time():
    tally, batches = many(10, *[error(400, "bad_request")] * 2)
    assert tally.exit_code() == 0
    assert batches[0] == 10
    assert set(batches[1:]) == {1}


def test_one_page_of_a_proxy_does_not_end_batches_for_the_night():
    tally, batches = many(40, *[Reply(200, {}, b"<html>maintenance</html>")] * 2)
    assert tally.exit_code() == 0
    assert len(batches) <= 10
