from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

HOLD = """
import sys, time
from pathlib import Path
from orchestrator.ledger.sqlite.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]), campaign="spring")
ledger.bind_origin("rivya", "https://rivya.example")
print("held", flush=True)
time.sleep(60)
"""


def test_the_page_tells_counts_cost_and_the_next_command(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("status", run_folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "STATE      JOBS",
        "planned       1",
        "submitted     1",
        "stored        1",
        "unknown       1",
        "all           4",
        "",
        "PROVIDER  ESTIMATED  RESERVED  FINAL  UNIT",
        "rivya             9         3      2  credits",
        "",
        "time    0 s from the first event to the last",
        "run     none is going on",
        f"folder  {run_folder}",
        "",
        "2 jobs wait for a decision. To see why, and what to do:",
        f"  orchestrator resolve {run_folder}",
    ]


def test_json_has_every_field_and_every_state(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("status", run_folder, "--json")
    document = outcome.document
    assert list(document) == [
        "schema_version", "campaign", "run_dir", "counts", "cost", "elapsed_s", "needs_decision",
        "running", "cut_off",
    ]  # fmt: skip
    assert (document["campaign"], document["run_dir"]) == ("spring", str(run_folder))
    assert document["counts"].keys() == {state.value for state in State}
    assert document["cost"] == [
        {"provider": "rivya", "unit": "credits", "estimated": 9.0, "reserved": 3.0, "final": 2.0}
    ]
    assert '"estimated": 9,' in outcome.out, "as `plan --json` writes numbers"
    assert document["needs_decision"] == [
        {
            "key": "unknown",
            "task_id": None,
            "commands": [
                f"orchestrator resolve {run_folder} unknown --adopt TASK_ID",
                f"orchestrator resolve {run_folder} unknown --resubmit",
                f"orchestrator resolve {run_folder} unknown --abandon",
            ],
        },
        {
            "key": "given-up",
            "task_id": "task_3",
            "commands": [f"orchestrator resolve {run_folder} given-up --abandon"],
        },
    ]


def test_a_run_that_is_going_on_is_named_and_after_a_kill_the_command_that_goes_on(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, run_folder], stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == b"held\n"
            said = f"run     going on: process {run.pid} on {socket.gethostname()}, started 20"
            outcome = orchestrate("status", manifest)
            assert said in outcome.out.replace("\n        ", " ")
            assert "To go on" not in outcome.out
            document = orchestrate("status", manifest, "--json").document
            assert document["running"].keys() == {"pid", "host", "since"}
            assert document["running"]["pid"] == run.pid
            assert document["cut_off"] is False
        finally:
            run.kill()
    outcome = orchestrate("status", manifest)
    assert "run     none is going on; the last one was cut off before its end\n" in outcome.out
    assert f"To go on:\n  orchestrator run {manifest}\n" in outcome.out
    document = orchestrate("status", manifest, "--json").document
    assert (document["running"], document["cut_off"]) == (None, True)


def test_a_manifest_stands_for_its_run_folder(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    document = orchestrate("status", manifest, "--json").document
    assert document["run_dir"] == str(run_folder)
    assert document["needs_decision"][1]["commands"] == [
        f"orchestrator resolve {manifest} given-up --abandon"
    ]


def test_commands_carry_the_options_and_quotes_that_the_call_needed(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    moved = run_folder.parent / "my spring"
    run_folder.rename(moved)
    document = orchestrate("status", manifest, "--run-dir", moved, "--sandbox", "--json").document
    assert document["needs_decision"][1]["commands"] == [
        f"orchestrator resolve {manifest} --run-dir '{moved}' --sandbox given-up --abandon"
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("nowhere.yaml",), "is not there"),
        ((".",), "holds no ledger.db"),
        (("spring.yaml",), "has not run yet"),
        (
            ("spring.yaml", "--run-dir", "other"),
            "Start it with: orchestrator run spring.yaml --run",
        ),
        ((".", "--run-dir", "other"), "is a folder already"),
    ],
)
def test_what_is_no_run_is_a_usage_error_with_the_next_step(
    orchestrate: Callable[..., Outcome],
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    text: str,
) -> None:
    monkeypatch.chdir(manifest.parent)
    outcome = orchestrate("status", *names)
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err


def test_a_run_in_the_sandbox_is_pointed_out(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    run_folder.rename(run_folder.with_name("spring-sandbox"))
    outcome = orchestrate("status", manifest)
    assert outcome.code == 2
    assert "Add --sandbox" in outcome.err
    assert orchestrate("status", manifest, "--sandbox").code == 0
