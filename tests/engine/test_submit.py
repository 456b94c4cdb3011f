"""Submit: what becomes of a create, by what came back, for both kinds of provider.

K honours an idempotency key, N has none.
"""

from __future__ import annotations

import json

import anyio
import pytest

from orchestrator.engine.submit import UNKNOWN_HOLDS_SLOT
from orchestrator.engine.wire.send import RESEND_WINDOW
from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.manifest.model import Budget as Caps
from orchestrator.providers.base import Reply
from orchestrator.providers.transport import Lost, NotSent
from tests.engine.campaigns import manifest, spec
from tests.engine.material import (
    DAY,
    Bench,
    K,
    N,
    after,
    document,
    error,
    made,
    reply,
    stands,
)

#: What tells nothing of whether a task was made: a resend for K, `unknown` for N.
UNCLEAR = {
    "lost": Lost("the connection was reset"),
    "timed out": Lost("no reply came in time"),
    "500": error(500, "api_error"),
    "502 without JSON": Reply(502, {}, b"<html>bad gateway</html>"),
    "503": error(503, "public_api_disabled"),
    "504": error(504, "timeout"),
    "307": Reply(307, {"location": "https://elsewhere.example.com/"}, b""),
    "308": Reply(308, {"location": "/api/v2/generations"}, b""),
    "408": error(408, "timeout"),
    "200 without a task": reply(200, {"success": True}),
    "200 that is cut": Reply(200, {}, b'{"id": "task_'),
    "200 with nothing": Reply(200, {}, b""),
    "200 that nests too deeply": Reply(200, {}, b"[" * 100_000),
}
#: What the providers' tables list as nothing made, and their class of error.
REJECTED = [
    (K, error(400, "validation_failed"), "rejected"),
    (K, error(404, "not_found"), "rejected"),
    (N, error(400, "bad_request"), "rejected"),
    (N, error(403, "forbidden"), "refused"),
]
#: Trouble of the whole account, and the exit code it ends a run with.
HALTED = [
    (K, error(401, "api_key_revoked"), 6),
    (K, error(403, "api_scope_denied"), 6),
    (K, error(402, "insufficient_credits"), 5),
    (N, error(401, "invalid_token"), 6),
    (N, error(403, "used_up"), 5),
    (N, error(403, "disabled"), 6),
]
KINDS = pytest.mark.parametrize("name", [K, N])


def account(bench, name):
    return next(found for found in bench.campaign.accounts if found.provider.name == name)


def charged(bench, name):
    """What the budget of the latest run counted at its end; it has to be what the ledger counts."""
    spend = bench.ledger.spend()
    counted = account(bench, name).run.budget.charged.get(name, 0.0)
    assert counted == (spend[name].charge if name in spend else 0.0)
    return counted


@KINDS
def test_a_task_id_makes_it_submitted_and_the_raw_reply_is_kept(name):
    bench = Bench()
    bench.wires[name].creates.append(made(name, "told_77"))
    bench.wires[name].looks.append(stands(name, "told_77", "succeeded"))
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    attempt = bench.row().attempt
    assert attempt.task_id == "told_77"
    assert "told_77" in json.loads(attempt.reply)["body"]
    assert bench.kinds()[:3] == ["intent", "reply", "accepted"]
    assert account(bench, name).slots.held == 0


@KINDS
def test_the_intent_is_durable_before_anything_is_sent(name):
    bench, seen = Bench(), []

    async def look(request):
        row = bench.row()
        attempt = row.attempt
        seen.append((row.state, attempt.body == request.body, attempt.estimated, attempt.charge))
        return made(name, "told_77")

    bench.wires[name].creates.append(look)
    bench.wires[name].looks.append(stands(name, "told_77", "succeeded"))
    price = {K: 57.0, N: 0.9}[name]
    bench.run(manifest([spec(1, name)], prices={N: 0.9}))
    assert seen == [(State.SUBMITTING, True, price, price)]


