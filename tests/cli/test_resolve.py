from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.ledger.store import Admission
from orchestrator.sandbox.server import Sandbox
from tests.ledger.material import inline, make_job, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.ledger.store import Row
    from tests.cli.conftest import Outcome


def row_of(folder: Path, key: str) -> Row:
    with read_ledger(folder) as ledger:
        return next(row for row in ledger.rows() if row.key == key)


def test_without_options_it_lists_each_job_with_the_commands_that_end_its_wait(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("resolve", run_folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "unknown: it is not known whether the create made a task: lost�[2J �on the way",
        f"  orchestrator resolve {run_folder} unknown --adopt TASK_ID",
        f"  orchestrator resolve {run_folder} unknown --resubmit",
        f"  orchestrator resolve {run_folder} unknown --abandon",
        "",
        "given-up: task task_3 does not end; the next run looks at it again",
        f"  orchestrator resolve {run_folder} given-up --abandon",
    ]


def test_abandon_fails_the_job_for_good_and_goes_on_counting_its_cost(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    assert orchestrate("resolve", run_folder, "unknown", "given-up", "--abandon").code == 0
    for key in ("unknown", "given-up"):
        row = row_of(run_folder, key)
        assert (row.state, row.needs_decision) == (State.FAILED, False)
        assert row.attempt is not None
        assert (row.attempt.error_class, row.attempt.charge) == ("abandoned", 3.0)
    assert orchestrate("resolve", run_folder).err == "No job waits for a decision.\n"


def test_resubmit_leaves_the_job_unknown_until_a_run_sends_it(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    outcome = orchestrate("resolve", manifest, "unknown", "--resubmit")
    assert outcome.code == 0
    assert f"orchestrator run {manifest}\n" in outcome.err
    row = row_of(run_folder, "unknown")
    assert (row.state, row.resubmit, row.needs_decision) == (State.UNKNOWN, True, False)


def test_a_resubmission_may_still_be_taken_back(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    orchestrate("resolve", run_folder, "unknown", "--resubmit")
    assert orchestrate("resolve", run_folder, "unknown", "--abandon").code == 0
    row = row_of(run_folder, "unknown")
    assert (row.state, row.resubmit) == (State.FAILED, False)


def test_all_takes_every_job_that_the_decision_fits(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    assert orchestrate("resolve", run_folder, "--all", "--resubmit").code == 0
    assert row_of(run_folder, "unknown").resubmit
    assert row_of(run_folder, "given-up").needs_decision
    again = orchestrate("resolve", run_folder, "--all", "--resubmit")
    assert (again.code, again.err) == (0, "No job waits for this decision.\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("unknown", "--abandon", "--resubmit"), "do not go together"),
        (("unknown", "--adopt", "task_9", "--abandon"), "do not go together"),
        (("--abandon",), "goes with the JOBs"),
        (("unknown", "--all", "--abandon"), "goes with the JOBs"),
        (("--adopt", "task_9"), "exactly one JOB"),
        (("unknown", "given-up", "--adopt", "task_9"), "exactly one JOB"),
        (("--all", "--adopt", "task_9"), "exactly one JOB"),
        (("unknown", "--adopt", ""), "takes the id of a task"),
        (("unknown", "--adopt", "task 9"), "takes the id of a task"),
        (("unknown", "--adopt", "task_1"), "belongs to another job"),
        (("stored", "--abandon"), "stored does not wait"),
        (("nobody",), "nobody does not wait"),
        (("given-up", "--resubmit"), "has a task already"),
        (("unknown", "given-up", "--resubmit"), "has a task already"),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(
    orchestrate: Callable[..., Outcome], run_folder: Path, arguments: tuple[str, ...], text: str
) -> None:
    before = [row_of(run_folder, key) for key in ("stored", "unknown", "given-up", "new")]
    outcome = orchestrate("resolve", run_folder, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err
    assert before == [row_of(run_folder, key) for key in ("stored", "unknown", "given-up", "new")]


def test_a_job_that_the_manifest_no_longer_has_cannot_be_sent_again(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    with inline(run_folder) as ledger:
        ledger.admit([Admission(make_job("new"))])
    assert "--resubmit" not in orchestrate("resolve", run_folder).out
    outcome = orchestrate("resolve", run_folder, "unknown", "--resubmit")
    assert outcome.code == 2
    assert "no longer has unknown" in outcome.err


def test_jobs_that_share_a_key_are_told_apart_by_their_fingerprint(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    with inline(run_folder) as ledger:
        edited = make_job("unknown", content="edited")
        (row,) = ledger.admit([Admission(edited)])
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "unknown", State.UNKNOWN)
    outcome = orchestrate("resolve", run_folder, "unknown", "--abandon")
    assert outcome.code == 2
    assert f"unknown@{edited.fingerprint[:8]}" in outcome.err
    name = f"unknown@{edited.fingerprint[:8]}"
    assert orchestrate("resolve", run_folder, name, "--abandon").code == 0
    with read_ledger(run_folder) as ledger:
        assert ledger.row(row).state is State.FAILED


def test_a_run_that_is_going_on_is_named_and_left_alone(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    with inline(run_folder):
        outcome = orchestrate("resolve", run_folder, "unknown", "--abandon")
        assert outcome.code == 7
        assert "in use by process" in outcome.err
        assert orchestrate("resolve", run_folder).code == 0
    assert row_of(run_folder, "unknown").state is State.UNKNOWN


async def test_adopt_asks_the_provider_and_keeps_the_task(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    async with Sandbox(run_folder, pace=0) as urls, aiohttp.ClientSession() as session:
        url = f"{urls['rivya']}/api/v1/generations"
        body = {"model": "sora-2-pro", "prompt": "x"}
        headers = {"Authorization": "Bearer some-key"}
        async with session.post(url, json=body, headers=headers) as reply:
            task_id = (await reply.json())["id"]

    def adopt(task: str) -> Outcome:
        return orchestrate("resolve", run_folder, "unknown", "--adopt", task)

    unknown = await anyio.to_thread.run_sync(adopt, "task_of_nobody")
    assert unknown.code == 2
    assert "rivya knows no task task_of_nobody" in unknown.err
    assert row_of(run_folder, "unknown").state is State.UNKNOWN

    assert (await anyio.to_thread.run_sync(adopt, task_id)).code == 0
    row = row_of(run_folder, "unknown")
    assert (row.state, row.needs_decision) == (State.SUBMITTED, False)
    assert row.attempt is not None
    assert row.attempt.task_id == task_id


def test_adopt_without_a_key_exits_6(
    orchestrate: Callable[..., Outcome], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_API_KEY", raising=False)
    monkeypatch.delenv("RIVYA_API_KEY_FILE", raising=False)
    outcome = orchestrate("resolve", run_folder, "unknown", "--adopt", "task_9")
    assert outcome.code == 6
    assert "RIVYA_API_KEY" in outcome.err
