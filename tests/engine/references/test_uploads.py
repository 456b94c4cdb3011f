"""Uploads: what a create needs at the provider is there once, and is what was planned."""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from orchestrator.engine.references.uploads import REUSED_FOR, TRIES, Uploads
from orchestrator.engine.tally import Reason
from orchestrator.jobs import Job, Reference, State
from orchestrator.ledger.sqlite.ledger import MEMORY, open_ledger
from orchestrator.ledger.store import UploadRecord
from orchestrator.manifest.model import Budget as Caps
from orchestrator.providers.base import Fault
from orchestrator.providers.origins import Origin
from orchestrator.providers.transport import Lost, NotSent, Transport
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, K, account_of, error, made, reply
from tests.engine.virtual import EPOCH

PICTURE = b"\x89PNG" + bytes(range(256)) * 20
URL = "https://cdn.example.com/first.png?X-Amz-Signature=5ec4e7"


def local(path, content=PICTURE, **more):
    """A reference to a local file that is written here."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Reference(
        "image", path=str(path), sha256=digest, size=len(content), mime_type="image/png", **more
    )


def job(*references, number=1):
    made_spec = spec(number, references=references)
    return Job(made_spec, {}, "f" * 64, "s" * 64, 57.0)


# --- against a real server ----------------------------------------------------------------------


class Files:
    """A Files API that keeps what it is given."""

    def __init__(self):
        self.uploads = []
        #: A status for each upload in turn; 200 where nothing is left.
        self.statuses = []

    async def take(self, request):
        form = await request.post()
        file = form["file"]
        self.uploads.append(
            {
                "authorization": request.headers["Authorization"],
                "kind": form["kind"],
                "model": form["model"],
                "name": file.filename,
                "type": file.content_type,
                "content": file.file.read(),
            }
        )
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return web.json_response(
                {"error": {"code": f"c{status}", "message": "no"}}, status=status
            )
        number = len(self.uploads)
        return web.json_response(
            {"url": f"https://files.example.com/{number}", "duration_token": f"t{number}"}
        )


@asynccontextmanager
async def uploading(*, ledger=None, fetch=None):
    """Uploads of an account at a real server, and the server."""
    files = Files()
    app = web.Application()
    app.router.add_post("/api/v1/files", files.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        origin = Origin.from_url(f"http://127.0.0.1:{port}")
        async with (
            Transport(origin, "a-key", create_timeout=5) as transport,
            account_of(K, transport=transport, ledger=ledger) as account,
        ):
            with anyio.fail_after(20):
                yield Uploads(account, fetch), files
    finally:
        await runner.cleanup()


async def test_a_local_file_goes_up_as_it_is_and_its_url_into_the_create(tmp_path):
    async with uploading() as (uploads, files):
        (wired,) = await uploads.wire(job(local(tmp_path / "first.png", name="One")))
    assert files.uploads == [
        {
            "authorization": "Bearer a-key",
            "kind": "image",
            "model": "hailuo-pro",
            "name": "One",
            "type": "image/png",
            "content": PICTURE,
        }
    ]
    assert (wired.url, wired.kind, wired.name) == ("https://files.example.com/1", "image", "One")
    assert wired.duration_token == "t1"


async def test_a_file_without_a_name_is_called_as_on_disk(tmp_path):
    async with uploading() as (uploads, files):
        await uploads.wire(job(local(tmp_path / "bottle.png")))
    assert files.uploads[0]["name"] == "bottle.png"


async def test_what_the_manifest_says_of_the_duration_comes_before_what_the_upload_says(tmp_path):
    stated = local(tmp_path / "a.png", duration_token="mine", duration_seconds=4.0)
    async with uploading() as (uploads, _):
        (wired,) = await uploads.wire(job(stated))
    assert (wired.duration_token, wired.duration_seconds) == ("mine", 4.0)


async def test_one_content_goes_up_once_however_many_jobs_need_it_at_once(tmp_path):
    same = [local(tmp_path / f"{name}.png") for name in "abc"]
    async with uploading() as (uploads, files):
        found = []

        async def wire(reference):
            found.extend(await uploads.wire(job(reference)))

        async with anyio.create_task_group() as tasks:
            for reference in same * 3:
                tasks.start_soon(wire, reference)
    assert len(files.uploads) == 1
    assert {wired.url for wired in found} == {"https://files.example.com/1"}


async def test_references_keep_their_order(tmp_path):
    one = local(tmp_path / "a.png", PICTURE + b"1")
    two = local(tmp_path / "b.png", PICTURE + b"2")
    async with uploading() as (uploads, _):
        first = await uploads.wire(job(one, two))
        second = await uploads.wire(job(two, one))
    assert [wired.url[-1] for wired in first + second] == ["1", "2", "2", "1"]


async def test_a_url_is_passed_on_unchanged_and_nothing_is_uploaded():
    async with uploading() as (uploads, files):
        (wired,) = await uploads.wire(job(Reference("image", url=URL)))
    assert (wired.url, files.uploads) == (URL, [])


async def test_a_url_to_be_uploaded_is_fetched_first_and_nothing_of_it_stays_on_disk():
    paths = []

    async def fetch(url, path, most):
        paths.append((url, path, most))
        Path(path).write_bytes(PICTURE)  # noqa: ASYNC240 - virtual time waits for no thread

    async with uploading(fetch=fetch) as (uploads, files):
        (wired,) = await uploads.wire(job(Reference("image", url=URL, upload=True)))
    ((url, path, most),) = paths
    assert (url, most) == (URL, 10 * 1024 * 1024)
    assert not path.parent.exists()
    assert files.uploads[0]["content"] == PICTURE
    assert wired.url == "https://files.example.com/1"


async def test_a_file_that_changed_since_it_was_planned_is_not_sent(tmp_path):
    reference = local(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(b"another")
    async with uploading() as (uploads, files):
        fault = await uploads.wire(job(reference))
    assert (fault.code, files.uploads) == ("file_changed", [])


async def test_a_file_that_is_gone_is_told_with_its_path(tmp_path):
    reference = local(tmp_path / "a.png")
    (tmp_path / "a.png").unlink()
    async with uploading() as (uploads, _):
        fault = await uploads.wire(job(reference))
    assert fault.code == "file_unreadable"
    assert str(tmp_path / "a.png") in fault.message


async def test_what_was_refused_is_tried_again_by_the_next_job(tmp_path):
    reference = local(tmp_path / "a.png")
    async with uploading() as (uploads, files):
        files.statuses = [400]
        first = await uploads.wire(job(reference))
        second = await uploads.wire(job(reference))
    assert (first.fault.code, second[0].url) == ("c400", "https://files.example.com/2")


@pytest.mark.parametrize(("age", "sent"), [(REUSED_FOR - 1, 0), (REUSED_FOR + 1, 1), (-5.0, 1)])
async def test_an_upload_of_an_earlier_run_is_used_again_for_twelve_hours(tmp_path, age, sent):
    reference = local(tmp_path / "a.png")
    ledger = open_ledger(Path(), campaign="told", clock=lambda: EPOCH, database=MEMORY)
    at = EPOCH + anyio.current_time() - age
    await ledger.record_upload(
        UploadRecord(
            K, reference.sha256, "hailuo-pro", "https://files.example.com/0", None, 2.5, at
        )
    )
    async with uploading(ledger=ledger) as (uploads, files):
        (wired,) = await uploads.wire(job(reference))
    assert len(files.uploads) == sent
    assert wired.duration_seconds == (None if sent else 2.5)


async def test_an_upload_is_remembered_for_the_next_run(tmp_path):
    reference = local(tmp_path / "a.png")
    ledger = open_ledger(Path(), campaign="told", clock=lambda: EPOCH, database=MEMORY)
    records = []
    ledger.close = lambda: records.extend(ledger.uploads(K))
    async with uploading(ledger=ledger) as (uploads, _):
        await uploads.wire(job(reference))
    (record,) = records
    assert (record.sha256, record.url) == (reference.sha256, "https://files.example.com/1")


# --- within a run, in virtual time --------------------------------------------------------------


def bench_with(*answers):
    """A bench that fetches every URL; its Files API answers so, in turn, and well after that."""
    bench = Bench()

    async def fetch(url, path, most):
        Path(path).write_bytes(PICTURE)  # noqa: ASYNC240 - virtual time waits for no thread

    bench.fetch = fetch
    wire = bench.wires[K]
    wire.looks.extend(answers)
    return bench


GOOD = reply(200, {"url": "https://files.example.com/1"})


def referring(number=1, **fields):
    return spec(number, references=(Reference("image", url=URL, upload=True),), **fields)


TROUBLES = {
    "lost": Lost("cut"),
    "429": error(429, "rate_limited", retry_after="30"),
    "503": error(503, "public_api_disabled"),
    "no url": reply(200, {}),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_an_unclear_upload_is_sent_again_until_it_is_clear(trouble):
    bench = bench_with(*[trouble] * 4, GOOD)
    assert bench.run(manifest([referring()])).exit_code() == 0
    (body,) = bench.wires[K].bodies()
    assert json.loads(body)["params"]["referenceMediaItems"][0]["url"] == (
        "https://files.example.com/1"
    )


def test_an_upload_that_is_throttled_waits_as_long_as_it_is_told():
    bench = bench_with(error(429, "rate_limited", retry_after="30"), GOOD)
    bench.run(manifest([referring()]))
    first, second = [at for at, request in bench.wires[K].asked if request.upload is not None]
    assert second - first >= 30


def test_a_job_whose_reference_is_refused_has_failed_without_a_create_and_alone():
    bench = bench_with(error(400, "validation_failed"))
    tally = bench.run(manifest([referring(1), spec(2)]))
    assert tally.exit_code() == 1
    assert bench.states() == {"job1": State.FAILED, "job2": State.STORED}
    assert len(bench.wires[K].sent) == 1
    assert bench.row("job1").attempt.error_class == "rejected"
    assert bench.row("job1").attempt.charge == 0.0
    assert [found.slots.held for found in bench.campaign.accounts] == [0, 0]


def test_a_reference_that_cannot_be_had_leaves_its_job_for_a_later_run():
    bench = Bench()

    async def fetch(url, path, most):
        return Fault("reference_unreachable", "its host is gone")

    bench.fetch = fetch
    tally = bench.run(manifest([referring(1), spec(2)]))
    assert tally.exit_code() == 3
    assert bench.states() == {"job1": State.PLANNED, "job2": State.STORED}
    assert "its host is gone" in tally.reasons[Reason.UNFINISHED][0]
    assert [found.slots.held for found in bench.campaign.accounts] == [0, 0]


def test_an_upload_that_provably_never_left_is_tried_as_long_as_it_takes():
    bench = bench_with(*[NotSent("no connection could be made")] * 50, GOOD)
    assert bench.run(manifest([referring()])).exit_code() == 0


def test_a_probe_whose_reference_cannot_be_had_leaves_the_probing_to_another():
    bench = Bench()

    async def fetch(url, path, most):
        return Fault("reference_unreachable", "its host is gone")

    bench.fetch = fetch
    bench.wires[K].creates.extend([error(409, "idempotency_conflict")] * 3)
    jobs = [*(spec(n) for n in range(3)), referring(3), spec(4)]
    bench.run(manifest(jobs, in_flight=1))
    assert bench.row("job4").state is State.STORED


def test_an_upload_that_stays_unclear_leaves_its_job_for_a_later_run():
    bench = bench_with(*[error(503, "public_api_disabled")] * TRIES)
    assert bench.run(manifest([referring()])).exit_code() == 3
    assert bench.row().state is State.PLANNED
    assert bench.wires[K].sent == []


def test_a_signal_calls_an_upload_back():
    bench = bench_with(*[Lost("cut")] * 1000)

    async def interrupt(campaign):
        await anyio.sleep(100)
        campaign.signalled(130)

    began = bench.now
    assert bench.run(manifest([referring()]), beside=interrupt).exit_code() == 130
    assert bench.now - began < 102
    assert bench.row().state is State.PLANNED
    assert bench.row().attempt is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [(error(401, "api_key_revoked"), 6), (error(403, "api_scope_denied"), 6)],
)
def test_an_upload_that_says_the_key_is_wrong_stops_creates_and_fails_no_job(answer, code):
    bench = bench_with(*[answer] * 3)
    tally = bench.run(manifest([referring(n) for n in range(3)], in_flight=1))
    assert set(bench.states().values()) == {State.PLANNED}
    assert tally.exit_code() == code


def test_a_probe_whose_reference_is_refused_leaves_the_probing_to_another():
    bench = bench_with(error(400, "validation_failed"))
    bench.wires[K].creates.extend([error(409, "idempotency_conflict")] * 3)
    jobs = [*(spec(n) for n in range(3)), referring(3), spec(4)]
    bench.run(manifest(jobs, in_flight=1))
    assert bench.row("job4").state is State.STORED


def test_an_upload_is_used_no_longer_than_twelve_hours_within_one_run_either():
    bench = bench_with(GOOD)
    bench.wires[K].creates.extend([made(K, "told_1"), made(K, "told_2")])

    async def open_for_long(request):
        if request.upload is not None:
            return GOOD
        done = anyio.current_time() > REUSED_FOR + 100
        task_id = request.path.rpartition("/")[2]
        if not done:
            return reply(200, {"id": task_id, "status": "processing"})
        url = f"https://cdn.example.com/{task_id}.mp4"
        return reply(200, {"id": task_id, "status": "succeeded", "result": {"primary_url": url}})

    bench.wires[K].always = open_for_long
    jobs = [referring(1), referring(2)]
    bench.run(manifest(jobs, in_flight=1, give_up_after=1e6, poll_every=600.0))
    uploads = [request for _, request in bench.wires[K].asked if request.upload is not None]
    assert len(uploads) == 2


def test_the_log_does_not_tell_the_signature_of_a_reference():
    bench = bench_with(GOOD)
    assert bench.run(manifest([referring()])).exit_code() == 0
    assert "5ec4e7" not in bench.log.getvalue()


def test_a_refused_reference_after_a_429_counts_as_one_attempt():
    bench = bench_with(GOOD, error(400, "validation_failed"))
    bench.wires[K].creates.append(error(429, "rate_limited", retry_after="300"))

    async def interrupt(campaign):
        await anyio.sleep(20)
        campaign.signalled(130)

    bench.run(manifest([referring()]), beside=interrupt)
    bench.now += REUSED_FOR
    bench.run(manifest([referring()]))
    attempts = bench.ledger.attempts_made()
    account = next(found for found in bench.campaign.accounts if found.provider.name == K)
    assert account.run.budget.attempts == attempts


def test_what_was_never_sent_takes_no_place_under_a_cap_of_creates():
    bench = bench_with(error(400, "validation_failed"))
    caps = Caps(jobs=1)
    bench.run(manifest([referring(1)], caps=caps))
    assert bench.row().state is State.FAILED
    assert bench.run(manifest([referring(1), spec(2)], caps=caps)).exit_code() == 1
    assert bench.row("job2").state is State.STORED
