"""Recovery: what a run does with each row that an earlier one left, whatever ended that one."""

from __future__ import annotations

import json

import anyio
import pytest

from orchestrator.engine.recovery import QUARANTINE_LOOKS, UNSETTLED, needs_access
from orchestrator.engine.submit import UNKNOWN_HOLDS_SLOT
from orchestrator.engine.wire.evidence import raw_reply
from orchestrator.engine.wire.send import RESEND_WINDOW
from orchestrator.errors import DiskError
from orchestrator.jobs import State
from orchestrator.ledger.store import StoredFile
from orchestrator.manifest.model import Budget as Caps
from orchestrator.plan.selection import Selection
from orchestrator.providers.transport import Lost
from orchestrator.storage.outcomes import Expired
from tests.engine.campaigns import manifest, spec
from tests.engine.material import DAY, Bench, K, N, document, error, made
from tests.engine.test_campaign import most_in_window
from tests.engine.test_submit import charged
from tests.engine.virtual import Crash
from tests.engine.world import Disk

KINDS = pytest.mark.parametrize("name", [K, N])


def intended(name, *, reply=None, ago=5.0):
    """A bench with one create that an earlier run was in the middle of."""
    bench = Bench(now=DAY)
    jobs = manifest([spec(1, name)])
    bench.admit(jobs)
    body = bench.intend(name, ago=ago)
    if reply is not None:
        bench.put("reply", reply=raw_reply(reply))
    return bench, jobs, body


def submitted(name, *, ago=50.0):
    """A bench with one task that an earlier run was waiting for."""
    bench, jobs, _ = intended(name, ago=ago)
    at = bench.wall() - ago
    bench.put("accepted", State.SUBMITTED, task_id="told", submitted_at=at, reserved=57.0)
    bench.wires[name].views = {"told": [document(name, "told", "succeeded")]}
    return bench, jobs


# --- a create without an answer -----------------------------------------------------------------


def test_a_create_without_an_answer_is_sent_again_with_its_key_and_its_bytes():
    bench, jobs, body = intended(K)
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[K].bodies() == [body]
    assert bench.wires[K].keys() == ["key-job1"]
    assert bench.row().attempt.number == 1


def test_a_create_without_an_answer_and_without_a_key_is_unknown():
    bench, jobs, _ = intended(N)
    assert bench.run(jobs).exit_code() == 4
    assert bench.row().state is State.UNKNOWN
    assert bench.wires[N].sent == []


@pytest.mark.parametrize(("ago", "sends"), [(RESEND_WINDOW - 60, 1), (RESEND_WINDOW + 1, 0)])
def test_after_an_hour_its_outcome_is_unknown(ago, sends):
    bench, jobs, _ = intended(K, ago=ago)
    bench.run(jobs)
    assert len(bench.wires[K].sent) == sends
    assert bench.row().state is (State.STORED if sends else State.UNKNOWN)


def test_after_the_clock_went_back_its_outcome_is_unknown():
    bench, jobs, _ = intended(K)
    bench.wall_shift = -60.0
    assert bench.run(jobs).exit_code() == 4
    assert bench.wires[K].sent == []


def test_the_hour_is_counted_from_the_first_send_over_all_runs():
    bench, jobs, _ = intended(K, ago=RESEND_WINDOW - 100)
    bench.wires[K].creates.extend([Lost("cut")] * 100)
    assert bench.run(jobs).exit_code() == 4
    assert bench.now - DAY <= 200


def test_a_create_in_doubt_is_settled_even_if_its_job_is_no_longer_in_the_manifest():
    bench, _, body = intended(K)
    assert bench.run(manifest([spec(2)])).exit_code() == 0
    assert body in bench.wires[K].bodies()
    assert State.STORED in {row.state for row in bench.ledger.rows() if row.key == "job1"}


def test_429_to_what_an_earlier_run_sent_proves_nothing():
    bench, jobs, _ = intended(K)
    bench.wires[K].creates.extend([error(429, "rate_limited")] * 2)
    assert bench.run(jobs).exit_code() == 0
    assert "returned" not in bench.kinds()
    assert set(bench.wires[K].keys()) == {"key-job1"}


# --- a create whose answer was kept -------------------------------------------------------------


@KINDS
def test_a_kept_task_id_is_taken_and_nothing_is_sent(name):
    bench, jobs, _ = intended(name, reply=made(name, "told"), ago=2 * DAY)
    bench.wires[name].views = {"told": [document(name, "told", "succeeded")]}
    assert bench.run(jobs).exit_code() == 0
    assert bench.row().attempt.task_id == "told"
    assert bench.wires[name].sent == []


