"""Collect: a paid video reaches the disk whole, or it is told why not; nothing is paid again."""

from __future__ import annotations

import hashlib
import itertools
import json

import anyio
import pytest

from orchestrator.engine.attempt import reopened
from orchestrator.engine.collect import ROOM_WAIT, WAITS, Collector
from orchestrator.errors import DiskError, LedgerError
from orchestrator.jobs import State
from orchestrator.manifest.model import Limits
from orchestrator.storage.local import LocalStorage
from orchestrator.storage.outcomes import Invalid, NoRoom, Taken, Transient
from tests.engine.campaigns import manifest, spec
from tests.engine.material import (
    Bench,
    Hasty,
    K,
    N,
    account_of,
    document,
    hosting,
    made,
    reply,
)
from tests.storage.boxes import mp4
from tests.storage.host import Host, raw

VIDEO = mp4(bytes(range(256)) * 64)

# --- from a real host to a real disk ------------------------------------------------------------


def generated():
    """A bench whose one job has a task that succeeded."""
    bench = Bench()
    jobs = manifest([spec(1)])
    bench.admit(jobs)
    bench.intend()
    bench.put("accepted", State.SUBMITTED, task_id="told", submitted_at=bench.wall())
    bench.put("generated", State.GENERATED)
    return bench


class Work:
    """One collector over a real store and a real host, and what became of its job."""

    def __init__(self, folder, data=VIDEO):
        self.folder = folder
        self.bench = generated()
        self.host = Host(data)
        self.clock = Hasty()
        self.looks = 0
        self.tally = None

    def collect(self, *paths):
        """Collect these paths of the host, until the job is done with."""
        anyio.run(self._collect, paths or ("a.mp4",))
        return self.bench.row()

    def collect_twice(self, between):
        """Collect, and once more from the same host after `between`."""

        async def both():
            async with self.host:
                await self._collect_from(self.host, ("a.mp4",))
                between()
                await self._collect_from(self.host, ("a.mp4",))

        anyio.run(both)
        return self.bench.row()

    async def _collect(self, paths):
        async with self.host as host:
            await self._collect_from(host, paths)

    async def _collect_from(self, host, paths):
        self.bench.ledger.close = lambda: None
        limits = Limits(downloads=2)
        async with (
            hosting(idle_timeout=5.0) as client,
            account_of(K, limits, ledger=self.bench.ledger, clock=self.clock) as account,
        ):
            urls = tuple(f"{host.url.rpartition('/')[0]}/{path}?sig=5ec4e7" for path in paths)

            def look_again(attempt):
                self.looks += 1
                collector.add(attempt, urls)

            store = LocalStorage(self.folder)
            collector = Collector(account, store, client, look_again)
            account.run.opened()
            collector.add(reopened(self.bench.row()), urls)
            with anyio.fail_after(20):
                await account.run.idle()
            self.tally = account.run.tally
            assert account.backlog == 0
            await store.sweep()

    def files(self):
        """What is in the run folder."""
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        )


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return Work(folder)


def test_a_video_is_stored_with_where_it_came_from_beside_it(work):
    row = work.collect()
    (file,) = row.files
    assert row.state is State.STORED
    assert (work.folder / file.path).read_bytes() == VIDEO
    assert file.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert work.files() == ["videos/job1.json", "videos/job1.mp4"]
    told = json.loads((work.folder / "videos/job1.json").read_text())
    assert (told["key"], told["task_id"]) == ("job1", "told")
    assert told["file"]["sha256"] == file.sha256
    assert (work.tally.stored_now, work.tally.bytes_now) == (1, len(VIDEO))


def test_no_credential_goes_to_the_results_host(work):
    work.collect()
    assert not {"authorization", "cookie"} & work.host.requests[0].keys()


def test_several_results_are_all_stored_and_numbered(work):
    row = work.collect("a.mp4", "b.mp4", "c.mp4")
    paths = ["videos/job1.mp4", "videos/job1.2.mp4", "videos/job1.3.mp4"]
    assert [file.path for file in row.files] == paths
    assert {path for path in work.files() if path.endswith(".json")} == {
        path.replace(".mp4", ".json") for path in paths
    }


def test_a_download_that_is_cut_goes_on_where_it_was_cut(work):
    work.host.cuts = [5000, 9000]
    assert work.collect().state is State.STORED
    assert (work.folder / "videos/job1.mp4").read_bytes() == VIDEO
    assert work.host.body_bytes <= 1.2 * len(VIDEO) + 14_000
    assert work.clock.waits == [1.0, 2.0]


