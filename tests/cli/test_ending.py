from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.ending import MOST_TEXTS, final_lines
from orchestrator.engine.tally import Reason, Tally
from orchestrator.jobs import State


def finished(**counts):
    tally = Tally()
    for name, count in counts.items():
        tally.counts[State(name)] = count
    return tally


def test_the_end_of_a_good_run_is_three_lines():
    tally = finished(stored=40)
    tally.stored_now, tally.bytes_now = 38, 123_000_000
    assert final_lines(tally, Path("runs/spring"), 4330) == [
        "40 of 40 videos stored, 123 MB brought to disk now, in 1 h 12 min.",
        "Videos and results: runs/spring",
        "Report: runs/spring/report.html",
    ]


def test_a_report_that_was_not_written_is_not_pointed_to():
    lines = final_lines(finished(stored=1), Path("runs/x"), 1.0, has_report=False)
    assert lines[-1] == "Videos and results: runs/x"


def test_every_kind_of_trouble_comes_with_its_next_step():
    text = "\n".join(
        final_lines(finished(stored=1, failed=2, quarantined=3, unknown=4), Path("my runs/x"), 9.0)
    )
    assert "1 of 10 videos stored, 2 failed, 4 unknown, 3 quarantined, in 9 s." in text
    assert "orchestrator resolve 'my runs/x'" in text
    assert "--select state:failed" in text
    assert "3 videos did not verify" in text
    assert "4 jobs may or may not have been paid for and wait for you:" in text
    assert "1 job may or may not have been paid for and waits for you:" in "".join(
        final_lines(finished(unknown=1), Path("x"), 1.0)
    )


def test_no_new_attempt_is_proposed_for_what_a_person_gave_up():
    tally = finished(stored=1, failed=3)
    tally.given_up = 2
    text = "\n".join(final_lines(tally, Path("runs/x"), 9.0))
    assert "1 of 4 videos stored, 3 failed, in 9 s." in text
    assert "1 job failed; the report says why." in text
    assert "2 jobs were given up with `resolve --abandon`." in text
    tally.given_up = 3
    assert "--select state:failed" not in "\n".join(final_lines(tally, Path("runs/x"), 9.0))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_given_with_a_next_step(reason):
    tally = finished(planned=1)
    tally.because(reason, "why it ended\x1b[31m\nthere")
    lines = final_lines(tally, Path("runs/x"), 1.0)
    assert lines[1] == "  why it ended [31m there"
    assert "un the same command again" in lines[2]


def test_a_reason_that_befell_many_jobs_names_a_few():
    tally = finished(generated=90)
    for number in range(90):
        tally.because(Reason.UNFINISHED, f"job-{number}: its task does not end")
    lines = final_lines(tally, Path("runs/x"), 1.0)
    assert sum("its task does not end" in text for text in lines) == MOST_TEXTS
    assert "  and 85 more: the report lists every job" in lines


def test_a_folder_is_ready_to_be_pasted_and_never_acted_on():
    odd = Path("runs/it's $HOME")
    lines = final_lines(finished(unknown=1), odd, 1.0)
    assert shlex.split(lines[2]) == ["orchestrator", "resolve", os.fspath(odd)]
    assert all(text.isprintable() for text in final_lines(finished(), Path("a\x1b[2Jb"), 1.0))