def test_a_kept_answer_with_a_result_is_taken_and_its_url_asked_for_again_if_it_was_signed():
    url = "https://cdn.example.com/told.mp4?sig=5ec4e7"
    reply = made(N, "told", data=[{"state": "succeeded", "video_url": url}])
    bench, jobs, _ = intended(N, reply=reply)
    fresh = document(N, "told", "succeeded")
    fresh["response"]["data"][0]["video_url"] = url
    bench.wires[N].views = {"told": [fresh]}
    real = bench.store.fetch

    async def fetch(asked, target, **how):
        if "sig=" not in asked:
            raise Expired(403)
        return await real(asked, target, **how)

    bench.store.fetch = fetch
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[N].sent == []


def test_an_answer_that_tells_nothing_leaves_the_create_in_doubt():
    for name, state in ((K, State.STORED), (N, State.UNKNOWN)):
        bench, jobs, _ = intended(name, reply=error(500, "api_error"))
        bench.run(jobs)
        assert bench.row().state is state
        assert len(bench.wires[name].sent) == (name == K)


# --- tasks and videos ---------------------------------------------------------------------------


@KINDS
def test_a_task_of_an_earlier_run_holds_its_slot_and_is_looked_at_at_once(name):
    bench, jobs = submitted(name)
    bench.wires[name].views["told"].insert(0, document(name, "told", "open"))
    began = bench.now
    jobs = manifest([spec(1, name), spec(2, name)], in_flight=1, poll_every=40.0)
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[name].asked[0][0] - began < 1
    (created,) = bench.wires[name].times()
    assert created - began > 40, "the slot was taken"


@pytest.mark.parametrize("state", [State.SUBMITTED, State.GENERATED])
@KINDS
def test_a_paid_task_is_stored_without_paying_again(name, state):
    bench, jobs = submitted(name)
    if state is State.GENERATED:
        bench.put("generated", State.GENERATED, urls=("https://cdn.example.com/told.mp4",))
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[name].sent == []


@pytest.mark.parametrize("what", ["edited", "removed", "not selected"])
def test_every_paid_task_is_stored_whatever_became_of_its_job(what):
    bench, _ = submitted(K)
    selection = Selection((("id", "job2"),)) if what == "not selected" else None
    others = {
        "edited": manifest([spec(1, prompt="another"), spec(2)]),
        "removed": manifest([spec(2)]),
        "not selected": manifest([spec(1), spec(2)]),
    }[what]
    bench.run(others, selection=selection)
    old = [row for row in bench.ledger.rows() if row.attempt and row.attempt.task_id == "told"]
    assert [row.state for row in old] == [State.STORED]


def quarantined():
    bench, jobs = submitted(K)
    bench.put("generated", State.GENERATED)
    bench.put("quarantined", State.QUARANTINED, error_class="invalid_media")
    return bench, jobs


def test_a_quarantined_result_is_looked_at_again_by_three_runs_and_never_paid_again():
    bench, jobs = quarantined()
    bench.world.faults.download_invalid = 1.0
    for _ in range(QUARANTINE_LOOKS + 3):
        assert bench.run(jobs).exit_code() == 1
    assert QUARANTINE_LOOKS == 3
    assert len(bench.wires[K].asked) == 3
    assert bench.row().attempt.looks == 3
    assert bench.wires[K].sent == []


def test_a_quarantined_result_that_is_whole_at_last_is_stored():
    bench, jobs = quarantined()
    assert bench.run(jobs).exit_code() == 0
    assert bench.row().state is State.STORED


def test_two_jobs_of_one_task_stay_quarantined():
    bench = Bench(now=DAY)
    jobs = manifest([spec(1), spec(2)])
    bench.admit(jobs)
    for key in ("job1", "job2"):
        bench.intend(key=key)
        bench.put("accepted", State.SUBMITTED, key=key, task_id="told", submitted_at=bench.wall())
        bench.put("quarantined", State.QUARANTINED, key=key, error_code="task_id_shared")
    bench.wires[K].views = {"told": [document(K, "told", "succeeded")]}
    assert bench.run(jobs).exit_code() == 1
    assert bench.wires[K].asked == []


def stored(*paths):
    bench, jobs = submitted(K)
    bench.put("generated", State.GENERATED)
    files = [StoredFile(path, 3, "a" * 64) for path in paths]
    bench.put("stored", State.STORED, files=files)
    for path in paths:
        bench.world.files[path] = b"abc"
    return bench, jobs


