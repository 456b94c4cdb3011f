from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.engine.recovery import QUARANTINE_LOOKS
from orchestrator.ledger.store import Admission
from orchestrator.report.page import read
from orchestrator.report.troubles import JOBS_MOST, LOOKS_MOST, REASONS_MOST
from tests.ledger.material import make_job
from tests.report.material import everything, fail, jobs_of, ledger_of, lose, quarantine, store


def troubles_of(ledger, folder="runs/spring"):
    return read(ledger, Path(folder))[1]


def test_what_is_stored_is_no_trouble():
    ledger = ledger_of(*jobs_of(1))
    store(ledger, 1, "videos/a.mp4")
    assert troubles_of(ledger) == ()


def test_each_job_that_is_not_stored_stands_in_exactly_one_kind():
    found = troubles_of(everything())
    assert [(kind.title, kind.count, kind.needs_you) for kind in found] == [
        ("Outcome unknown", 1, True),
        ("Task does not end", 1, True),
        ("Refused for their content", 1, False),
        ("Rejected", 1, False),
        ("Abandoned", 1, False),
        ("Failed at the provider", 1, False),
        ("Quarantined", 1, False),
        ("Still under way", 2, False),
        ("Not sent yet", 1, False),
    ]


def test_a_failure_of_a_class_that_nobody_knows_is_listed_too():
    ledger = ledger_of(*jobs_of(1))
    fail(ledger, 1, "brand-new-class")
    assert [kind.title for kind in troubles_of(ledger)] == ["Failed at the provider"]


def test_an_unknown_outcome_comes_with_commands_that_can_be_pasted():
    ledger = ledger_of(*jobs_of(1))
    lose(ledger, 1)
    (kind,) = troubles_of(ledger, "my runs/spring; rm -rf x")
    assert shlex.split(kind.commands[0]) == ["orchestrator", "resolve", "my runs/spring; rm -rf x"]
    assert [command.split()[-1] for command in kind.commands[2:]] == ["--resubmit", "--abandon"]


def test_jobs_that_a_person_gave_up_are_sent_again_only_by_name():
    ledger = ledger_of(*jobs_of(1))
    fail(ledger, 1, "abandoned", None, "given up by a person")
    (kind,) = troubles_of(ledger)
    assert kind.commands == ("orchestrator run MANIFEST --select state:failed --select id:KEY",)


def test_failed_jobs_are_sent_again_only_where_somebody_says_so():
    ledger = ledger_of(*jobs_of(1))
    fail(ledger, 1, "failed", "overloaded", "busy")
    (kind,) = troubles_of(ledger)
    assert kind.commands == ("orchestrator run MANIFEST --select state:failed",)
    assert kind.reasons[0].reason == "overloaded (busy)"
    assert kind.reasons[0].cases[0].task_id == "task-1"


def test_a_quarantined_video_is_given_up_after_the_looks_that_a_run_takes():
    assert LOOKS_MOST == QUARANTINE_LOOKS
    ledger = ledger_of(*jobs_of(2))
    quarantine(ledger, 1, looks=LOOKS_MOST - 1)
    quarantine(ledger, 2, looks=LOOKS_MOST)
    assert [(kind.title, kind.commands) for kind in troubles_of(ledger)] == [
        ("Quarantined", ("orchestrator run MANIFEST",)),
        ("Quarantined for good", ()),
    ]


def test_one_reason_is_said_once_and_names_some_of_its_jobs():
    ledger = ledger_of(*jobs_of(JOBS_MOST + 5))
    for row in range(1, JOBS_MOST + 6):
        fail(ledger, row, "failed", "overloaded")
    ((why,),) = [kind.reasons for kind in troubles_of(ledger)]
    assert (len(why.cases), why.more) == (JOBS_MOST, 5)


def test_reasons_beyond_the_cap_are_counted_and_the_most_frequent_come_first():
    ledger = ledger_of(*jobs_of(REASONS_MOST + 4))
    for row in range(1, REASONS_MOST + 5):
        fail(ledger, row, "failed", "common" if row > REASONS_MOST + 1 else f"reason {row}")
    (kind,) = troubles_of(ledger)
    assert kind.reasons[0].reason.startswith("common")
    assert (len(kind.reasons), kind.more) == (REASONS_MOST, 2)


def test_a_former_version_that_was_lost_still_waits_for_a_decision():
    ledger = ledger_of(make_job("old"))
    lose(ledger, 1)
    ledger.admit([Admission(make_job("new"))])
    lost, planned = troubles_of(ledger)
    assert lost.reasons[0].cases[0].former
    assert not planned.reasons[0].cases[0].former