@KINDS
def test_an_intent_that_is_not_durable_sends_nothing(name):
    bench = Bench()

    def refuse(event):
        if event.kind == "intent":
            raise LedgerError("the disk is full")

    bench.ledger.before = refuse
    tally = bench.run(manifest([spec(1, name), spec(2, name)]))
    assert tally.exit_code() == 7
    assert bench.wires[name].sent == []
    assert bench.notes("defect") == []
    assert charged(bench, name) == 0.0
    assert account(bench, name).slots.held == 0


@pytest.mark.parametrize(("name", "answer", "kind"), REJECTED)
def test_what_the_provider_refuses_has_failed_and_costs_nothing(name, answer, kind):
    bench = Bench()
    bench.wires[name].creates.append(answer)
    tally = bench.run(manifest([spec(1, name)], prices={N: 0.9}))
    attempt = bench.row().attempt
    assert bench.row().state is State.FAILED
    assert (attempt.error_class, attempt.charge) == (kind, 0.0)
    assert tally.exit_code() == 1
    assert len(bench.wires[name].sent) == 1
    assert (charged(bench, name), account(bench, name).slots.held) == (0.0, 0)


@pytest.mark.parametrize(("name", "answer", "kind"), REJECTED)
def test_what_is_refused_is_not_tried_again_whatever_retries_say(name, answer, kind):
    bench = Bench()
    bench.wires[name].creates.append(answer)
    bench.run(manifest([spec(1, name, retries=3)]))
    assert len(bench.wires[name].sent) == 1


@KINDS
def test_after_429_the_same_attempt_is_sent_again_when_the_wait_is_over(name):
    bench = Bench()
    code = {K: "rate_limited", N: "too_many_requests"}[name]
    bench.wires[name].creates.append(error(429, code, retry_after="40"))
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    first, second = bench.wires[name].times()
    assert second - first >= 40
    assert bench.kinds()[:4] == ["intent", "reply", "returned", "intent"]
    assert bench.row().attempt.number == 1


@KINDS
def test_after_429_the_job_stands_where_nothing_was_sent(name):
    bench = Bench()
    code = {K: "rate_limited", N: "too_many_requests"}[name]
    bench.wires[name].creates.append(error(429, code, retry_after="300"))

    async def interrupt(campaign):
        await anyio.sleep(60)
        campaign.signalled(130)

    jobs = manifest([spec(1, name)], prices={N: 0.9})
    assert bench.run(jobs, beside=interrupt).exit_code() == 130
    assert bench.row().state is State.PLANNED
    assert (bench.row().attempt.charge, charged(bench, name)) == (0.0, 0.0)
    assert account(bench, name).slots.held == 0


@pytest.mark.parametrize(("name", "answer", "code"), HALTED)
def test_trouble_of_the_account_leaves_its_jobs_planned(name, answer, code):
    bench = Bench()
    bench.wires[name].creates.append(answer)
    jobs = manifest([spec(n, name) for n in range(5)], in_flight=1, prices={N: 0.9})
    assert bench.run(jobs).exit_code() == code
    assert set(bench.states().values()) == {State.PLANNED}
    assert len(bench.wires[name].sent) == 1
    assert (charged(bench, name), account(bench, name).slots.held) == (0.0, 0)


def test_trouble_of_one_account_is_not_another_ones():
    bench = Bench()
    bench.wires[K].creates.append(error(401, "api_key_invalid"))
    tally = bench.run(manifest([spec(1, K), spec(2, N)]))
    assert tally.exit_code() == 6
    assert bench.states() == {"job1": State.PLANNED, "job2": State.STORED}


