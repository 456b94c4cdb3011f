"""The sidecar: everything that made a video, and nothing that signs a URL."""

from __future__ import annotations

import json

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.engine.attempt import reopened
from orchestrator.engine.sidecar import describer
from orchestrator.jobs import Reference, State
from orchestrator.ledger.store import StoredFile
from orchestrator.plan.plan import make_plan
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, K, N
from tests.engine.virtual import EPOCH

FILE = StoredFile("videos/job1.mp4", 1000, "a" * 64, 5.0, 640, 360)
SIGNED = "https://cdn.example.com/first.png?X-Amz-Signature=5ec4e7"


def told(name=K, *, body=b'{"prompt": "a cup"}', with_job=False, **fields):
    """What is told of the one file of a job whose task has ended, and the job's fingerprint."""
    bench = Bench()
    jobs = manifest([spec(1, name, tags=("hero",), axes={"style": "noir"}, **fields)])
    bench.admit(jobs)
    bench.put(
        "intent",
        State.SUBMITTING,
        idempotency_key="key-1",
        body=body,
        first_sent_at=EPOCH,
        estimated=57.0,
    )
    bench.put("accepted", State.SUBMITTED, task_id="told", trace="req_1", submitted_at=EPOCH)
    bench.put(
        "generated",
        State.GENERATED,
        urls=("https://cdn.example.com/a.mp4",),
        reserved=57.0,
        final=56.5,
        generated_at=EPOCH + 90.5,
    )
    planned = make_plan(jobs, shipped()).entries[0].job
    attempt = reopened(bench.row(), planned if with_job else None)
    return describer(attempt, bench.ledger)(FILE), planned.fingerprint


@pytest.mark.parametrize("with_job", [True, False], ids=["of this run", "of an earlier run"])
def test_it_tells_all_that_is_needed_to_make_the_video_again(with_job):
    found, fingerprint = told(with_job=with_job, params={"prompt_optimizer": "true"})
    assert found == {
        "schema_version": 1,
        "campaign": "told",
        "key": "job1",
        "id": "job1",
        "axes": {"style": "noir"},
        "take": 1,
        "tags": ["hero"],
        "provider": "rivya",
        "model": "hailuo-pro",
        "prompt": "prompt 1",
        "params": {"prompt_optimizer": "true"},
        "references": [],
        "fingerprint": fingerprint,
        "request": {"prompt": "a cup"},
        "attempt": 1,
        "task_id": "told",
        "trace": "req_1",
        "idempotency_key": "key-1",
        "credits": {"estimated": 57.0, "reserved": 57.0, "final": 56.5},
        "submitted_at": "2026-05-11T00:00:00.000Z",
        "generated_at": "2026-05-11T00:01:30.500Z",
        "urls": ["https://cdn.example.com/a.mp4"],
        "file": {
            "path": "videos/job1.mp4",
            "bytes": 1000,
            "sha256": "a" * 64,
            "duration_s": 5.0,
            "width": 640,
            "height": 360,
        },
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_is_not_known_is_null_and_never_0():
    bench = Bench()
    bench.admit(manifest([spec(1, N)]))
    bench.put("intent", State.SUBMITTING)
    found = describer(reopened(bench.row()), bench.ledger)(FILE)
    assert found["credits"] == {"estimated": None, "reserved": None, "final": None}
    assert (found["request"], found["submitted_at"], found["generated_at"]) == (None, None, None)


@pytest.mark.parametrize("with_job", [True, False], ids=["of this run", "of an earlier run"])
def test_no_url_keeps_its_query(with_job):
    body = {"params": {"referenceMediaItems": [{"url": SIGNED}]}, "first_image_url": SIGNED}
    found, _ = told(
        body=json.dumps(body).encode(),
        with_job=with_job,
        references=(Reference("image", url=SIGNED),),
    )
    text = json.dumps(found)
    assert text.count("https://cdn.example.com/first.png") == 3
    assert "5ec4e7" not in text


def test_a_prompt_stays_as_it_was_sent():
    prompt = "like https://example.com/look?at=this, but blue"
    found, _ = told(body=json.dumps({"prompt": prompt}).encode(), prompt=prompt)
    assert found["prompt"] == found["request"]["prompt"] == prompt
