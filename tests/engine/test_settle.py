"""Settle: what the provider's word means for a job, its money and its slot."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.manifest.model import Budget as Caps
from orchestrator.plan.selection import Selection
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, K, N, document, error, made, reply, stands
from tests.engine.test_submit import account, charged

KINDS = pytest.mark.parametrize("name", [K, N])
PRICES = {N: 0.9}


def told(name, *looks, create=None):
    """A bench whose next create makes `told_1`, which stands as these looks say, in turn."""
    bench = Bench()
    bench.wires[name].creates.append(create or made(name, "told_1"))
    bench.wires[name].looks.extend(looks)
    return bench


def run(bench, name, **fields):
    return bench.run(manifest([spec(1, name, **fields)], prices=PRICES))


@pytest.mark.parametrize(
    ("reserved", "final", "counts"),
    [(57, None, 57.0), (80, None, 80.0), (57, 40, 40.0), (57, 91, 91.0), (57, 0, 0.0)],
)
def test_a_success_counts_as_its_final_credits_else_as_reserved(reserved, final, counts):
    more = {} if final is None else {"final_credits": final}
    bench = told(
        K,
        stands(K, "told_1", "succeeded", **more),
        create=made(K, "told_1", reserved_credits=reserved),
    )
    assert run(bench, K).exit_code() == 0
    assert bench.row().attempt.charge == charged(bench, K) == counts


def test_a_success_of_a_provider_that_tells_no_credits_counts_as_estimated():
    bench = told(N, stands(N, "told_1", "succeeded"))
    run(bench, N)
    assert bench.row().attempt.charge == charged(bench, N) == 0.9
    assert bench.row().attempt.final is None


@KINDS
def test_a_failure_is_the_providers_own_word(name):
    bench = told(name, stands(name, "told_1", "failed"))
    assert run(bench, name).exit_code() == 1
    attempt = bench.row().attempt
    assert (bench.row().state, attempt.error_class) == (State.FAILED, "failed")
    assert account(bench, name).slots.held == 0


@pytest.mark.parametrize(
    ("name", "more", "counts"),
    [(K, {"final_credits": 0}, 0.0), (K, {"final_credits": 12}, 12.0), (K, {}, 57.0), (N, {}, 0.0)],
)
def test_a_failure_counts_as_the_provider_bills_it(name, more, counts):
    bench = told(name, stands(name, "told_1", "failed", **more))
    run(bench, name)
    assert bench.row().attempt.charge == charged(bench, name) == counts


def test_credits_that_come_back_make_room_for_the_next_job():
    bench = told(K, stands(K, "told_1", "failed", final_credits=0))
    jobs = manifest([spec(1), spec(2)], caps=Caps({K: 60.0}))
    assert bench.run(jobs).exit_code() == 1
    assert bench.states() == {"job1": State.FAILED, "job2": State.STORED}


@KINDS
def test_a_price_other_than_estimated_is_told(name):
    bench = told(name, stands(name, "told_1", "succeeded"), create=made(name, "told_1"))
    run(bench, name)
    assert "drift" not in bench.kinds()
    dear = told(K, stands(K, "told_1", "succeeded", final_credits=60))
    run(dear, K)
    assert dear.notes("drift")[0]["actual"] == 60.0


@KINDS
def test_new_attempts_follow_a_failure_as_often_as_the_job_says(name):
    bench = Bench()
    for number in range(5):
        bench.wires[name].creates.append(made(name, f"told_{number}"))
        bench.wires[name].looks.append(stands(name, f"told_{number}", "failed"))
    assert run(bench, name, retries=2).exit_code() == 1
    row = bench.row().row
    assert [found.task_id for found in bench.ledger.attempts(row)] == ["told_0", "told_1", "told_2"]


def test_a_refusal_of_the_content_is_not_tried_again():
    refused = {"success": False, "error": {"code": "forbidden", "message": "no"}}
    bench = told(N, reply(200, {"id": "told_1", "response": refused}))
    run(bench, N, retries=3)
    assert bench.row().attempt.error_class == "refused"
    assert len(bench.wires[N].sent) == 1


@pytest.mark.parametrize(("on_refusal", "stored", "code"), [("skip", 3, 1), ("stop", 0, 3)])
def test_a_refusal_skips_the_job_or_stops_the_creates(on_refusal, stored, code):
    bench = Bench()
    bench.wires[N].creates.append(error(403, "forbidden"))
    jobs = [spec(1, N, on_refusal=on_refusal), *(spec(n, N) for n in (2, 3, 4))]
    tally = bench.run(manifest(jobs, in_flight=1))
    assert list(bench.states().values()).count(State.STORED) == stored
    assert tally.exit_code() == code


def dead(task_id):
    """A task that failed because nothing serves its model."""
    fault = {"code": "api_error", "message": "no channel available for minimax-t2v"}
    return {"id": task_id, "response": {"success": False, "error": fault}}


def test_three_tasks_that_fail_for_a_dead_channel_pause_their_model_alone():
    bench = Bench()
    wire = bench.wires[N]
    for number in range(4):
        wire.creates.append(made(N, f"told_{number}"))
    wire.creates.insert(3, made(N, "other"))
    wire.views = {f"told_{number}": [dead(f"told_{number}")] for number in range(4)}
    jobs = [*(spec(n, N) for n in range(6)), spec(9, N, model="minimax-i2v")]
    wire.creates.extend([made(N, "late_1"), made(N, "late_2")])
    bench.run(manifest(jobs, in_flight=1, probe_after=1000.0))
    models = ["i2v" if b"minimax-i2v" in body else "t2v" for body in wire.bodies()]
    assert models == ["t2v"] * 3 + ["i2v"] + ["t2v"] * 3
    times = wire.times()
    assert times[4] - times[2] >= 1000
    assert times[5] - times[4] >= 1800, "the probe was in vain"
    assert list(bench.states().values()).count(State.STORED) == 3


def test_the_slot_is_given_back_when_the_task_is_final_and_not_when_it_is_stored():
    bench = Bench()

    async def slow(url, target, **how):
        await anyio.sleep(5000)
        return await type(bench.store).fetch(bench.store, url, target, **how)

    bench.store.fetch = slow
    bench.run(manifest([spec(1), spec(2)], in_flight=1))
    first, second = bench.wires[K].times()
    assert second - first < 200


def test_the_ledgers_urls_have_no_queries():
    url = "https://cdn.example.com/a/b.mp4?X-Amz-Signature=5ec4e7#t=1"
    answer = {"id": "told_1", "status": "succeeded", "result": {"primary_url": url}}
    bench = told(K, reply(200, answer))
    run(bench, K)
    assert bench.row().attempt.urls == ("https://cdn.example.com/a/b.mp4",)


def test_two_jobs_that_are_given_one_task_are_both_quarantined():
    bench = Bench()
    bench.wires[K].creates.extend([made(K, "told_1")] * 2)
    bench.wires[K].always = stands(K, "told_1", "open")
    jobs = manifest([spec(1), spec(2)], give_up_after=500.0)
    tally = bench.run(jobs)
    assert set(bench.states().values()) == {State.QUARANTINED}
    assert {row.attempt.error_code for row in bench.rows().values()} == {"task_id_shared"}
    assert tally.counts[State.QUARANTINED] == 2


def test_a_task_of_two_jobs_is_not_watched_any_more():
    bench = Bench()
    bench.wires[K].creates.extend([made(K, "told_1"), made(K, "told_1"), made(K, "told_3")])

    async def whatever(request):
        return stands(K, request.path.rpartition("/")[2], "succeeded")

    bench.wires[K].always = whatever
    tally = bench.run(manifest([spec(1), spec(2), spec(3)], poll_after=30.0))
    assert bench.states() == {
        "job1": State.QUARANTINED,
        "job2": State.QUARANTINED,
        "job3": State.STORED,
    }
    assert tally.exit_code() == 1


def test_a_status_that_no_document_lists_is_told_once_and_polled_on():
    answer = reply(200, {"id": "told_1", "status": "moonlighting"})
    bench = told(K, *[answer] * 30, stands(K, "told_1", "succeeded"))
    assert run(bench, K).exit_code() == 0
    assert len(bench.notes("odd_status")) == 1


def interrupted():
    """A bench whose one job, which may be tried twice, was being watched when its run ended."""
    bench = told(K, *[stands(K, "told_1", "open")] * 3)
    jobs = manifest([spec(1, retries=1)])

    async def interrupt(campaign):
        await anyio.sleep(20)
        campaign.signalled(130)

    bench.run(jobs, beside=interrupt)
    assert bench.row().state is State.SUBMITTED
    bench.wires[K].looks.append(stands(K, "told_1", "failed"))
    return bench, jobs


def test_retries_are_not_lost_when_the_run_was_interrupted():
    bench, jobs = interrupted()
    assert bench.run(jobs).exit_code() == 0
    assert len(bench.wires[K].sent) == 2


def test_a_new_attempt_of_a_job_that_is_not_selected_waits_for_the_run_that_selects_it():
    bench, jobs = interrupted()
    bench.run(jobs, selection=Selection((("id", "other"),)))
    assert bench.row().state is State.FAILED
    assert len(bench.wires[K].sent) == 1
    assert bench.run(jobs).exit_code() == 0
    assert len(bench.wires[K].sent) == 2


def test_a_probe_whose_task_does_not_end_leaves_the_probing_to_another():
    bench = Bench()
    wire = bench.wires[N]
    for number in range(3):
        wire.creates.append(made(N, f"told_{number}"))
        wire.views[f"told_{number}"] = [dead(f"told_{number}")]
    wire.creates.extend([made(N, "lost"), made(N, "late_1"), made(N, "late_2")])
    wire.views["lost"] = [document(N, "lost", "open")]
    bench.run(manifest([spec(n, N) for n in range(6)], in_flight=1, give_up_after=1000.0))
    assert list(bench.states().values()).count(State.STORED) == 2


def test_a_new_attempt_has_all_the_time_that_a_task_may_take():
    bench = told(K)
    wire = bench.wires[K]
    wire.views = {"told_1": [document(K, "told_1", "open")]}
    jobs = manifest([spec(1, retries=1)], give_up_after=1000.0)

    async def interrupt(campaign):
        await anyio.sleep(900)
        campaign.signalled(130)

    bench.run(jobs, beside=interrupt)
    wire.creates.append(made(K, "told_2"))
    late = [*[document(K, "told_2", "open")] * 30, document(K, "told_2", "succeeded")]
    wire.views = {"told_1": [document(K, "told_1", "failed")], "told_2": late}
    assert bench.run(jobs).exit_code() == 0