@KINDS
def test_what_provably_never_left_is_sent_again(name):
    bench = Bench()
    bench.wires[name].creates.extend([NotSent("the host name cannot be resolved")] * 5)
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    assert len(bench.wires[name].sent) == len(bench.world.tasks) == 1
    assert bench.kinds().count("returned") == 5


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_create_is_sent_again_with_its_key_and_its_bytes(answer):
    bench = Bench()
    bench.wires[K].creates.append(answer)
    assert bench.run(manifest([spec(1, K)])).exit_code() == 0
    wire = bench.wires[K]
    assert len(wire.sent) == 2
    assert len(set(wire.keys())) == len(set(wire.bodies())) == 1
    assert bench.row().attempt.number == 1
    assert "resend" in bench.kinds()
    assert account(bench, K).slots.held == 0


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_create_without_a_key_is_unknown_and_never_sent_again(answer):
    bench = Bench()
    bench.wires[N].creates.append(answer)
    jobs = manifest([spec(1, N)], prices={N: 0.9})
    assert bench.run(jobs).exit_code() == 4
    assert bench.row().state is State.UNKNOWN
    assert bench.row().needs_decision
    assert charged(bench, N) == 0.9, "it may have been paid"
    bench.now += DAY
    assert bench.run(jobs).exit_code() == 4
    assert len(bench.wires[N].sent) == 1


def test_a_conflict_of_keys_is_unknown_and_not_asked_again():
    bench = Bench()
    bench.wires[K].creates.append(error(409, "idempotency_conflict"))
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    assert bench.row().state is State.UNKNOWN
    assert len(bench.wires[K].sent) == 1


def test_a_code_that_no_table_lists_is_unknown():
    bench = Bench()
    bench.wires[K].creates.append(error(422, "moon_phase"))
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    assert bench.row().attempt.error_code == "moon_phase"


def test_a_create_is_repeated_for_an_hour_and_then_unknown():
    bench = Bench()
    bench.wires[K].creates.extend([error(503, "public_api_disabled")] * 1000)
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    times = bench.wires[K].times()
    assert RESEND_WINDOW - 120 < times[-1] - times[0] <= RESEND_WINDOW
    assert len(set(bench.wires[K].keys())) == 1
    assert len(times) < 70
    assert bench.row().attempt.error_code == "resend_window"


def test_the_hour_counts_by_the_wall_clock_which_may_jump():
    bench = Bench()

    async def jump(request):
        bench.wall_shift += RESEND_WINDOW
        raise Lost("the connection was reset")

    bench.wires[K].creates.append(jump)
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    assert len(bench.wires[K].sent) == 1


def test_after_the_clock_went_back_nothing_is_sent_again():
    bench = Bench()

    async def jump(request):
        bench.wall_shift -= 10.0
        raise Lost("the connection was reset")

    bench.wires[K].creates.append(jump)
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    assert len(bench.wires[K].sent) == 1


def test_429_to_a_resend_does_not_mean_that_nothing_was_made():
    bench = Bench()
    bench.wires[K].creates.extend([Lost("cut"), error(429, "rate_limited", retry_after="3600")])

    async def interrupt(campaign):
        await anyio.sleep(100)
        campaign.signalled(130)

    bench.run(manifest([spec(1, K)]), beside=interrupt)
    assert bench.row().state is State.SUBMITTING
    assert charged(bench, K) == 57.0


@pytest.mark.parametrize("answer", [NotSent("refused"), error(429, "rate_limited")])
def test_a_resend_that_did_not_get_through_keeps_its_key(answer):
    bench = Bench()
    bench.wires[K].creates.extend([Lost("cut"), answer])
    assert bench.run(manifest([spec(1, K)])).exit_code() == 0
    assert len(set(bench.wires[K].keys())) == 1


def test_a_refusal_of_a_resend_does_not_mean_that_the_first_send_made_nothing():
    bench = Bench()
    bench.wires[K].creates.extend([Lost("cut"), error(400, "validation_failed")])
    assert bench.run(manifest([spec(1, K)])).exit_code() == 4
    assert bench.row().state is State.UNKNOWN
    assert charged(bench, K) == 57.0