def test_a_page_in_place_of_a_video_is_quarantined_and_kept(work):
    work.host.data = b"<!doctype html><title>Sorry</title>" * 10
    row = work.collect()
    assert (row.state, row.attempt.error_class) == (State.QUARANTINED, "invalid_media")
    (kept,) = [path for path in work.files() if path.endswith(".bin")]
    assert kept in row.attempt.error_message
    assert row.files == ()


def test_a_url_that_its_host_refuses_is_asked_for_anew_three_times(work):
    work.host.script = [raw(status="403 Forbidden")] * 9
    row = work.collect()
    assert work.looks == 3
    assert work.clock.waits == [5.0, 20.0, 60.0]
    assert (row.state, row.attempt.error_class) == (State.QUARANTINED, "expired")
    assert "told" in row.attempt.error_message


def test_a_fresh_url_that_works_is_enough(work):
    work.host.script = [raw(status="410 Gone")] * 2
    assert work.collect().state is State.STORED


def test_a_file_of_somebody_elses_is_never_overwritten(work):
    (work.folder / "videos").mkdir()
    (work.folder / "videos/job1.mp4").write_bytes(b"mine")
    row = work.collect()
    assert [file.path for file in row.files] == ["videos/job1.2.mp4"]
    assert (work.folder / "videos/job1.mp4").read_bytes() == b"mine"


def test_a_video_that_reached_the_disk_and_not_the_ledger_is_adopted(work):
    def refuse(event):
        if event.kind == "stored":
            raise LedgerError("the disk is full")

    def mended():
        assert work.bench.row().state is State.GENERATED
        assert work.tally.exit_code() == 7
        work.bench.ledger.before = None

    work.bench.ledger.before = refuse
    assert work.collect_twice(mended).state is State.STORED
    assert work.host.body_bytes == len(VIDEO), "it was not fetched again"
    assert work.files() == ["videos/job1.json", "videos/job1.mp4"]


def test_a_folder_that_takes_no_files_stops_creates_and_is_told(work):
    (work.folder / "videos").write_text("a file where the folder belongs")
    assert work.collect().state is State.GENERATED
    assert work.tally.exit_code() == 7


def test_a_busy_host_is_obeyed(work):
    work.host.script = [raw(status="429 Slow down", Retry_After="77")]
    assert work.collect().state is State.STORED
    assert work.clock.waits == [77.0]


# --- within a run, in virtual time --------------------------------------------------------------


def downloading(*outcomes, world=None):
    """A bench whose downloads end so, in turn, and well after that; when they began."""
    bench = Bench() if world is None else Bench(world)
    left, real, began = list(outcomes), bench.store.fetch, []

    async def fetch(url, target, **how):
        began.append(anyio.current_time())
        outcome = left.pop(0) if left else None
        if outcome is not None:
            await anyio.sleep(0.1)
            raise outcome
        return await real(url, target, **how)

    bench.store.fetch = fetch
    return bench, began


def test_a_download_is_tried_eight_times_and_then_left_for_the_next_run():
    bench, began = downloading(*[Transient("cut")] * 8)
    jobs = manifest([spec(1)])
    assert bench.run(jobs).exit_code() == 3
    assert bench.row().state is State.GENERATED
    assert len(began) == 1 + len(WAITS) >= 5
    waits = [later - sooner for sooner, later in itertools.pairwise(began)]
    assert waits == pytest.approx(WAITS, abs=0.2)
    assert bench.run(jobs).exit_code() == 0
    assert len(bench.wires[K].sent) == 1


def test_success_without_a_url_is_quarantined_with_the_raw_reply():
    bench = Bench()
    bench.wires[K].creates.append(made(K, "told"))
    bench.wires[K].looks.append(reply(200, {"id": "told", "status": "succeeded", "result": {}}))
    assert bench.run(manifest([spec(1)])).exit_code() == 1
    assert bench.row().attempt.error_code == "no_url"
    kept = [
        logged.event.note["reply"]
        for logged in bench.ledger.events()
        if "reply" in logged.event.note
    ]
    assert ["succeeded" in text and "told" in text for text in kept] == [True]


def test_what_does_not_verify_is_quarantined_and_costs_what_it_costs():
    bench, _ = downloading(Invalid("it is no MP4", "quarantine/job1.bin"))
    assert bench.run(manifest([spec(1), spec(2)])).exit_code() == 1
    row = bench.row("job1")
    assert (row.state, row.attempt.charge) == (State.QUARANTINED, 57.0)
    assert row.attempt.error_message == "it is no MP4; kept as quarantine/job1.bin"
    assert bench.row("job2").state is State.STORED


