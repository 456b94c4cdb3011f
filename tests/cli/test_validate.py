from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.schema import write_schemas
from orchestrator.catalog.tables import shipped
from tests.cli.conftest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

BROKEN = """\
version: 1
campaign: spring
jobs:
  - {id: a, prompt: x, model: hailuo-prp}
  - {id: b, prompt: x, model: hailuo-pro, params: {prompt_optimizer: maybe}}
"""
PROBLEM_FIELDS = {"file", "line", "column", "path", "code", "message", "hint"}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    return path


def test_a_sound_manifest_prints_nothing_but_a_summary(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("validate", manifest)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "1 manifest valid, 4 jobs\n"


def test_every_problem_is_one_line_with_its_position_on_stdout(
    orchestrate: Callable[..., Outcome], broken: Path
) -> None:
    outcome = orchestrate("validate", broken)
    assert outcome.code == 2
    first, second = outcome.out.splitlines()
    assert first.startswith(f"{broken}:4:31: ")
    assert "hailuo-pro" in first
    assert second.startswith(f"{broken}:5:")
    assert outcome.err == "2 problems\n"


def test_the_problems_of_all_manifests_are_told_at_once(
    orchestrate: Callable[..., Outcome], broken: Path, manifest: Path
) -> None:
    outcome = orchestrate("validate", manifest, broken, broken.with_name("missing.yaml"))
    assert outcome.code == 2
    assert len(outcome.out.splitlines()) == 3
    assert outcome.err == "3 problems in 2 files\n"


def test_json_holds_all_problems_and_the_sum_of_jobs(
    orchestrate: Callable[..., Outcome], broken: Path, manifest: Path
) -> None:
    outcome = orchestrate("validate", manifest, manifest, broken, "--json")
    assert (outcome.code, outcome.err) == (2, "")
    document = outcome.document
    assert (document["schema_version"], document["valid"], document["jobs"]) == (1, False, 8)
    assert [problem["path"] for problem in document["problems"]] == [
        "jobs[0].model",
        "jobs[1].params.prompt_optimizer",
    ]
    assert all(problem.keys() == PROBLEM_FIELDS for problem in document["problems"])


def test_json_of_a_sound_manifest_has_no_problems(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("validate", manifest, "--json")
    assert outcome.code == 0
    assert outcome.document["valid"] is True
    assert outcome.document["problems"] == []


def test_warnings_go_to_stderr_and_do_not_fail(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    job = (
        '  - {id: v, prompt: x, model: happyhorse-1-0, references: ["https://example.com/a.mp4"]}\n'
    )
    manifest.write_text(manifest.read_text() + job)
    outcome = orchestrate("validate", manifest)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith(f"{manifest}:11:60: warning: ")


def test_github_is_told_of_problems_and_warnings_by_its_own_commands_on_stdout(
    orchestrate: Callable[..., Outcome], manifest: Path, broken: Path
) -> None:
    job = (
        '  - {id: v, prompt: x, model: happyhorse-1-0, references: ["https://example.com/a.mp4"]}\n'
    )
    manifest.write_text(manifest.read_text() + job)
    outcome = orchestrate("validate", broken, manifest, "--format", "github")
    assert outcome.code == 2
    first, second, third = outcome.out.splitlines()
    assert first == (
        f"::error file={broken},line=4,col=31::no model is called `hailuo-prp` (did you mean "
        "`hailuo-pro`? known: hailuo-pro, happyhorse-1-0, minimax-i2v, minimax-i2v-director, "
        "minimax-t2v, sora-2-pro)"
    )
    assert second.startswith(f"::error file={broken},line=5,col=")
    assert third.startswith(f"::warning file={manifest},line=11,col=60::")
    assert outcome.err == "2 problems\n"


def test_a_sound_manifest_has_no_annotations(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    outcome = orchestrate("validate", manifest, "--format", "github")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "1 manifest valid, 4 jobs\n"


def test_nothing_in_a_manifest_ends_an_annotation_or_begins_another(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    path = tmp_path / "50%, a:b.yaml"
    path.write_text(
        'version: 1\ncampaign: c\njobs:\n  - {id: a, prompt: x, model: "100%\\r\\n::error::b"}\n'
    )
    outcome = orchestrate("validate", path, "--format", "github")
    (line,) = outcome.out.splitlines()
    assert "/50%25%2C a%3Ab.yaml,line=4,col=" in line
    assert "`100%25%0D%0A::error::b`" in line


@pytest.mark.parametrize("form", ["github", "text"])
def test_json_is_a_form_of_its_own(
    orchestrate: Callable[..., Outcome], manifest: Path, form: str
) -> None:
    outcome = orchestrate("validate", manifest, "--json", "--format", form)
    assert (outcome.code, outcome.out) == (2, "")
    assert "exclude each other" in outcome.err


COMMENT = "# yaml-language-server: $schema=schemas/manifest.schema.json\n"


def test_a_stale_schema_beside_the_manifest_is_a_warning_with_the_command_that_mends_it(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    manifest.write_text(COMMENT + manifest.read_text())
    folder = manifest.parent / "schemas"
    write_schemas(folder, shipped())
    assert "warning" not in orchestrate("validate", manifest).err

    (folder / "manifest.schema.json").write_text("{}\n")
    outcome = orchestrate("validate", manifest)
    assert outcome.code == 0
    assert f"{manifest}:1:33: warning: schemas/manifest.schema.json is stale" in outcome.err
    assert f"orchestrator schemas --write {folder}" in outcome.err


@pytest.mark.parametrize("text", [None, "no JSON"])
def test_a_schema_that_cannot_be_read_is_a_warning_too(
    orchestrate: Callable[..., Outcome], manifest: Path, text: str | None
) -> None:
    manifest.write_text(COMMENT + manifest.read_text())
    if text is not None:
        (manifest.parent / "schemas").mkdir()
        (manifest.parent / "schemas" / "manifest.schema.json").write_text(text)
    outcome = orchestrate("validate", manifest)
    assert outcome.code == 0
    assert ":1:33: warning: schemas/manifest.schema.json" in outcome.err


@pytest.mark.parametrize(
    "comment",
    [
        "# yaml-language-server: $schema=https://example.com/manifest.schema.json\n",
        "# yaml-language-server: $schema=of-another-tool.json\n",
        "# no schema\n",
        "",
    ],
)
def test_a_schema_that_is_not_ours_is_not_judged(
    orchestrate: Callable[..., Outcome], manifest: Path, comment: str
) -> None:
    manifest.write_text(comment + manifest.read_text())
    assert orchestrate("validate", manifest).err == "1 manifest valid, 4 jobs\n"


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_the_same_job_under_two_ids_is_warned_of_once_and_hinders_nothing(
    orchestrate: Callable[..., Outcome], manifest: Path, command: str
) -> None:
    manifest.write_text(f"{MANIFEST}  - {{id: again, prompt: dolphins, model: minimax-t2v}}\n")
    nothing_sent = [] if command == "validate" else ["--limit", "0"]
    outcome = orchestrate(command, manifest, "--json", *nothing_sent)
    assert outcome.code == 0
    (line,) = [line for line in outcome.err.splitlines() if "asks for the same" in line]
    assert line.startswith(f"{manifest}:11:10: warning: 1 job asks for the same as another one")
    assert f"`again` as `waves` ({manifest}:6) (where several of the same are meant" in line
    if command != "run":
        (warning,) = outcome.document["warnings"]
        assert (warning["code"], warning["line"]) == ("repeated-job", 11)