def test_trouble_of_the_account_on_a_resend_leaves_it_for_the_next_run():
    bench = Bench()
    bench.wires[K].creates.extend([Lost("cut"), error(401, "api_key_revoked")])
    jobs = manifest([spec(1, K)])
    assert bench.run(jobs).exit_code() == 6
    assert bench.row().state is State.SUBMITTING
    assert charged(bench, K) == 57.0
    assert bench.run(jobs).exit_code() == 0
    assert len(set(bench.wires[K].keys())) == 1
    assert charged(bench, K) == 57.0
    assert account(bench, K).slots.held == 0


def test_each_new_attempt_has_a_key_of_its_own():
    bench = Bench()
    for number in range(3):
        bench.wires[K].creates.append(made(K, f"told_{number}"))
        bench.wires[K].looks.append(stands(K, f"told_{number}", "failed", final_credits=0))
    bench.run(manifest([spec(1, K, retries=2)]))
    keys = bench.wires[K].keys()
    assert len(keys) == len(set(keys)) == 3
    assert [found.idempotency_key for found in bench.ledger.attempts(bench.row().row)] == keys


def test_an_unknown_create_keeps_its_slot_for_ten_minutes():
    bench = Bench()
    bench.wires[N].creates.append(Lost("cut"))
    bench.run(manifest([spec(1, N), spec(2, N)], in_flight=1))
    first, second = bench.wires[N].times()
    assert UNKNOWN_HOLDS_SLOT <= second - first <= UNKNOWN_HOLDS_SLOT + 5


def test_what_the_budget_never_allows_does_not_wait_for_the_slots_of_unknown_creates():
    bench = Bench()
    bench.wires[N].creates.append(Lost("cut"))
    caps = Caps({N: 1.0})
    jobs = manifest([spec(1, N), spec(2, N)], in_flight=1, caps=caps, prices={N: 1.0})
    began = bench.now
    assert bench.run(jobs).exit_code() == 5
    assert bench.now - began < UNKNOWN_HOLDS_SLOT / 2
    assert bench.states()["job2"] is State.PLANNED


def test_three_unknown_creates_in_a_row_pause_the_account_and_one_probe_follows():
    bench = Bench()
    bench.wires[N].creates.extend([Lost("cut")] * 4)
    bench.run(manifest([spec(n, N) for n in range(8)], in_flight=50, probe_after=500.0))
    times = bench.wires[N].times()
    assert times[3] - times[2] >= 500
    assert times[4] - times[3] >= 1000, "the probe was in vain"
    assert times[7] - times[4] < 60, "after one that went well, all go"


def test_five_probes_in_vain_end_the_creates_of_this_run():
    bench = Bench()
    bench.wires[N].creates.extend([Lost("cut")] * 100)
    tally = bench.run(manifest([spec(n, N) for n in range(20)], in_flight=50))
    assert len(bench.wires[N].sent) == 3 + 5
    assert tally.counts[State.UNKNOWN] == 8
    assert tally.counts[State.PLANNED] == 12
    assert tally.exit_code() == 4


def test_what_waited_for_its_turn_when_the_pause_began_goes_back_to_its_place():
    bench = Bench()
    bench.wires[N].creates.extend([Lost("cut")] * 3)
    bench.run(manifest([spec(n, N) for n in range(10)], in_flight=50))
    bodies = [json.loads(body)["prompt"] for body in bench.wires[N].bodies()]
    assert bodies[:4] == [f"prompt {n}" for n in range(4)], "the first that waits is the probe"
    assert sorted(bodies) == [f"prompt {n}" for n in range(10)]
    times = bench.wires[N].times()
    assert times[3] - times[2] >= 300


