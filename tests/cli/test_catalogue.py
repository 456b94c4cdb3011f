"""Own tables: which folder counts, in every command, and what is said where a table is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog import tables
from tests.catalog.test_tables import GOOD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

SCHEMA = "# yaml-language-server: $schema=schemas/manifest.schema.json\n"
MANIFEST = """\
version: 1
campaign: own
jobs:
  - {id: a, prompt: a cup, model: demo, params: {length: 5}}
"""

#: Commands that take a manifest, and what they end with where nothing has run yet.
COMMANDS = {
    "validate": 0,
    "plan": 0,
    "run --yes": 6,
    "status": 2,
    "resolve": 2,
    "report": 2,
    "export": 2,
    "verify": 2,
    "rebuild": 2,
    "doctor --offline": 1,
}


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest of a model whose table lies in `models`; where commands start."""
    for name in ("RIVYA_API_KEY", "RIVYA_API_KEY_FILE", "ORCHESTRATOR_MODELS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "own.yaml").write_text(MANIFEST)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "demo.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_manifest_knows_the_tables_beside_it(
    orchestrate: Callable[..., Outcome], films: Path, command: str
) -> None:
    name, *options = command.split()
    outcome = orchestrate(name, films / "own.yaml", *options)
    assert outcome.code == COMMANDS[command]
    assert "no model is called" not in outcome.out + outcome.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_manifest_tells_a_wrong_table_at_its_place(
    orchestrate: Callable[..., Outcome], films: Path, command: str
) -> None:
    (films / "models" / "demo.yaml").write_text(GOOD.replace("price: 57", "price: ninety"))
    name, *options = command.split()
    outcome = orchestrate(name, "own.yaml", *options)
    assert outcome.code == 2
    assert "models/demo.yaml:6:8: `price` must be a number" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    assert not (films / "runs").exists()


@pytest.mark.parametrize(
    ("provider", "field", "place"),
    [
        *(("acedatacloud", name, "17:3") for name in ("action", "model", "prompt", "async")),
        ("acedatacloud", "callback_url", "17:3"),
        ("acedatacloud", "first_image_url", "17:3"),
        ("rivya", "referenceMediaItems", "17:3"),
    ],
)
def test_no_table_can_replace_what_its_provider_is_sent(
    orchestrate: Callable[..., Outcome], films: Path, provider: str, field: str, place: str
) -> None:
    table = GOOD.replace("provider: rivya", f"provider: {provider}")
    if provider == "acedatacloud":
        table = table.replace("uploads: true", "uploads: false")
        table = table.replace("max_files: 3", "max_files: 1")
    (films / "models" / "demo.yaml").write_text(table)
    manifest = MANIFEST.replace("{length: 5}", "{length: 5, voice: soft}")
    (films / "own.yaml").write_text(manifest)
    assert orchestrate("validate", "own.yaml").code == 0
    (films / "models" / "demo.yaml").write_text(table.replace("voice:", f"{field}:"))
    outcome = orchestrate("validate", "own.yaml")
    assert outcome.code == 2
    assert f"models/demo.yaml:{place}: `{field}` is filled by" in outcome.out


def test_what_is_not_read_of_a_folder_is_told_once_and_changes_no_exit_code(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "models" / "other.yml").write_text(GOOD)
    outcome = orchestrate("validate", "own.yaml", "own.yaml")
    assert outcome.code == 0
    assert outcome.err.count("warning:") == 1
    assert "models/other.yml:1:1: warning: this file is not read as a table" in outcome.err
    (films / "empty").mkdir()
    assert "the folder holds no table" in orchestrate("models", "list", "--models", "empty").err


def test_a_price_in_doubt_is_a_warning_and_a_limit_in_doubt_a_problem(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    table = films / "models" / "demo.yaml"
    table.write_text(GOOD.replace("price: 57", "price: null  # DOUBT line 3: two figures"))
    outcome = orchestrate("plan", "own.yaml")
    assert outcome.code == 0
    assert "models/demo.yaml:6:8: warning: `price` is in doubt" in outcome.err
    table.write_text(GOOD.replace("max_files: 3", "min_files: null  # DOUBT\n  max_files: 3"))
    outcome = orchestrate("plan", "own.yaml")
    assert outcome.code == 2
    assert "models/demo.yaml:21:14: `references.min_files` is in doubt" in outcome.out + outcome.err


def test_a_file_called_like_the_folder_of_tables_is_told(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "models" / "demo.yaml").rename(films / "demo.yaml")
    (films / "models").rmdir()
    (films / "demo.yaml").rename(films / "models")
    outcome = orchestrate("validate", "own.yaml")
    assert outcome.code == 2
    assert "warning: models is no folder, so no own tables are read from it." in outcome.err


def test_uploads_to_a_provider_without_a_files_api_are_a_problem_of_the_table(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "models" / "demo.yaml").write_text(GOOD.replace("rivya", "acedatacloud"))
    outcome = orchestrate("plan", "own.yaml")
    assert outcome.code == 2
    assert "models/demo.yaml:20:12: acedatacloud takes no uploads" in outcome.out + outcome.err


def test_the_shipped_tables_could_be_anybodys_own(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    for file in (Path(tables.__file__).parent / "tables").rglob("*.yaml"):
        (films / "models" / file.name).write_bytes(file.read_bytes())
    assert orchestrate("validate", "own.yaml").code == 0


def test_a_wrong_table_is_in_the_json_document_once(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "models" / "demo.yaml").write_text(GOOD.replace("price: 57", "price: ninety"))
    validated = orchestrate("validate", "own.yaml", "own.yaml", "--json")
    (problem,) = validated.document["problems"]
    assert [problem[name] for name in ("file", "line", "column", "path", "code")] == [
        "models/demo.yaml", 6, 8, "price", "wrong-type",
    ]  # fmt: skip
    assert "own.yaml was not checked" in validated.err
    for command in ("plan", "run"):
        outcome = orchestrate(command, "own.yaml", "--json")
        assert outcome.code == 2
        assert outcome.document == validated.document
    assert outcome.err.endswith("error: 1 problem in own tables. Nothing was sent.\n")


def test_an_own_models_parameters_are_checked(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "own.yaml").write_text(MANIFEST.replace("length: 5", "length: 50"))
    assert "own.yaml:4:58: 50 is more than" in orchestrate("validate", "own.yaml").out


def test_a_table_in_place_of_a_shipped_one_changes_what_a_plan_costs(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "own.yaml").write_text(MANIFEST.replace("model: demo", "model: sora-2-pro"))
    table = films / "models" / "demo.yaml"
    table.write_text(GOOD.replace("model: demo", "model: sora-2-pro"))
    for price in (57, 11):
        table.write_text(table.read_text().replace("price: 57", f"price: {price}"))
        document = orchestrate("plan", "own.yaml", "--json").document
        assert document["cost"][0]["amount"] == price


def test_the_option_and_the_environment_name_another_folder(
    orchestrate: Callable[..., Outcome], films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (films / "models").rename(films / "tables")
    assert orchestrate("plan", "own.yaml").code == 2
    assert orchestrate("plan", "own.yaml", "--models", "tables").code == 0
    monkeypatch.setenv("ORCHESTRATOR_MODELS", "tables")
    assert orchestrate("plan", "own.yaml").code == 0
    outcome = orchestrate("plan", "own.yaml", "--models", "nowhere")
    assert outcome.code == 2
    assert outcome.err == "error: nowhere is no folder of tables. Name one that is there.\n"


@pytest.mark.parametrize("command", [*COMMANDS, "models list", "models check", "schemas"])
def test_a_folder_that_is_named_and_is_not_there_is_an_error_of_every_command(
    orchestrate: Callable[..., Outcome], films: Path, command: str
) -> None:
    manifest = ["own.yaml"] if command in COMMANDS else []
    outcome = orchestrate(*command.split(), *manifest, "--models", "nowhere")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: nowhere is no folder of tables. Name one that is there.\n"


@pytest.mark.parametrize("command", ["status", "report", "resolve", "export", "verify"])
def test_it_is_one_too_where_no_table_is_read(
    orchestrate: Callable[..., Outcome], run_folder: Path, command: str
) -> None:
    outcome = orchestrate(command, run_folder, "--models", "nowhere")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: nowhere is no folder of tables.")


def test_commands_that_go_on_repeat_the_folder_that_was_typed(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    (films / "models").rename(films / "own tables")
    outcome = orchestrate("status", "own.yaml", "--models", "own tables")
    assert "orchestrator run own.yaml --models 'own tables'" in outcome.err
    outcome = orchestrate("init", ".", "--models", "own tables")
    assert "orchestrator run manifest.yaml --sandbox --models 'own tables'" in outcome.err


def test_a_saved_plan_remembers_the_folder_that_was_named(
    orchestrate: Callable[..., Outcome], films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (films / "models").rename(films / "tables")
    assert orchestrate("plan", "own.yaml", "--models", "tables", "--save", "p.json").code == 0
    monkeypatch.setenv("ORCHESTRATOR_MODELS", "tables")
    assert orchestrate("plan", "own.yaml", "--save", "q.json").code == 0
    monkeypatch.delenv("ORCHESTRATOR_MODELS")
    (films / "elsewhere").mkdir()
    monkeypatch.chdir(films / "elsewhere")
    for plan in ("../p.json", "../q.json"):
        outcome = orchestrate("run", "--plan", plan, "--yes")
        assert (outcome.code, "RIVYA_API_KEY" in outcome.err) == (6, True)
    outcome = orchestrate("run", "--plan", "../p.json", "--yes", "--models", "../nowhere")
    assert outcome.err.startswith("error: ../nowhere is no folder")


def test_a_plan_that_an_earlier_version_saved_uses_the_tables_beside_the_manifest(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    assert orchestrate("plan", "own.yaml", "--save", "p.json").code == 0
    document = json.loads((films / "p.json").read_text())
    assert document["options"].pop("models") is None
    (films / "p.json").write_text(json.dumps(document))
    assert orchestrate("run", "--plan", "p.json", "--yes").code == 6


def test_the_editors_schema_has_the_own_models(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    manifest = films / "own.yaml"
    manifest.write_text(SCHEMA + MANIFEST)
    assert orchestrate("init", ".").code == 0
    assert "demo" in (films / "schemas" / "manifest.schema.json").read_text()
    assert (films / "schemas" / "rivya" / "demo.schema.json").exists()
    outcome = orchestrate("validate", "own.yaml")
    assert (outcome.code, outcome.err) == (0, "1 manifest valid, 1 job\n")
    (films / "models" / "demo.yaml").unlink()
    assert orchestrate("schemas", "--check").out.splitlines() == [
        "schemas/manifest.schema.json differs from the tables",
        "schemas/rivya/demo.schema.json belongs to no table",
    ]


@pytest.mark.parametrize("folder", [".", "../schemas"])
def test_schemas_are_of_the_tables_beside_their_folder_however_it_is_written(
    orchestrate: Callable[..., Outcome],
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
) -> None:
    assert orchestrate("schemas", "--write", "schemas").code == 0
    monkeypatch.chdir(films / "schemas")
    assert orchestrate("schemas", "--check", folder).code == 0


@pytest.mark.parametrize("arguments", [(), ("--models", "tables")])
def test_the_command_that_mends_a_stale_schema_does_mend_it(
    orchestrate: Callable[..., Outcome], films: Path, arguments: tuple[str, ...]
) -> None:
    """Also where the schemas lie elsewhere than the manifest, so that its tables must be named."""
    below = films / "campaigns"
    below.mkdir()
    (films / "models").rename(films / "tables" if arguments else below / "models")
    manifest = below / "own.yaml"
    manifest.write_text(SCHEMA.replace("=schemas", "=../schemas") + MANIFEST)
    (warning, _) = orchestrate("validate", manifest, *arguments).err.splitlines()
    command = warning.partition("write it again with: orchestrator ")[2].removesuffix(")")
    assert orchestrate(*command.split()).code == 0
    assert orchestrate("validate", manifest, *arguments).err == "1 manifest valid, 1 job\n"


def test_a_manifest_whose_tables_are_right_is_checked_beside_one_whose_tables_are_wrong(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    other = films / "other"
    (other / "models").mkdir(parents=True)
    (other / "own.yaml").write_text(MANIFEST.replace("a cup", "''"))
    (films / "models" / "demo.yaml").write_text("[")
    outcome = orchestrate("validate", "own.yaml", "other/own.yaml")
    first, *others = outcome.out.splitlines()
    assert first.startswith("models/demo.yaml:")
    assert any(line.startswith("other/own.yaml:4:") for line in others)
