"""`run` before anything is sent: what stdout holds, and which code it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.jobs import State
from tests.ledger.material import inline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

#: What `run --json` holds: what `status --json` does.
FIELDS = [
    "schema_version", "campaign", "run_dir", "counts", "cost", "elapsed_s", "needs_decision",
    "running", "cut_off",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RIVYA_API_KEY", "ACEDATACLOUD_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_without_a_key_json_says_that_all_is_still_planned(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("run", manifest, "--yes", "--json")
    assert outcome.code == 6
    assert outcome.err.endswith("beside the manifest. Nothing was sent.\n")
    document = outcome.document
    assert list(document) == FIELDS
    assert document["run_dir"] == str(manifest.parent / "runs" / "spring")
    assert document["counts"] == {**dict.fromkeys(State, 0), "planned": 4}
    assert not (manifest.parent / "runs").exists()


def test_without_a_key_json_of_a_run_folder_says_how_it_stands(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    outcome = orchestrate("run", manifest, "--yes", "--json")
    assert outcome.code == 6
    status = orchestrate("status", manifest, "--json").document
    assert outcome.document == status
    assert outcome.document["counts"]["unknown"] == 1


def test_a_disk_that_refuses_ends_with_7_and_the_document_all_the_same(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    (run_folder / "run.log").mkdir()
    outcome = orchestrate("run", manifest, "--yes", "--json")
    assert outcome.code == 7
    assert "run.log: Is a directory. Check the folder" in outcome.err
    assert list(outcome.document) == FIELDS


def test_json_of_a_run_that_is_going_on_elsewhere_says_how_that_stands(
    orchestrate: Callable[..., Outcome], manifest: Path, run_folder: Path
) -> None:
    with inline(run_folder):
        outcome = orchestrate("run", manifest, "--yes", "--json")
    assert outcome.code == 7
    assert "in use by process" in outcome.err
    assert outcome.document["counts"]["stored"] == 1


def test_a_videos_folder_that_cannot_be_looked_into_is_the_disks_fault(
    orchestrate: Callable[..., Outcome], run_folder: Path, manifest: Path
) -> None:
    assert orchestrate("status", manifest).code == 0
    (run_folder / "videos").rename(run_folder / "elsewhere")
    (run_folder / "videos").symlink_to("videos")
    for command in (("run", manifest, "--yes"), ("verify", run_folder)):
        outcome = orchestrate(*command)
        assert outcome.code == 7
        assert f"{run_folder / 'videos' / 'stored.mp4'}: Too many levels" in outcome.err
        assert "Check the folder, then run the same command again" in outcome.err


@pytest.mark.parametrize(
    "command", ["run", "plan", "status", "verify", "report", "export", "resolve"]
)
def test_a_run_folder_that_cannot_be_looked_into_is_the_disks_fault(
    orchestrate: Callable[..., Outcome], manifest: Path, command: str
) -> None:
    folder = manifest.parent / ("x" * 300)
    outcome = orchestrate(command, manifest, "--run-dir", folder)
    assert outcome.code == 7
    assert f"{folder}: File name too long. Check the folder" in outcome.err


@pytest.mark.parametrize("command", ["run", "plan", "status", "validate"])
def test_json_of_a_manifest_with_problems_is_that_of_validate(
    orchestrate: Callable[..., Outcome], manifest: Path, command: str
) -> None:
    manifest.write_text(manifest.read_text().replace("hailuo-pro", "hailuo-prp"))
    outcome = orchestrate(command, manifest, "--json")
    assert outcome.code == 2
    assert outcome.document == orchestrate("validate", manifest, "--json").document
    assert (outcome.document["schema_version"], outcome.document["valid"]) == (1, False)
    assert outcome.document["problems"][0]["path"] == "jobs[0].model"
    assert orchestrate("run", manifest).out == ""


@pytest.mark.parametrize(
    "options", [(), ("--yes", "--max-credits", "much"), ("--select", "colour:red")]
)
def test_a_wrong_call_leaves_stdout_empty(
    orchestrate: Callable[..., Outcome], manifest: Path, options: tuple[str, ...]
) -> None:
    outcome = orchestrate("run", manifest, "--json", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")


def test_what_stdout_holds_is_said_in_the_help(orchestrate: Callable[..., Outcome]) -> None:
    text = " ".join(orchestrate("run", "--help").out.split())
    assert "Stdout stays empty but for --json" in text
    assert "the document of `validate --json`" in text


def test_a_dotenv_is_complained_of_once_and_only_where_keys_count(
    orchestrate: Callable[..., Outcome], manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(manifest.parent)
    (manifest.parent / ".env").write_text("RIVYA_BASE_URL=https://example.com\nnonsense here\n")
    monkeypatch.setenv("RIVYA_API_KEY", "rvya_sk_canary")
    outcome = orchestrate("run", "spring.yaml", "--yes")
    assert outcome.code == 6
    assert outcome.err.count(".env:2: warning: this line is not NAME=value") == 1
    assert outcome.err.count(".env: warning: RIVYA_BASE_URL is not used") == 1
    assert "warning" not in orchestrate("plan", "spring.yaml").err


def test_a_key_that_no_request_can_carry_exits_6_and_is_not_shown(
    orchestrate: Callable[..., Outcome], manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "ace_canary")
    monkeypatch.setenv("RIVYA_API_KEY", "rvya sk_canary")
    outcome = orchestrate("run", manifest, "--yes")
    assert outcome.code == 6
    assert "RIVYA_API_KEY holds a space, which no key does: copy it again. Nothing" in outcome.err
    assert "canary" not in outcome.err
    assert not (manifest.parent / "runs").exists()


def test_the_command_that_goes_on_with_a_sandboxed_plan_stays_in_the_sandbox(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    manifest, plan = tmp_path / "cap.yaml", tmp_path / "cap.json"
    manifest.write_text(
        "version: 1\ncampaign: cap\nbudget: {credits: {rivya: 60}}\n"
        "jobs: [{id: a, model: hailuo-pro, prompt: a cup, takes: 2}]\n"
    )
    assert orchestrate("plan", manifest, "--save", plan).code == 5
    done = orchestrate("run", "--plan", plan, "--sandbox", "--progress", "none")
    assert done.code == 5
    assert f"To go on: orchestrator run --plan {plan} --sandbox" in done.err


def test_a_report_is_pointed_to_only_where_it_was_written(
    orchestrate: Callable[..., Outcome], manifest: Path, tmp_path: Path
) -> None:
    report = tmp_path / "runs" / "spring" / "report.html"
    assert f"Report: {report}\n" in orchestrate("run", manifest, "--limit", "0").err
    report.unlink()
    report.mkdir()
    outcome = orchestrate("run", manifest, "--limit", "0")
    assert outcome.code == 7
    assert f"the report {report} cannot be written" in outcome.err
    assert "Report: " not in outcome.err
    assert "--out" not in outcome.err