def test_a_signal_calls_back_what_waits_and_lets_what_is_on_the_wire_end():
    bench = Bench()
    bench.wires[K].creates.extend([after(50.0, made(K, f"told_{n}")) for n in range(2)])

    async def interrupt(campaign):
        await anyio.sleep(20)
        campaign.signalled(130)

    jobs = manifest([spec(n, K) for n in range(10)], creates_per_minute=2.0)
    began = bench.now
    tally = bench.run(jobs, beside=interrupt)
    assert tally.exit_code() == 130
    states = list(bench.states().values())
    assert states.count(State.SUBMITTED) == len(bench.wires[K].sent)
    assert State.SUBMITTING not in states
    assert bench.now - began < 90
    assert account(bench, K).run.budget.charged[K] == 57.0 * len(bench.wires[K].sent)


def test_a_defect_that_one_job_meets_stays_with_it():
    bench = Bench()
    bench.wires[K].creates.append(ZeroDivisionError("a defect"))
    tally = bench.run(manifest([spec(1, K), spec(2, K)]))
    assert bench.states()["job2"] is State.STORED
    assert tally.exit_code() == 3
    assert account(bench, K).slots.held == 0
    assert bench.notes("defect")[0]["key"] == "job1"


@KINDS
def test_how_a_synchronous_answer_stands_is_taken_at_its_word(name):
    bench = Bench()
    url = "https://cdn.example.com/told_1.mp4?sig=1"
    more = {
        K: {"status": "succeeded", "result": {"primary_url": url}, "final_credits": 57},
        N: {"data": [{"state": "succeeded", "video_url": url}]},
    }[name]
    bench.wires[name].creates.append(made(name, "told_1", **more))
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    assert bench.wires[name].asked == [], "nobody had to look"


def test_every_send_is_counted():
    bench = Bench()
    bench.wires[K].creates.extend([Lost("cut"), Lost("cut")])
    assert bench.run(manifest([spec(1, K)])).sent == 3


def test_a_create_counts_in_its_window_from_its_sending_however_late_its_reply():
    bench = Bench()
    bench.wires[N].creates.extend([after(300.0, made(N, f"told_{n}")) for n in range(4)])
    bench.wires[N].always = reply(200, {"items": []})
    jobs = manifest([spec(n, N) for n in range(4)], creates_per_minute=2.0, give_up_after=100.0)
    bench.run(jobs)
    times = bench.wires[N].times()
    assert times[-1] - times[0] < 120


def test_an_answer_and_what_follows_from_it_are_durable_in_one_step():
    bench = Bench()
    steps = []
    record = bench.ledger.record

    async def watched(*events):
        await record(*events)
        steps.append([event.kind for event in events])

    bench.ledger.record = watched
    bench.run(manifest([spec(1)]))
    assert steps[:2] == [["intent"], ["reply", "accepted"]]


@KINDS
def test_an_answer_that_cannot_be_read_is_kept_all_the_same(name):
    class Unreadable(type(Bench().providers[name])):
        def read_create(self, reply):
            raise ZeroDivisionError("a defect")

    bench = Bench()
    bench.providers[name] = Unreadable()
    bench.wires[name].creates.append(made(name, "told_77"))
    assert bench.run(manifest([spec(1, name)])).exit_code() == 3
    assert bench.kinds() == ["intent", "reply", "unread"]
    assert bench.row().state is State.SUBMITTING
    assert "told_77" in bench.row().attempt.reply


@KINDS
def test_an_answer_is_kept_where_what_follows_from_it_cannot_be_written(name):
    bench = Bench()

    def refuse(event):
        if event.kind == "accepted":
            raise TypeError("a defect")

    bench.ledger.before = refuse
    bench.wires[name].creates.append(made(name, "told_77"))
    bench.run(manifest([spec(1, name)]))
    assert bench.kinds() == ["intent", "reply", "unread"]
    bench.ledger.before = None
    bench.wires[name].views = {"told_77": [document(name, "told_77", "succeeded")]}
    assert bench.run(manifest([spec(1, name)])).exit_code() == 0
    assert bench.row().attempt.task_id == "told_77"
    assert len(bench.wires[name].sent) == 1