def test_what_is_stored_and_there_needs_nobody():
    bench, jobs = stored("videos/job1.mp4")
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[K].asked == []
    assert needs_access(list(bench.ledger.rows()), bench.store) == frozenset()


def test_a_video_that_is_gone_is_fetched_again_without_paying():
    bench, jobs = stored("videos/job1.mp4")
    del bench.world.files["videos/job1.mp4"]
    assert needs_access(list(bench.ledger.rows()), bench.store) == {K}
    assert bench.run(jobs).exit_code() == 0
    assert "videos/job1.mp4" in bench.world.files
    assert bench.wires[K].sent == []
    assert bench.kinds()[-1] == "restored"
    assert bench.row().state is State.STORED


@pytest.mark.parametrize("trouble", ["download_invalid", "download_expired", "download_trouble"])
def test_a_video_that_cannot_be_fetched_again_stays_stored_and_is_told(trouble):
    bench, jobs = stored("videos/job1.mp4")
    del bench.world.files["videos/job1.mp4"]
    setattr(bench.world.faults, trouble, 1.0)
    assert bench.run(jobs).exit_code() == 3
    assert bench.row().state is State.STORED


def test_a_video_that_was_removed_with_its_job_is_left_alone():
    bench, _ = stored("videos/job1.mp4")
    del bench.world.files["videos/job1.mp4"]
    assert bench.run(manifest([spec(2)])).exit_code() == 0
    assert bench.wires[K].asked_ids() == [[row.attempt.task_id] for row in bench.rows().values()]


@pytest.mark.parametrize("state", State)
def test_a_provider_is_needed_for_what_is_paid_or_may_be(state):
    bench, _ = submitted(K)
    rows = list(bench.ledger.rows())
    object.__setattr__(rows[0], "state", state)
    needed = needs_access(rows, bench.store) == {K}
    assert needed == (state in UNSETTLED)


# --- unknown creates and decisions --------------------------------------------------------------


def unknown(name=N, ago=5.0):
    bench, jobs, _ = intended(name, ago=ago)
    bench.put("unknown", State.UNKNOWN)
    return bench, jobs


@KINDS
def test_an_unknown_create_is_left_to_a_person(name):
    bench, jobs = unknown(name)
    for _ in range(3):
        assert bench.run(jobs).exit_code() == 4
    assert bench.wires[name].sent == []


@pytest.mark.parametrize(
    ("ago", "wait"), [(200.0, UNKNOWN_HOLDS_SLOT - 200), (700.0, 0.0), (-1000.0, 0.0)]
)
def test_an_unknown_create_keeps_its_slot_for_the_rest_of_ten_minutes(ago, wait):
    bench, _ = unknown(ago=ago)
    began = bench.now
    bench.run(manifest([spec(1, N), spec(2, N)], in_flight=1))
    assert bench.wires[N].times()[0] - began == pytest.approx(wait, abs=2)


def test_what_a_person_sends_again_is_a_new_attempt_with_a_new_key():
    bench, jobs = unknown(K)
    bench.put("resubmit")
    assert bench.run(jobs).exit_code() == 0
    attempts = bench.ledger.attempts(bench.row().row)
    assert [found.number for found in attempts] == [1, 2]
    assert attempts[0].idempotency_key != attempts[1].idempotency_key
    assert charged(bench, K) == 57.0 * 2, "the unknown create goes on counting"


def test_jobs_that_were_begun_and_jobs_that_were_not_share_the_caps_in_the_manifests_order():
    bench = Bench(now=DAY)
    jobs = [spec(n) for n in (1, 2, 3, 4)]
    bench.admit(manifest(jobs))
    bench.intend(key="job2")
    bench.put("returned", State.PLANNED, key="job2", charge=0.0)
    assert bench.run(manifest(jobs, caps=Caps(jobs=3))).exit_code() == 5
    assert [bench.row(job.key).state for job in jobs] == [State.STORED] * 3 + [State.PLANNED]
    assert bench.row("job2").attempt.number == 1
    assert [json.loads(body)["prompt"] for body in bench.wires[K].bodies()] == [
        job.prompt for job in jobs[:3]
    ]


def test_what_a_person_sends_again_is_not_ambiguous():
    bench, jobs = unknown(K)
    bench.put("resubmit")
    bench.wires[K].creates.append(error(400, "validation_failed"))
    bench.run(jobs)
    assert bench.row().state is State.FAILED


def test_an_adopted_task_is_watched_and_stored():
    bench, jobs = unknown(N)
    bench.put("adopted", State.SUBMITTED, task_id="told", submitted_at=bench.wall())
    bench.wires[N].views = {"told": [document(N, "told", "succeeded")]}
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[N].sent == []


