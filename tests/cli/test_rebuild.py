from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.jobs import State
from tests.ledger.material import inline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture
def ran(orchestrate: Callable[..., Outcome], manifest: Path) -> Path:
    """The ledger of a run in the sandbox, in which one job was not selected."""
    fast = "limits: {rivya: {poll_after: 0s, poll_every: 50ms}}\n"
    manifest.write_text(manifest.read_text() + fast)
    outcome = orchestrate("run", manifest, "--sandbox", "--select", "id:teaser")
    assert outcome.code == 0, outcome.err
    return manifest.parent / "runs" / "spring-sandbox" / "ledger.db"


def test_a_damaged_ledger_is_made_again_and_says_what_to_do(
    orchestrate: Callable[..., Outcome], manifest: Path, ran: Path
) -> None:
    ran.write_bytes(os.urandom(5000))
    outcome = orchestrate("rebuild", manifest, "--sandbox")
    assert outcome.code == 4
    assert "was made again: 1 stored, 3 unknown." in outcome.err
    assert "ledger.db.corrupt-2" in outcome.err
    assert f"orchestrator resolve {manifest} --sandbox" in outcome.err
    with inline(ran.parent) as ledger:
        assert ledger.counts() == {State.STORED: 1, State.UNKNOWN: 3}
    assert "teaser" not in orchestrate("resolve", manifest, "--sandbox").out


def test_where_nothing_is_unsure_the_run_just_goes_on(
    orchestrate: Callable[..., Outcome], manifest: Path, ran: Path
) -> None:
    data = ran.read_bytes()
    # The page after the first belongs to an index: nothing is lost with it.
    ran.write_bytes(data[:4096] + os.urandom(8192) + data[12288:])
    outcome = orchestrate("rebuild", manifest, "--sandbox")
    assert outcome.code == 0, outcome.err
    assert "was made again: 3 planned, 1 stored." in outcome.err


def test_a_ledger_in_order_is_left_alone(
    orchestrate: Callable[..., Outcome], manifest: Path, ran: Path
) -> None:
    outcome = orchestrate("rebuild", manifest, "--sandbox")
    assert outcome.code == 2
    assert "is in order" in outcome.err


@pytest.mark.parametrize("what", ["folder", "manifest"])
def test_without_a_run_or_a_manifest_nothing_is_made(
    orchestrate: Callable[..., Outcome], manifest: Path, what: str
) -> None:
    outcome = orchestrate("rebuild", manifest.parent if what == "folder" else manifest)
    assert outcome.code == 2
    assert "name the manifest" in outcome.err or "has not run yet" in outcome.err


def test_a_ledger_that_is_gone_is_no_reason_to_plan_everything_again(
    orchestrate: Callable[..., Outcome], manifest: Path, ran: Path
) -> None:
    ran.unlink()
    for command in ("plan", "run"):
        outcome = orchestrate(command, manifest, "--sandbox")
        assert outcome.code == 7
        assert "orchestrator rebuild" in outcome.err


def test_doctor_finds_a_damaged_ledger(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    assert "is whole" in orchestrate("doctor", manifest, "--offline").out
    (run_folder / "ledger.db").write_bytes(os.urandom(5000))
    outcome = orchestrate("doctor", manifest, "--offline")
    assert outcome.code == 1
    assert "is damaged" in outcome.out


@pytest.mark.parametrize("command", ["status", "plan", "run", "export", "report", "verify"])
def test_the_command_that_mends_a_ledger_can_be_pasted(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path, command: str
) -> None:
    (run_folder / "ledger.db").write_bytes(b"")
    moved = run_folder.rename(run_folder.with_name("my run"))
    outcome = orchestrate(command, manifest, "--run-dir", moved)
    assert outcome.code == 7
    assert f"\n  orchestrator rebuild {manifest} --run-dir '{moved}'\n" in outcome.err
    if command not in ("plan", "run"):
        outcome = orchestrate(command, moved)
        assert f"\n  orchestrator rebuild MANIFEST --run-dir '{moved}'\n" in outcome.err


def test_doctor_names_the_manifest_in_it_too(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    (run_folder / "ledger.db").write_bytes(b"")
    outcome = orchestrate("doctor", manifest, "--offline")
    assert f"orchestrator rebuild {manifest} " in outcome.out