@KINDS
@pytest.mark.parametrize("file_fails", [False, True])
def test_an_answer_that_the_ledger_cannot_take_is_kept_elsewhere_and_in_the_log(name, file_fails):
    bench = Bench()
    kept = []

    def refuse(event):
        if event.kind == "reply":
            raise LedgerError("the disk is full")

    def keep(rescued):
        if file_fails:
            raise OSError("the disk is full")
        kept.append(rescued)

    bench.ledger.before = refuse
    bench.ledger.rescue = keep
    bench.wires[name].creates.append(made(name, "told_77"))
    tally = bench.run(manifest([spec(1, name)]))
    assert tally.exit_code() == 7
    assert "told_77" in bench.log.getvalue()
    row = bench.row()
    if file_fails:
        assert kept == []
    else:
        assert [(one.row, one.attempt, "told_77" in one.reply) for one in kept] == [
            (row.row, 1, True)
        ]
        assert kept[0].task_id == "told_77"
    (told,) = tally.rescued
    assert "told_77" in told
    assert ("nowhere but here" in told) is file_fails


def test_no_message_keeps_the_signature_of_a_url_it_names():
    bench = Bench()
    message = "could not fetch https://cdn.example.com/a.png?X-Amz-Signature=5ec4e7 in time"
    answer = {"error": {"code": "validation_failed", "message": message}}
    bench.wires[K].creates.append(reply(400, answer))
    bench.run(manifest([spec(1, K)]))
    assert "5ec4e7" not in bench.row().attempt.error_message


def test_under_a_cap_of_creates_the_manifests_order_decides_across_providers():
    bench = Bench()
    jobs = [spec(1, K), spec(2, N), spec(3, K), spec(4, N)]
    bench.run(manifest(jobs, caps=Caps(jobs=2)))
    stored = [key for key, state in bench.states().items() if state is State.STORED]
    assert stored == ["job1", "job2"]


def test_a_job_of_unknown_price_stays_planned_and_holds_nobody_up():
    bench = Bench()
    jobs = [spec(1, N), spec(2, N, model="minimax-i2v")]
    bench.run(manifest(jobs, caps=Caps({N: 10.0}), prices={"acedatacloud/minimax-i2v": 0.9}))
    assert bench.states() == {"job1": State.PLANNED, "job2": State.STORED}


@pytest.mark.parametrize("answer", [NotSent("no connection"), error(503, "public_api_disabled")])
def test_a_provider_that_cannot_be_reached_for_too_long_ends_the_run(answer):
    bench = Bench()
    bench.wires[K].creates.extend([answer] * 100_000)
    jobs = manifest([spec(n) for n in range(3)], give_up_after=1800.0)
    tally = bench.run(jobs, within=2 * DAY)
    assert tally.exit_code() in {3, 4}
    bench.wires[K].creates.clear()
    bench.run(jobs)
    assert State.PLANNED not in bench.states().values()
    assert len(bench.world.tasks) == list(bench.states().values()).count(State.STORED)


def test_a_throttled_probe_proves_nothing_and_another_one_follows():
    bench = Bench()
    throttled = error(429, "too_many_requests", retry_after="1")
    bench.wires[N].creates.extend([*[Lost("cut")] * 3, throttled, Lost("cut")])
    bench.run(manifest([spec(n, N) for n in range(6)], in_flight=50))
    times = bench.wires[N].times()
    assert times[3] - times[2] >= 300
    assert times[5] - times[4] >= 600, "the probe after the throttled one was in vain"


def test_slots_of_unknown_creates_do_not_keep_the_budget_waiting():
    bench = Bench()
    bench.wires[N].creates.append(Lost("cut"))
    jobs = manifest([spec(1, N), spec(2, N)], caps=Caps({N: 1.0}), prices={N: 0.9})
    assert bench.run(jobs).exit_code() == 5
    assert bench.now < UNKNOWN_HOLDS_SLOT / 2
