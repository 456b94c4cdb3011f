from __future__ import annotations

import pytest

from benchmarks.loops import LOOPS, Taken, in_turns, missing, of_keeping, rows
from benchmarks.throughput import measure, sandbox

JOBS = 3
BARE, KEEPING, ENGINE = LOOPS[0], LOOPS[-2], LOOPS[-1]


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with sandbox(tmp_path_factory.mktemp("sandbox"), 65_536) as base:
        yield base


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.module)
def test_every_loop_stores_the_video_of_every_job(loop, provider, tmp_path):
    if loop.module in missing():
        pytest.skip(missing()[loop.module])
    taken = measure(loop.module, provider, JOBS, tmp_path / "made")
    videos = [path.read_bytes() for path in (tmp_path / "made").rglob("*.mp4")]
    assert [(len(video), video[4:8]) for video in videos] == JOBS * [(65_536, b"ftyp")]
    assert taken["seconds"] > 0
    assert taken["cpu"] > 0


def test_each_turn_begins_with_another_loop_and_slow_ones_have_a_part_of_it(monkeypatch, tmp_path):
    seen = []

    def measured(module, base, jobs, folder):
        seen.append((module, jobs, folder.name))
        return {"seconds": 1.0, "cpu": 0.5}

    monkeypatch.setattr("benchmarks.loops.measure", measured)
    slow = BARE._replace(module="slow", jobs=5, turns=2)
    found = in_turns([BARE, ENGINE, slow], "base", 10, 3, tmp_path)
    assert seen == [
        ("bare", 10, "bare-0"), ("engine", 10, "engine-0"), ("slow", 2, "slow-0"),
        ("engine", 10, "engine-1"), ("bare", 10, "bare-1"),
        ("slow", 2, "slow-2"), ("bare", 10, "bare-2"), ("engine", 10, "engine-2"),
    ]  # fmt: skip
    assert [one.turn for one in found[slow]] == [0, 2]


def test_the_ratio_is_the_median_of_those_within_one_turn():
    found = {
        BARE: [Taken(0, 100, 1.0, 0.1), Taken(1, 100, 2.0, 0.1), Taken(2, 100, 4.0, 0.1)],
        ENGINE: [Taken(0, 100, 2.0, 0.2), Taken(1, 100, 8.0, 0.3), Taken(2, 100, 5.0, 0.4)],
    }
    bare, engine = rows(found)
    assert bare == (BARE.name, "50", "1.00 ms", "1.00", "100", "3")
    assert engine == (ENGINE.name, "20", "3.00 ms", "0.50", "100", "3")


def test_the_engine_is_held_against_the_loop_that_keeps_the_same():
    found = {
        BARE: [Taken(turn, 100, 0.5, 0.1) for turn in range(3)],
        KEEPING: [Taken(0, 100, 1.0, 0.1), Taken(1, 100, 2.0, 0.1), Taken(2, 100, 4.0, 0.1)],
        ENGINE: [Taken(0, 100, 2.0, 0.2), Taken(1, 100, 8.0, 0.3), Taken(2, 100, 5.0, 0.4)],
    }
    assert of_keeping(found) == 0.5
