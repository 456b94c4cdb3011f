"""A paid video reaches the disk whole, whatever the way from its host does to it."""

from __future__ import annotations

import hashlib
import json
import random
import resource

import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.sandbox import media
from tests.network.campaigns import K, N, jobs
from tests.network.conftest import one, until
from tests.network.hurry import hurried
from tests.network.proxy import Fault, first
from tests.storage import boxes

BOTH = pytest.mark.parametrize("provider", [K, N])

#: Videos of 15 kB, of 100 kB, and one that goes through a part on disk.
MIDDLING, LARGER, LARGEST = (boxes.mp4(bytes(range(256)) * n) for n in (60, 400, 8_000))


@pytest.fixture
def clips(monkeypatch):
    """`clips(content)`: what the sandbox's videos are made of."""
    return lambda content: monkeypatch.setattr(media, "clip", lambda _shape: content)


def source(task, edition=0):
    """A task's video as its host has it."""
    params = task.request.get("params", {})
    return media.video(params, task.id, task.prompt, 0, edition)


def assert_stored_whole(there, number=0, edition=0):
    """The job's file has the bytes of its source, and the ledger their hash."""
    (task,) = there.paid(number)
    row = there.here.row(f"job{number}")
    assert row.state is State.STORED
    content = (there.here.path / f"videos/job{number}.mp4").read_bytes()
    assert content == source(task, edition)
    (file,) = row.files
    assert (file.sha256, file.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert len(there.creates(number)) == 1


# --- cuts and resumes ---------------------------------------------------------------------------

#: Cuts of each video, fewer than the tries of a run, and how many videos make more than a hundred.
CUTS, VIDEOS = 6, 20


def cut_at_random(dice, tries, *, reset):
    """Cut the first replies for each video somewhere in what is left of it."""

    def script(asked):
        path = asked.path.partition("?")[0]
        if asked.on != "download" or tries.get(path, 0) == CUTS:
            return None
        tries[path] = tries.get(path, 0) + 1
        return Fault(reply=dice.randrange(200, 12_000), reset=reset)

    return script


@pytest.mark.parametrize("end", ["closed", "reset"])
@BOTH
def test_downloads_cut_at_a_hundred_random_places_go_on_where_they_were_cut(
    provider, end, place, clips
):
    clips(LARGER)
    tries = {}
    script = cut_at_random(random.Random(provider), tries, reset=end == "reset")

    async def night():
        async with place(script) as there:
            tally = await there.run(jobs(*[provider] * VIDEOS, downloads=8))
            assert tally.exit_code() == 0
            assert sum(tries.values()) == CUTS * VIDEOS >= 100
            for number in range(VIDEOS):
                assert_stored_whole(there, number)
            assert there.proxy.passed["download"] <= 1.2 * VIDEOS * len(LARGER)

    hurried(night, speed=100.0)


def resumed_at(asked):
    """The first byte that a download asks for."""
    return int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def test_a_download_goes_on_in_the_next_run(place, clips):
    clips(LARGEST)

    async def night():
        cut = Fault(reply=1_500_000)
        async with place(first("download", cut)) as there:

            async def stop(campaign):
                await until(lambda: there.here.told("download_trouble"))
                campaign.signalled(130)
                campaign.signalled(130)

            assert (await there.run(one(0, K), beside=stop)).exit_code() == 130
            assert there.here.row().state is State.GENERATED
            assert (await there.run(one(0, K))).exit_code() == 0
            assert_stored_whole(there)
            assert resumed_at(there.proxy.of("download")[-1]) > 1_000_000
            assert there.proxy.passed["download"] <= 1.2 * len(LARGEST)

    hurried(night, speed=5.0)


CUT = Fault(reply=9_000)
CHANGED = "- {on: download, nth: 2, do: changed}"


def test_an_object_that_changed_between_two_tries_is_never_spliced(place, monkeypatch):
    def video(_params, _task_id, _prompt, _index, edition, **_options):
        return boxes.mp4(bytes([edition]) * 15_000)

    monkeypatch.setattr(media, "video", video)

    async def night():
        async with place(first("download", CUT), faults=CHANGED) as there:
            assert (await there.run(one(0, K))).exit_code() == 0
            assert_stored_whole(there, edition=1)

    hurried(night)


@pytest.mark.parametrize(
    "what",
    ["wrong_range: 1", "wrong_range: 5000", "ignore_range", "lie: 10", "lie: -10", "no_length",
     "no_etag", "cut: 0", "status: 416", "status: 206", "status: 500", "status: 503", "status: 429",
     "reset", "gzip", "redirect: 302"],
)  # fmt: skip
def test_a_host_that_does_not_go_on_rightly_never_spoils_a_video(what, place, clips):
    clips(MIDDLING)
    action = f"{{{what}}}" if ":" in what else what
    faults = f"- {{on: download, nth: [2, 3], do: {action}}}"

    async def night():
        async with place(first("download", CUT), faults=faults) as there:
            await there.run(one(0, K))
            if there.here.row().state is State.QUARANTINED:
                assert what in ("gzip", "lie: -10"), "all else is not taken for the object"
                assert (await there.run(one(0, K))).exit_code() == 0
            assert_stored_whole(there)

    hurried(night)


# --- slowness -----------------------------------------------------------------------------------


def test_a_steady_download_may_take_longer_than_five_minutes(place, clips):
    clips(MIDDLING)
    slow = Fault(pieces=680, every=15.0)

    async def night():
        async with place(first("download", slow)) as there:
            began = anyio.current_time()
            assert (await there.run(one(0, K))).exit_code() == 0
            assert anyio.current_time() - began > 330
            assert_stored_whole(there)
            assert len(there.proxy.of("download")) == 1

    hurried(night, speed=100.0)


def test_a_byte_a_minute_is_given_up_and_the_download_begun_anew(place):
    dripping = Fault(pieces=1, every=59.0)

    async def night():
        async with place(first("download", dripping)) as there:
            began = anyio.current_time()
            assert (await there.run(one(0, K))).exit_code() == 0
            assert 60 <= anyio.current_time() - began < 400
            assert_stored_whole(there)
            assert len(there.proxy.of("download")) == 2

    hurried(night, speed=100.0)


def test_a_host_that_stops_in_the_middle_is_given_up_and_its_bytes_are_kept(place, clips):
    clips(MIDDLING)
    stopping = Fault(pieces=10_000, every=10_000.0)

    async def night():
        async with place(first("download", stopping)) as there:
            assert (await there.run(one(0, K))).exit_code() == 0
            assert_stored_whole(there)
            again = there.proxy.of("download")[1]
            assert resumed_at(again) == 10_000
            assert again.headers["if-range"]

    hurried(night, speed=100.0)


def test_slow_downloads_hold_up_no_create_and_no_look(place, clips):
    clips(MIDDLING)

    def script(asked):
        return Fault(pieces=2_000, every=10.0) if asked.on == "download" else None

    async def night():
        async with place(script) as there:
            what = jobs(*[K] * 12, in_flight=2, downloads=2)
            assert (await there.run(what)).exit_code() == 0
            last_create = max(asked.at for asked in there.proxy.of("create"))
            last_look = max(asked.at for asked in there.proxy.of("poll"))
            last_download = max(asked.at for asked in there.proxy.of("download"))
            assert last_create < last_download - 100
            assert last_look < last_download - 100

    hurried(night, speed=400.0)


# --- what is no video ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["truncated", "html", "empty", "gzip: 20000000", "endless"])
@BOTH
def test_what_is_no_whole_video_is_set_aside_and_the_good_one_is_stored_later(
    provider, what, place
):
    action = f"{{{what}}}" if ":" in what else what

    async def night():
        faults = f"- {{on: download, nth: 1, do: {action}}}"
        async with place(faults=faults) as there:
            there.here.urls = there.proxy.behind
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert (await there.run(one(0, provider))).exit_code() == 1
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert what != "endless" or grown < 64 * 1024, "kilobytes"
            row = there.here.row()
            assert (row.state, row.attempt.error_class) == (State.QUARANTINED, "invalid_media")
            assert not (there.here.path / "videos/job0.mp4").exists()
            assert sum(path.stat().st_size for path in there.here.path.rglob("*.bin")) <= 2**23
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert there.here.row().state is State.STORED
            assert len(there.paid()) == 1

    hurried(night)


# --- links that run out -------------------------------------------------------------------------


@pytest.mark.parametrize("refusals", [1, 2, 3])
@BOTH
def test_a_link_that_ran_out_is_asked_for_anew_up_to_three_times(provider, refusals, place):
    faults = f"- {{on: download, times: {refusals}, do: expired}}"

    async def night():
        async with place(faults=faults) as there:
            assert (await there.run(one(0, provider))).exit_code() == 0
            assert_stored_whole(there)
            assert len(there.proxy.of("poll")) == 1 + refusals

    hurried(night, speed=200.0)


@pytest.mark.parametrize("status", [403, 404, 410])
@BOTH
def test_a_result_that_stays_out_of_reach_is_expired_and_names_its_task(provider, status, place):
    faults = f"- {{on: download, do: {{status: {status}}}}}"

    async def night():
        async with place(faults=faults) as there:
            assert (await there.run(one(0, provider))).exit_code() == 1
            (task,) = there.paid()
            row = there.here.row()
            assert (row.state, row.attempt.error_class) == (State.QUARANTINED, "expired")
            assert (row.attempt.task_id, len(there.proxy.of("download"))) == (task.id, 4)
            assert task.id in row.attempt.error_message
            assert len(there.creates()) == 1

    hurried(night, speed=200.0)


def test_a_download_that_keeps_breaking_is_tried_eight_times_and_left_for_the_next_run(place):
    broken = [True]

    def script(asked):
        return Fault(reply=0, reset=True) if broken and asked.on == "download" else None

    async def night():
        async with place(script) as there:
            assert (await there.run(one(0, K))).exit_code() == 3
            assert there.here.row().state is State.GENERATED
            assert len(there.here.told("download_trouble")) == 8
            broken.clear()
            assert (await there.run(one(0, K))).exit_code() == 0
            assert_stored_whole(there)
            sidecar = json.loads((there.here.path / "videos/job0.json").read_text())
            assert sidecar["task_id"] == there.paid()[0].id

    hurried(night, speed=200.0)
