from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.jobs import State
from orchestrator.ledger.store import Admission, StoredFile
from orchestrator.report import facts as facts_module
from orchestrator.report.page import read
from tests.ledger.material import make_job, write
from tests.report.material import (
    START,
    everything,
    fail,
    intend,
    jobs_of,
    ledger_of,
    lose,
    send,
    store,
)


def facts_of(ledger):
    return read(ledger, Path("runs/spring"))[0]


def test_an_empty_ledger_says_so():
    facts = facts_of(ledger_of())
    assert facts.verdict == "There are no jobs here yet"
    assert facts.costs == facts.gallery == facts.models == facts.price_and_time == ()


def test_one_stored_job_is_all_well():
    ledger = ledger_of(make_job("reveal"))
    store(ledger, 1, "videos/reveal.mp4")
    facts = facts_of(ledger)
    assert facts.verdict == "The video is stored"
    assert facts.price_and_time == (
        "rivya: 57 credits",
        "1 min 35 s from the first create to the last video",
    )


def test_the_verdict_names_every_state_that_is_not_stored():
    assert facts_of(everything()).verdict == (
        "3 of 13 videos stored, 4 failed, 1 quarantined, 1 of unknown outcome, 2 at the provider,"
        " 1 on the wire, 1 not sent yet"
    )


def test_states_are_counted_and_add_up():
    facts = facts_of(everything())
    assert dict(facts.counts)[State.FAILED] == 4
    assert sum(count for _, count in facts.counts) == facts.total == 13


def test_an_unknown_price_is_unknown_and_never_0():
    ledger = ledger_of(make_job("film", provider="acedatacloud", model="minimax-t2v"))
    store(ledger, 1, "videos/film.mp4", final=None)
    facts = facts_of(ledger)
    (cost,) = facts.costs
    assert (cost.estimated, cost.reserved, cost.final, cost.counted) == (None, None, None, None)
    assert cost.unpriced == 1
    assert facts.price_and_time[0] == "acedatacloud: cost unknown"
    assert facts.models[0].credits is None
    assert facts.gallery[0].videos[0].details[-1] == "cost unknown"


def test_a_partly_known_price_is_a_lower_bound():
    ledger = ledger_of(*jobs_of(2))
    store(ledger, 1, "videos/a.mp4", final=57.0)
    store(ledger, 2, "videos/b.mp4", final=None)
    assert facts_of(ledger).price_and_time[0] == "rivya: at least 57 credits"


def test_a_failure_that_cost_nothing_is_known_to_have_cost_0():
    ledger = ledger_of(*jobs_of(1))
    fail(ledger, 1, "failed")
    assert facts_of(ledger).price_and_time == ("rivya: 0 credits, 57 estimated",)


def test_the_final_figure_says_how_many_jobs_it_covers():
    ledger = ledger_of(*jobs_of(3))
    store(ledger, 1, "videos/a.mp4", final=50.0)
    send(ledger, 2)
    (cost,) = facts_of(ledger).costs
    assert (cost.final, cost.settled, cost.sent) == (50.0, 1, 2)
    assert cost.counted == 50.0 + 57.0


def test_times_run_from_the_first_create_to_the_last_video():
    ledger = ledger_of(*jobs_of(3))
    store(ledger, 1, "videos/a.mp4", at=START + 10, took=60)
    store(ledger, 2, "videos/b.mp4", at=START, took=30)
    store(ledger, 3, "videos/c.mp4", at=START + 5, took=300)
    timing = facts_of(ledger).timing
    assert timing.makespan == 310.0
    assert (timing.fastest.key, timing.slowest.key, timing.median) == ("job-1", "job-2", 60.0)


def test_without_a_video_there_is_no_makespan():
    ledger = ledger_of(*jobs_of(1))
    intend(ledger, 1)
    timing = facts_of(ledger).timing
    assert (timing.makespan, timing.fastest, timing.slowest, timing.median) == (None,) * 4


def test_a_clock_that_went_back_gives_no_negative_time():
    ledger = ledger_of(*jobs_of(1))
    store(ledger, 1, "videos/a.mp4", took=-500.0)
    assert facts_of(ledger).timing.makespan == 0.0


def test_a_task_that_ended_while_nobody_watched_has_no_time():
    ledger = ledger_of(*jobs_of(2))
    store(ledger, 1, "videos/a.mp4", took=60)
    send(ledger, 2)
    write(ledger, 2, "generated", State.GENERATED, generated_at=START + 40_000)
    timing = facts_of(ledger).timing
    assert (timing.fastest.key, timing.slowest.key) == ("job-0", "job-0")


def test_videos_stand_together_by_job_id_and_single_ones_share_a_group():
    keys = ("reveal", "close", "grid/cup", "grid/lamp", "last")
    ledger = ledger_of(*[make_job(key) for key in keys])
    for row, key in enumerate(keys, start=1):
        store(ledger, row, f"videos/{key}.mp4")
    groups = [
        (group.title, [video.key for video in group.videos]) for group in facts_of(ledger).gallery
    ]
    assert groups == [
        ("", ["reveal", "close"]),
        ("grid", ["grid/cup", "grid/lamp"]),
        ("", ["last"]),
    ]  # fmt: skip


def test_all_files_of_one_job_are_shown():
    ledger = ledger_of(make_job("pair"))
    store(ledger, 1, "videos/pair.mp4")
    files = [StoredFile(f"videos/pair{end}.mp4", 10, "ab" * 32) for end in ("", ".2")]
    write(ledger, 1, "restored", files=files)
    (group,) = facts_of(ledger).gallery
    assert [video.url for video in group.videos] == ["videos/pair.mp4", "videos/pair.2.mp4"]
    assert group.videos[1].provenance_url == "videos/pair.2.json"
    assert group.videos[1].shape == "16 / 9"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("videos/a b/50%.mp4", "videos/a%20b/50%25.mp4"),
        ("videos/#1?.mp4", "videos/%231%3F.mp4"),
        ("videos/é.mp4", "videos/%C3%A9.mp4"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//evil.example/x.mp4", "evil.example/x.mp4"),
        ("../../etc/passwd", "etc/passwd"),
    ],
)
def test_a_path_becomes_a_relative_url_and_nothing_else(path, url):
    ledger = ledger_of(make_job("odd"))
    store(ledger, 1, path)
    assert facts_of(ledger).gallery[0].videos[0].url == url


def test_the_gallery_ends_at_its_cap_and_counts_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(facts_module, "GALLERY_MOST", 2)
    facts = facts_of(everything())
    assert (facts.shown, facts.videos) == (2, 3)


def test_former_versions_cost_but_are_not_counted_as_jobs():
    ledger = ledger_of(make_job("old"))
    store(ledger, 1, "videos/superseded/old.mp4")
    ledger.admit([Admission(make_job("new"))])
    facts = facts_of(ledger)
    assert facts.verdict == "0 of 1 video stored, 1 not sent yet"
    assert facts.gallery == ()
    assert facts.costs[0].final == 57.0


def test_a_lost_create_counts_what_it_may_have_cost():
    ledger = ledger_of(*jobs_of(1))
    lose(ledger, 1)
    assert facts_of(ledger).costs[0].counted == 57.0