def test_what_is_unsettled_counts_against_the_budget_of_the_next_run():
    bench, _ = unknown(K)
    tally = bench.run(manifest([spec(1), spec(2)], caps=Caps({K: 100.0})))
    assert bench.wires[K].sent == []
    assert tally.exit_code() == 5


# --- meters -------------------------------------------------------------------------------------


def test_a_restart_bursts_nothing():
    bench = Bench()
    jobs = manifest([spec(n) for n in range(40)], creates_per_minute=10.0, in_flight=40)

    async def interrupt(campaign):
        await anyio.sleep(40)
        campaign.signalled(130)

    bench.run(jobs, beside=interrupt)
    bench.run(jobs, beside=interrupt)
    bench.run(jobs)
    times = bench.wires[K].times()
    assert len(times) == 40
    assert most_in_window(times, 60.0) <= 10


def test_a_retry_after_is_not_carried_over_to_the_next_run():
    bench = Bench()
    bench.wires[K].creates.append(error(429, "rate_limited", retry_after="300"))

    async def interrupt(campaign):
        await anyio.sleep(2)
        campaign.signalled(130)

    bench.run(manifest([spec(1)]), beside=interrupt)
    began = bench.now
    bench.run(manifest([spec(1)]))
    assert bench.wires[K].times()[1] - began < 5


# --- crashes ------------------------------------------------------------------------------------

POINTS = ["intent", "reply", "accepted", "generated", "stored"]


@pytest.mark.parametrize("point", POINTS)
@KINDS
def test_a_crash_at_any_point_loses_nothing_and_pays_nothing_twice(name, point):
    bench = Bench()
    bench.die_before(point)
    jobs = manifest([spec(1, name)], prices={N: 0.9})
    bench.crash(jobs)
    tally = bench.run(jobs)
    lost = name == N and point in ("reply", "accepted")
    assert tally.exit_code() == (4 if lost else 0)
    assert len(bench.world.tasks) == 1
    assert charged(bench, name) == {K: 57.0, N: 0.9}[name]


@KINDS
def test_five_crashes_in_a_row_pay_nothing_twice(name):
    bench = Bench()
    jobs = manifest([spec(n, name) for n in range(6)])
    for point in POINTS:
        bench.die_before(point)
        bench.crash(jobs)
    bench.run(jobs)
    tasks = set(bench.world.tasks)
    known = {row.attempt.task_id for row in bench.rows().values()} - {None}
    unsure = list(bench.states().values()).count(State.UNKNOWN)
    assert known <= tasks
    assert len(tasks) <= 6, "no job was paid twice"
    assert len(tasks - known) <= unsure, "what is paid and not known is listed"
    assert unsure == 0 or name == N


def test_a_kept_answer_survives_a_crash_while_it_is_acted_on():
    bench, jobs, _ = intended(N, reply=made(N, "told"))
    bench.wires[N].views = {"told": [document(N, "told", "succeeded")]}
    for _ in range(2):
        bench.die_before("accepted")
        bench.crash(jobs)
    assert bench.run(jobs).exit_code() == 0
    assert bench.wires[N].sent == []


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (N, error(429, "too_many_requests")),
        (N, error(403, "used_up")),
        (K, error(429, "rate_limited")),
    ],
)
def test_a_kept_answer_that_nothing_was_made_puts_the_job_back(name, answer):
    bench, jobs, _ = intended(name, reply=answer, ago=2 * DAY)
    bench.run(jobs)
    assert bench.row().state in {State.PLANNED, State.STORED}


@pytest.mark.parametrize(
    ("name", "answer"),
    [(K, error(400, "validation_failed")), (N, error(403, "forbidden"))],
)
def test_a_kept_refusal_fails_the_job(name, answer):
    bench, jobs, _ = intended(name, reply=answer)
    assert bench.run(jobs).exit_code() == 1
    assert bench.row().state is State.FAILED


def test_an_answer_of_an_earlier_send_decides_nothing_about_a_later_one():
    bench = Bench()
    jobs = manifest([spec(1, N)])
    bench.wires[N].creates.append(error(429, "too_many_requests"))
    times = []

    def before(event):
        times.append(event.kind)
        if times.count("reply") == 2:
            raise Crash

    bench.ledger.before = before
    bench.crash(jobs)
    bench.run(jobs)
    assert bench.row().state is State.UNKNOWN
    assert len(bench.wires[N].sent) == 2


