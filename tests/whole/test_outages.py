"""Long nights: clocks that jump, providers that throttle or vanish, accounts and disks that end.

What takes hours runs in virtual time against the world in memory, what a user sees runs as the
real program against the sandbox.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import signal
from email.utils import formatdate

import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.providers.base import Reply
from tests.engine import campaigns
from tests.engine.campaigns import Simulation, manifest, spec
from tests.engine.test_campaign import most_in_window
from tests.engine.virtual import EPOCH
from tests.engine.world import Faults, Wire, World
from tests.whole.conftest import until

K, N = "rivya", "acedatacloud"
BOTH = pytest.mark.parametrize("provider", [K, N])
DAY = 86_400.0


def polls(simulation):
    return [at for at, _, what in simulation.world.requests if what == "poll"]


def assert_each_paid_once_and_stored(simulation, jobs):
    """Every job was created once, its one task is in the ledger, and its video on disk."""
    rows = list(simulation.ledger.rows(current=True))
    assert {row.state for row in rows} == {State.STORED}
    tasks = {row.attempt.task_id for row in rows}
    assert tasks == simulation.world.tasks.keys()
    assert len(tasks) == len(rows) == jobs


# --- clocks that jump ---------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [DAY, -DAY, 300 * DAY])
@BOTH
def test_a_wall_clock_that_jumps_expires_nothing_and_bursts_nothing(provider, jump):
    simulation = Simulation()

    async def wind(_campaign):
        for seconds, shift in ((65, jump), (70, 0.0), (80, -jump), (60, jump / 2)):
            await anyio.sleep(seconds)
            simulation.wall_shift = shift

    what = manifest(
        [spec(n, provider) for n in range(200)],
        in_flight=40, creates_per_minute=30, give_up_after=3600.0,
    )  # fmt: skip
    tally = simulation.run(what, beside=wind)
    assert tally.exit_code() == 0
    assert_each_paid_once_and_stored(simulation, 200)
    assert most_in_window(simulation.creates(), 60.0) <= 30
    assert "gave_up" not in simulation.log.getvalue()


@BOTH
def test_a_machine_that_slept_for_hours_wakes_up_to_its_tasks_and_bursts_nothing(provider):
    simulation = Simulation(World(faults=Faults(median=30.0)))

    async def sleep_and_wake(_campaign):
        for _ in range(3):
            await anyio.sleep(90)
            asyncio.get_running_loop().now += 8 * 3600.0

    what = manifest([spec(n, provider) for n in range(300)], in_flight=40, creates_per_minute=30)
    tally = simulation.run(what, beside=sleep_and_wake)
    assert tally.exit_code() == 0
    assert_each_paid_once_and_stored(simulation, 300)
    assert most_in_window(simulation.creates(), 60.0) <= 30
    assert most_in_window(polls(simulation), 1.0) <= 2


# --- providers that throttle --------------------------------------------------------------------


def stated(dice):
    """A `Retry-After` as providers write it, and as none should."""
    now = EPOCH + anyio.current_time()
    date = formatdate(now + dice.uniform(-100, 100), usegmt=True)
    texts = ["0", "1", "7.5", "-1", "NaN", "inf", "1e9", "1000000000", "", "soon", date, None]
    return dice.choice(texts)


class Moody(Wire):
    """Answers many requests with 429 and any kind of `Retry-After`."""

    dice = random.Random(7)

    def _throttled(self):
        headers, text = {"date": formatdate(EPOCH + anyio.current_time())}, stated(self.dice)
        if text is not None:
            headers["retry-after"] = text
        return Reply(429, headers, b'{"error": {"code": "rate_limited", "message": "slow down"}}')

    async def create(self, request, *, on_sent=None):
        reply = await super().create(request, on_sent=on_sent) if self.dice.random() < 0.9 else None
        if reply is None:
            on_sent()
            self.world.arrived(self.provider, "create")
        return reply or self._throttled()

    async def ask(self, request, *, timeout=60):
        reply = await super().ask(request, timeout=timeout)
        return self._throttled() if self.dice.random() < 0.1 else reply


@BOTH
def test_whatever_retry_after_says_the_rate_holds_in_every_window(provider, monkeypatch):
    monkeypatch.setattr(campaigns, "Wire", Moody)
    monkeypatch.setattr(Moody, "dice", random.Random(provider))
    simulation = Simulation()
    what = manifest(
        [spec(n, provider) for n in range(150)], creates_per_minute=12, polls_per_second=1.0
    )
    tally = simulation.run(what)
    assert tally.exit_code() == 0
    assert_each_paid_once_and_stored(simulation, 150)
    assert len(simulation.creates()) > 155, "there were 429s"
    assert most_in_window(simulation.creates(), 60.0) <= 12
    assert most_in_window(polls(simulation), 1.0) <= 1
    assert all(len(simulation.ledger.attempts(row.row)) == 1 for row in simulation.ledger.rows())


#: When an outage meets most waiting creates, and when most running tasks.
EARLY, LATE = (1.0, 601.0), (100.0, 700.0)


@pytest.mark.parametrize("span", [EARLY, LATE], ids=["early", "late"])
@pytest.mark.parametrize("kind", ["storm", "outage"])
@BOTH
def test_ten_bad_minutes_cost_a_thousand_jobs_hardly_a_request_more(provider, kind, span):
    calm = of_a_thousand_jobs(provider, Faults())
    trouble = of_a_thousand_jobs(provider, Faults(**{kind: span}))
    unknown = trouble.ledger.counts().get(State.UNKNOWN, 0)
    assert unknown == 0 or (provider, kind) == (N, "outage")
    assert unknown <= 12, "three in a row and the probes, with what was on the wire"
    assert len(trouble.world.tasks) == 1000 - unknown
    assert len(trouble.creates()) <= 1.1 * 1000
    assert len(trouble.world.requests) <= 1.1 * len(calm.world.requests)
    meanwhile = [at for at in polls(trouble) if span[0] <= at < span[1]]
    if kind == "outage":
        assert len(meanwhile) <= 40, "polls slow down to one a minute"
    assert all(row.state is not State.FAILED for row in trouble.ledger.rows())


@pytest.mark.parametrize("kind", ["storm", "outage"])
@pytest.mark.parametrize("provider", [K, N])
def test_what_waits_for_the_meter_when_trouble_begins_waits_for_the_trouble_too(provider, kind):
    simulation = Simulation(World(faults=Faults(**{kind: (1.0, 601.0)})))
    jobs = [spec(n, provider) for n in range(1000)]
    simulation.run(manifest(jobs, in_flight=1000, creates_per_minute=600.0))
    assert simulation.ledger.counts().get(State.UNKNOWN, 0) <= 12
    assert len(simulation.creates()) <= 1.1 * 1000
    meanwhile = [at for at in simulation.creates() if 10.0 <= at < 601.0]
    assert len(meanwhile) <= 20


def of_a_thousand_jobs(provider, faults):
    """A night of a thousand jobs that ended."""
    simulation = Simulation(World(faults=faults))
    jobs = [spec(n, provider) for n in range(1000)]
    tally = simulation.run(manifest(jobs, in_flight=50, creates_per_minute=200.0))
    assert tally.exit_code() in (0, 4)
    return simulation


# --- keys that run out, and cancels that race ---------------------------------------------------


def test_a_key_that_the_provider_may_have_forgotten_is_not_used_again():
    simulation = Simulation(World(faults=Faults(server_error_after=1.0)))

    async def mend(_campaign):
        await anyio.sleep(2 * 3600.0)
        simulation.world.faults.server_error_after = 0.0

    tally = simulation.run(manifest([spec(n) for n in range(30)]), beside=mend)
    assert tally.exit_code() == 4
    assert tally.counts[State.UNKNOWN] > 0
    assert tally.counts[State.UNKNOWN] + tally.counts[State.STORED] == 30
    keys = [task.key for task in simulation.world.tasks.values()]
    assert len(keys) == len(set(keys)) == 30, "no key was used after the provider forgot it"
    assert max(simulation.creates()) > 2 * 3600.0


@pytest.mark.parametrize("grace", [0.0, 10.0])
@BOTH
def test_a_cancel_at_any_moment_loses_no_video_that_is_paid_for(provider, grace):
    for moment in range(0, 200, 9):
        simulation = Simulation(World(seed=moment))

        async def cancel(campaign, moment=moment):
            await anyio.sleep(moment + 0.05)
            campaign.signalled(130)

        what = manifest([spec(n, provider) for n in range(12)], in_flight=6)
        tally = simulation.run(what, grace=grace, beside=cancel)
        paid = set(simulation.world.tasks)
        known = {row.attempt.task_id for row in simulation.ledger.rows() if row.attempt}
        assert paid <= known, f"the answer that names a task was not waited for at {moment} s"
        assert tally.exit_code() in (0, 130)
        assert simulation.run(what).exit_code() == 0
        assert_each_paid_once_and_stored(simulation, 12)


# --- accounts that end --------------------------------------------------------------------------

#: Provider, status, code, and the exit code that a user sees.
ENDS = [
    (K, 401, "api_key_revoked", 6), (K, 403, "api_scope_denied", 6),
    (K, 402, "insufficient_credits", 5), (N, 401, "token_expired", 6),
    (N, 403, "disabled", 6), (N, 403, "used_up", 5), (N, 402, "used_up", 5),
]  # fmt: skip

MODEL = {K: "hailuo-pro", N: "minimax-t2v"}


@pytest.mark.parametrize(("provider", "status", "code", "exit_code"), ENDS)
async def test_an_account_that_ends_in_mid_batch_stops_its_creates_alone(
    provider, status, code, exit_code, world
):
    other = N if provider == K else K
    faults = f"""
