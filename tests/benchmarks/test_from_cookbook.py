from __future__ import annotations

import json

import aiohttp
import pytest

from benchmarks import from_cookbook
from benchmarks.from_cookbook import ATTEMPTS, Bucket, Processor


@pytest.fixture
def done(monkeypatch):
    """Numbers of jobs in the order of their tries; a job fails the first two times."""
    tried = []

    async def one(_session, _base, number, _folder):
        tried.append(number)
        if tried.count(number) < 3:
            raise aiohttp.ClientError

    monkeypatch.setattr(from_cookbook, "one", one)
    return tried


def requests(count):
    return iter([json.dumps({"number": number}) for number in range(count)])


def test_a_bucket_gives_what_it_holds_and_is_filled_by_the_time_that_passes(monkeypatch):
    monkeypatch.setattr(from_cookbook, "REQUESTS_PER_MINUTE", 60.0)
    monkeypatch.setattr("time.time", lambda: 1003.0)
    bucket = Bucket(level=1.0, filled_at=1000.0)
    assert (bucket.take(), bucket.take()) == (True, False)
    bucket.fill()
    bucket.fill()
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


async def test_what_fails_is_tried_again_and_each_job_has_one_result(done, tmp_path):
    await Processor(None, "base", tmp_path).process(requests(4))
    assert sorted(done) == sorted(3 * list(range(4)))
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)[0]["number"] for line in lines) == [0, 1, 2, 3]
    assert ATTEMPTS > 3


async def test_a_request_that_has_to_wait_is_not_dropped(done, tmp_path, monkeypatch):
    refusals = iter([False, False])
    monkeypatch.setattr(Bucket, "take", lambda _bucket: next(refusals, True))
    await Processor(None, "base", tmp_path).process(requests(2))
    assert set(done) == {0, 1}
