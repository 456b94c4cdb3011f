from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.catalog.tables import shipped
from orchestrator.jobs import State
from orchestrator.ledger.store import Admission
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from tests.ledger.material import inline, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Outcome


def admit_all(manifest: Path, folder: Path) -> list[int]:
    """Put the manifest's jobs into its ledger, as a run does before its first create."""
    entries = make_plan(load(manifest, shipped()), shipped()).entries
    with inline(folder) as ledger:
        return list(ledger.admit([Admission(entry.job) for entry in entries]))


def test_the_page_tells_models_states_cost_budget_and_time(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("plan", manifest)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "MODEL                     TO RUN     EACH   AMOUNT  PRICE",
        "acedatacloud/minimax-t2v       1  unknown  unknown  unknown",
        "rivya/hailuo-pro               1       57       57  estimated",
        "rivya/happyhorse-1-0           2       28       56  estimated",
        "",
        "jobs    4 jobs: 4 to run",
        "cost    acedatacloud 1 job of unknown price",
        "cost    rivya 113 credits (estimated)",
        "budget  fits: at most rivya 200 credits",
        outcome.out.splitlines()[9],
        "        (assumed: half of all videos within 90 s, 95 % within 240 s)",
    ]
    assert outcome.out.splitlines()[9].startswith("time    half of all such runs end within ")


def test_nothing_is_written(orchestrate: Callable[..., Outcome], manifest: Path) -> None:
    orchestrate("plan", manifest)
    assert [path.name for path in manifest.parent.iterdir()] == ["spring.yaml"]