def test_a_full_disk_pauses_creates_until_a_download_finds_room():
    bench, began = downloading(*[NoRoom("the disk is full")] * 20)
    jobs = manifest([spec(n) for n in range(6)], in_flight=1)
    assert bench.run(jobs).exit_code() == 0
    assert len(bench.notes("no_room")) == 1
    found_room = began[20]
    assert found_room - began[0] >= 9 * ROOM_WAIT
    while_full = [at for at in bench.wires[K].times() if began[0] + 1 < at < found_room]
    assert while_full == []


def test_a_disk_that_fails_stops_creates_and_the_rest_is_saved():
    bench, _ = downloading(DiskError("the disk is read-only"))
    tally = bench.run(manifest([spec(n) for n in range(5)], in_flight=1))
    assert tally.exit_code() == 7
    assert len(bench.wires[K].sent) <= 2
    assert bench.run(manifest([spec(n) for n in range(5)])).exit_code() == 0


def test_no_more_downloads_run_at_once_than_the_manifest_says():
    bench = Bench()
    real, running, most = bench.store.fetch, [0], [0]

    async def fetch(url, target, **how):
        running[0] += 1
        most[0] = max(most[0], running[0])
        await anyio.sleep(500)
        running[0] -= 1
        return await real(url, target, **how)

    bench.store.fetch = fetch
    bench.run(manifest([spec(n) for n in range(20)], in_flight=20, downloads=3))
    assert most[0] == 3


def test_results_that_pile_up_hold_creates_back():
    bench = Bench()
    real = bench.store.fetch

    async def fetch(url, target, **how):
        await anyio.sleep(5000)
        return await real(url, target, **how)

    bench.store.fetch = fetch
    bench.run(
        manifest([spec(n) for n in range(60)], in_flight=10, downloads=1, creates_per_minute=600)
    )
    late = [at for at in bench.wires[K].times() if at > 4000]
    assert 60 - len(late) <= 1 + 16 + 10 + 1


def test_a_defect_in_one_download_stays_with_its_job():
    bench, _ = downloading(ZeroDivisionError("a defect"))
    tally = bench.run(manifest([spec(1), spec(2)]))
    assert sorted(bench.states().values()) == [State.GENERATED, State.STORED]
    assert tally.exit_code() == 3


def test_a_name_that_is_taken_is_told():
    bench, _ = downloading(Taken("videos/job1.mp4"))
    assert bench.run(manifest([spec(1)])).exit_code() == 0
    assert [file.path for file in bench.row().files] == ["videos/job1.2.mp4"]
    assert bench.notes("name_taken")[0]["path"] == "videos/job1.mp4"


def test_the_file_of_an_edited_job_moves_aside_before_its_key_is_used_again():
    bench = Bench()
    bench.run(manifest([spec(1)]))
    old = bench.row().fingerprint
    bench.run(manifest([spec(1, prompt="another")]))
    (former,) = [row for row in bench.ledger.rows() if row.fingerprint == old]
    assert former.files[0].path.startswith("videos/superseded/job1")
    assert former.files[0].path in bench.world.files
    assert bench.row().files[0].path == "videos/job1.mp4"
    assert former.state is State.STORED


def test_room_that_one_account_finds_lets_the_others_create_again():
    bench, _ = downloading(*[NoRoom("the disk is full")] * 10)
    failing = bench.wires[N]
    failing.creates.extend([made(N, "told_1"), made(N, "told_2")])
    failing.views = {
        "told_1": [*[document(N, "told_1", "open")] * 8, document(N, "told_1", "failed")]
    }
    jobs = manifest([spec(1), spec(2, N), spec(3, N)], in_flight=1)
    bench.run(jobs)
    assert bench.row("job3").state is State.STORED


def test_a_success_without_a_url_ends_the_run_soon_where_the_ledger_fails():
    bench = Bench()
    bench.wires[K].creates.append(made(K, "told"))
    bench.wires[K].views = {"told": [{"id": "told", "status": "succeeded", "result": {}}]}

    def refuse(event):
        if event.kind == "no_url":
            raise LedgerError("the disk is full")

    bench.ledger.before = refuse
    began = bench.now
    assert bench.run(manifest([spec(1)])).exit_code() == 7
    assert bench.now - began < 600