- {{on: create, provider: {provider}, after: 3, do: {{status: {status}, code: {code}}}}}
- {{on: task, do: {{latency: 0.7}}}}
"""
    lines = [f"- {{id: a{n}, model: {MODEL[provider]}, prompt: p{n}}}" for n in range(10)]
    lines += [f"- {{id: b{n}, model: {MODEL[other]}, prompt: q{n}}}" for n in range(5)]
    async with world(faults) as here:
        here.write("jobs:\n" + "\n".join(lines) + "\n")
        done = await here.run("--in-flight", "2")
        assert done.code == exit_code
        assert code in done.err
        states = {row["key"]: row["state"] for row in here.results()}
        ended = [state for key, state in states.items() if key.startswith("a")]
        assert ended == ["stored"] * 3 + ["planned"] * 7
        assert [states[f"b{n}"] for n in range(5)] == ["stored"] * 5
        sent = [r for r in here.sandbox.requests if r.on == "create" and r.service == provider]
        assert len(sent) <= 3 + 2
        refused_at = min(request.at for request in sent if request.status == status)
        later = {r.on for r in here.sandbox.requests if r.at > refused_at and set(r.tasks)}
        assert {"poll", "download"} <= later, "what is paid for is still watched and stored"


# --- disks that end -----------------------------------------------------------------------------

JOBS = "jobs:\n" + "".join(
    f"- {{id: j{n}, model: {MODEL[K] if n % 2 else MODEL[N]}, prompt: p{n}}}\n" for n in range(20)
)


@pytest.mark.parametrize("files", [14, 18, 24, 32])
async def test_a_run_that_may_open_few_files_ends_cleanly_and_can_be_resumed(files, world):
    async with world(pace=0.05) as here:
        here.write(JOBS)

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        command = here.start("run", "manifest.yaml", "--yes", "--grace", "0", preexec_fn=few)
        with anyio.move_on_after(3):
            await until(lambda: command.poll() is not None)
        if command.poll() is None:
            command.send_signal(signal.SIGINT)
        done = await here.finish(command)
        assert done.code in (0, 3, 7, 130), done.err
        assert "Traceback" not in done.err
        assert "defect" not in done.err
        again = await here.run()
        assert again.code == 0, again.err
        assert len(here.sandbox.tasks.all()) == here.sent("create") == 20


def delete(folder):
    """Delete a folder that a program writes in: all of it goes at once."""
    aside = folder.with_name(f"{folder.name}.deleted")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


async def test_videos_that_are_deleted_during_a_run_stop_it_and_cost_nothing(world):
    async with world(pace=0.3) as here:
        here.write(JOBS)
        command = here.start("run", "manifest.yaml", "--yes", "--in-flight", "3")
        videos = here.run_folder / "videos"
        await until(lambda: len(list(videos.glob("*.mp4"))) >= 3)
        delete(videos)
        done = await here.finish(command)
        assert done.code == 7
        assert "Traceback" not in done.err
        assert str(videos) in done.err
        sent = here.sent("create")
        assert sent < 20
        again = await here.run()
        assert again.code == 0, again.err
        assert len(here.sandbox.tasks.all()) == here.sent("create") == 20
        assert (await here.call("verify", "manifest.yaml")).code == 0


async def test_a_ledger_that_is_deleted_stops_the_creates_at_once(world):
    async with world("- {on: task, do: {fail: generation_failed}}", pace=0.1) as here:
        lines = [f"- {{id: j{n}, model: hailuo-pro, prompt: p{n}}}\n" for n in range(60)]
        here.write("jobs:\n" + "".join(lines))
        command = here.start("run", "manifest.yaml", "--yes", "--in-flight", "3")
        await until(lambda: here.sent("create") >= 3)
        aside = here.run_folder.with_name("aside")
        here.run_folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        done = await here.finish(command)
        assert done.code == 7
        assert "ledger.db" in done.err
        assert here.sent("create") <= 3 + 3


@pytest.mark.parametrize("where", ["/proc/nowhere", "/dev/null/runs"])
async def test_a_run_folder_that_cannot_be_made_is_told_before_anything_is_sent(where, world):
    async with world() as here:
        here.write(JOBS)
        done = await here.run("--run-dir", where)
        assert done.code == 7
        assert where in done.err
        assert "Traceback" not in done.err
        assert here.sent("create") == 0