def test_json_has_every_field_and_no_requests_unless_asked(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    document = orchestrate("plan", manifest, "--json").document
    assert list(document) == [
        "schema_version", "campaign", "jobs", "cost", "budget", "duration", "fingerprint",
        "left_out", "warnings",
    ]  # fmt: skip
    assert document["schema_version"] == 1
    assert document["jobs"]["total"] == document["jobs"]["to_run"] == 4
    assert document["cost"][0]["amount"] is None


def test_numbers_are_written_alike_whatever_they_were_reckoned_from(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    manifest.write_text(f"{manifest.read_text()}prices: {{acedatacloud: 2.0, rivya: 0.5}}\n")
    outcome = orchestrate("plan", manifest, "--json")
    assert [item["amount"] for item in outcome.document["cost"]] == [2, 1.5]
    assert '"amount": 2,' in outcome.out


def test_a_budget_that_does_not_fit_exits_5_and_says_why(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    manifest.write_text(manifest.read_text().replace("200", "100"))
    outcome = orchestrate("plan", manifest)
    assert outcome.code == 5
    assert "113 credits still to spend and 0 spent exceed the cap of 100" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    document = orchestrate("plan", manifest, "--json")
    assert document.code == 5
    assert document.document["budget"]["fits"] is False


def test_select_and_limit_narrow_what_would_be_created(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    document = orchestrate("plan", manifest, "--select", "id:grid", "--limit", 1, "--json").document
    assert (document["jobs"]["total"], document["jobs"]["to_run"]) == (1, 1)


def test_a_wrong_selection_is_a_usage_error(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("plan", manifest, "--select", "colour:red")
    assert (outcome.code, outcome.out) == (2, "")
    assert "write id:GLOB" in outcome.err


def test_a_manifest_with_problems_exits_2_and_tells_them_on_stderr(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    manifest.write_text(manifest.read_text().replace("hailuo-pro", "hailuo-prp"))
    outcome = orchestrate("plan", manifest)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{manifest}:5:43: " in outcome.err
    assert outcome.err.endswith("error: 1 problem in the manifest. Nothing was sent.\n")


def test_what_the_ledger_holds_is_not_bought_again(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    first, second, *_ = admit_all(manifest, manifest.parent / "runs" / "spring")
    with inline(manifest.parent / "runs" / "spring") as ledger:
        write(ledger, first, "intent", State.SUBMITTING, estimated=57.0, charge=57.0)
        write(ledger, first, "accepted", State.SUBMITTED, task_id="task")
        write(ledger, second, "intent", State.SUBMITTING)
        write(ledger, second, "unknown", State.UNKNOWN)
    document = orchestrate("plan", manifest, "--json").document
    assert document["jobs"] == {
        "total": 4, "to_run": 2, "stored": 0, "pending": 1, "unknown": 1, "failed": 0,
        "quarantined": 0,
    }  # fmt: skip
    page = orchestrate("plan", manifest).out
    assert "jobs    4 jobs: 2 to run, 1 under way, 1 of unknown outcome" in page
    assert "cost    acedatacloud nothing more to spend" in page
    assert "57 spent or reserved before" in page


def test_an_unknown_job_that_was_resubmitted_is_to_run(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    row, *_ = admit_all(manifest, manifest.parent / "runs" / "spring")
    with inline(manifest.parent / "runs" / "spring") as ledger:
        write(ledger, row, "intent", State.SUBMITTING)
        write(ledger, row, "unknown", State.UNKNOWN)
        write(ledger, row, "resubmit")
    assert orchestrate("plan", manifest, "--json").document["jobs"]["to_run"] == 4


def test_the_run_folder_follows_sandbox_and_run_dir(
    orchestrate: Callable[..., Outcome], manifest: Path, tmp_path: Path
) -> None:
    row, *_ = admit_all(manifest, tmp_path / "elsewhere")
    with inline(tmp_path / "elsewhere") as ledger:
        write(ledger, row, "intent", State.SUBMITTING)
    (tmp_path / "runs").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "runs" / "spring-sandbox")
    for options, pending in (
        ((), 0),
        (("--sandbox",), 1),
        (("--run-dir", tmp_path / "runs" / "spring-sandbox"), 1),
    ):
        assert (
            orchestrate("plan", manifest, "--json", *options).document["jobs"]["pending"] == pending
        ), options


def test_renamed_jobs_are_named_on_stderr(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    row, *_ = admit_all(manifest, manifest.parent / "runs" / "spring")
    with inline(manifest.parent / "runs" / "spring") as ledger:
        write(ledger, row, "intent", State.SUBMITTING)
    manifest.write_text(manifest.read_text().replace("teaser", "opening"))
    outcome = orchestrate("plan", manifest, "--json")
    assert outcome.document["jobs"]["pending"] == 1
    assert outcome.err.startswith("note: teaser is opening now")


def test_requests_are_what_a_run_would_send(
    orchestrate: Callable[..., Outcome], manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_BASE_URL", raising=False)
    requests = orchestrate("plan", manifest, "--requests", "--json").document["requests"]
    assert [request["key"] for request in requests] == ["teaser", "waves", "grid/cup", "grid/lamp"]
    assert requests[0].keys() == {
        "key", "fingerprint", "provider", "model", "method", "url", "body",
    }  # fmt: skip
    assert requests[0]["url"] == "https://rivya.ai/api/v1/generations"
    assert requests[0]["body"] == {
        "model": "hailuo-pro", "prompt": "a bottle", "params": {"prompt_optimizer": "false"},
    }  # fmt: skip
    page = orchestrate("plan", manifest, "--requests").out
    assert "\n# teaser\nPOST https://rivya.ai/api/v1/generations\n{\n" in page


def test_a_saved_plan_knows_the_call_that_saved_it(
    orchestrate: Callable[..., Outcome],
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = orchestrate("plan", manifest, "--save", "plan.json", "--run-dir", "out", "--limit", 2)
    assert outcome.code == 0
    assert "orchestrator run --plan plan.json" in outcome.err
    saved = json.loads((tmp_path / "plan.json").read_text())
    assert saved["options"] == {
        "sandbox": False, "run_dir": str(tmp_path / "out"), "select": [], "limit": 2,
        "models": None,
    }  # fmt: skip
    assert saved["fingerprint"] == orchestrate("plan", manifest, "--json").document["fingerprint"]


def test_a_plan_that_cannot_be_saved_is_the_disks_fault(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("plan", manifest, "--save", manifest.parent / "no" / "plan.json")
    assert outcome.code == 7
    assert "cannot be saved" in outcome.err


def test_a_ledger_that_is_damaged_is_told_and_not_ignored(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    folder = manifest.parent / "runs" / "spring"
    folder.mkdir(parents=True)
    (folder / "ledger.db").write_bytes(b"no database" * 1000)
    assert orchestrate("plan", manifest).code == 7


#: What a plan says that six tasks told it.
BASIS = "the latest 6 completions in this ledger"


def test_time_is_reckoned_from_what_tasks_took_while_a_run_watched(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(
        "version: 1\ncampaign: long\njobs:\n"
        "  - {id: lamp, model: hailuo-pro, prompt: A lamp, takes: 7}\n"
    )
    *made, _ = admit_all(path, tmp_path / "runs" / "long")
    a_night = 40_000.0
    with inline(tmp_path / "runs" / "long") as ledger:
        for row in made:
            write(ledger, row, "intent", State.SUBMITTING)
            write(ledger, row, "accepted", State.SUBMITTED, task_id=f"t{row}", submitted_at=1.0)
            write(
                ledger, row, "generated", State.GENERATED, generated_at=a_night, note={"took": 20.0}
            )
    duration = orchestrate("plan", path, "--json").document["duration"]
    assert duration == {"p50_s": 20.0, "p90_s": 20.0, "basis": BASIS}


def test_a_model_that_ran_long_ago_is_reckoned_by_its_own_times(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.plan.TASKS", 6)
    path = tmp_path / "two.yaml"
    path.write_text(
        "version: 1\ncampaign: two\njobs:\n"
        "  - {id: slow, model: sora-2-pro, prompt: A lamp, takes: 7}\n"
        "  - {id: quick, model: hailuo-pro, prompt: A lamp, takes: 9}\n"
    )
    _, *made = admit_all(path, tmp_path / "runs" / "two")
    with inline(tmp_path / "runs" / "two") as ledger:
        for row, took in zip(made, [600.0] * 6 + [20.0] * 9, strict=True):
            write(ledger, row, "intent", State.SUBMITTING)
            write(ledger, row, "accepted", State.SUBMITTED, task_id=f"t{row}", submitted_at=1.0)
            write(ledger, row, "generated", State.GENERATED, generated_at=2.0, note={"took": took})
    duration = orchestrate("plan", path, "--json").document["duration"]
    assert duration["p50_s"] == 600.0
    assert duration["basis"] == "the latest 12 completions in this ledger"