def test_two_jobs_of_one_task_that_a_crash_left_are_quarantined_by_the_next_run():
    bench = Bench(now=DAY)
    jobs = manifest([spec(1), spec(2)])
    bench.admit(jobs)
    for key in ("job1", "job2"):
        bench.intend(key=key)
        bench.put("accepted", State.SUBMITTED, key=key, task_id="told", submitted_at=bench.wall())
    bench.wires[K].views = {"told": [document(K, "told", "open")] * 5}
    bench.run(jobs, within=DAY)
    assert set(bench.states().values()) == {State.QUARANTINED}


class Unreadable:
    """A provider whose create's reply its translator cannot read."""

    def __init__(self, inner):
        self.inner = inner

    def read_create(self, reply):
        raise ZeroDivisionError("a defect")

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_an_answer_that_cannot_be_read_stays_its_own_jobs_trouble_at_the_next_run_too():
    bench, _, _ = intended(K, reply=made(K, "told"))
    bench.providers[K] = Unreadable(bench.providers[K])
    bench.run(manifest([spec(1), spec(2, N)]))
    assert bench.row("job2").state is State.STORED


def test_creates_that_a_crash_left_unknown_pause_nothing():
    bench = Bench(now=DAY)
    jobs = manifest([spec(n, N) for n in range(6)])
    bench.admit(jobs)
    for number in range(4):
        bench.intend(N, key=f"job{number}")
    began = bench.now
    assert bench.run(jobs).exit_code() == 4
    assert bench.row("job5").state is State.STORED
    assert bench.wires[N].times()[1] - began < 60
    assert bench.notes("paused") == []


def test_a_job_that_is_not_selected_is_put_back_and_not_sent():
    bench, jobs, _ = intended(N, reply=error(429, "too_many_requests"))
    bench.run(jobs, selection=Selection((("id", "other"),)))
    assert bench.row().state is State.PLANNED
    assert bench.wires[N].sent == []


def test_trouble_of_the_account_in_an_earlier_run_does_not_halt_this_one():
    bench, jobs, _ = intended(N, reply=error(401, "invalid_token"))
    assert bench.run(jobs).exit_code() == 0
    assert len(bench.wires[N].sent) == 1


# --- what describes a stored video -----------------------------------------------------------


def stored_before(*names):
    """A bench whose jobs an earlier run has stored."""
    bench = Bench(now=DAY)
    jobs = manifest([spec(number, name) for number, name in enumerate(names, 1)])
    assert bench.run(jobs).exit_code() == 0
    bench.world.bare |= set(bench.world.files)
    return bench, jobs


def test_what_describes_a_video_is_written_again_where_it_is_gone():
    bench, jobs = stored_before(K, N)
    asked = [len(wire.sent) for wire in bench.wires.values()]
    assert bench.run(jobs).exit_code() == 0
    assert bench.world.bare == set()
    assert [len(wire.sent) for wire in bench.wires.values()] == asked
    assert len(bench.notes("sidecar_written")) == 2


def test_a_disk_that_does_not_take_it_is_told_and_hinders_nothing_else(monkeypatch):
    bench, _ = stored_before(K)

    async def full(_disk, stored, _document):
        raise DiskError(f"{stored.path}: no room")

    monkeypatch.setattr(Disk, "write_sidecar", full)
    tally = bench.run(manifest([spec(1), spec(2, N)]))
    assert tally.exit_code() == 7
    assert bench.row("job2").state is State.STORED


def test_a_task_id_that_two_rows_of_another_provider_share_says_nothing_of_this_one():
    bench = Bench(now=DAY)
    jobs = manifest([spec(1, N), spec(2, N), spec(3, K)])
    bench.admit(jobs)
    for key, name in (("job1", N), ("job2", N), ("job3", K)):
        bench.intend(name, key=key)
        bench.put("accepted", State.SUBMITTED, key=key, task_id="told", submitted_at=bench.wall())
    bench.wires[K].views = {"told": [document(K, "told", "succeeded")]}
    bench.run(jobs)
    assert bench.states()["job3"] is State.STORED
    assert bench.states()["job1"] is bench.states()["job2"] is State.QUARANTINED


def test_a_task_of_an_earlier_run_that_a_new_create_is_given_is_of_nobody_for_certain():
    bench = Bench(now=DAY)
    jobs = manifest([spec(1), spec(2)])
    bench.admit(jobs)
    bench.intend(key="job1")
    bench.put("accepted", State.SUBMITTED, key="job1", task_id="told", submitted_at=bench.wall())
    bench.wires[K].creates.append(made(K, "told"))
    bench.wires[K].views = {"told": [document(K, "told", "open")] * 5}
    bench.run(jobs, within=DAY)
    assert set(bench.states().values()) == {State.QUARANTINED}
