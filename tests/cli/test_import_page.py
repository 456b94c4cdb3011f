from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from orchestrator.catalog.own_tables import check_table, folder_warnings
from orchestrator.catalog.tables import shipped
from tests.catalog.importing.material import PAGES, SHIPPED, imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

SORA = PAGES / SHIPPED["sora-2-pro"]
DOUBTFUL = PAGES / "vietnamese-markdown.md"
MISSING = PAGES / "german-row-missing.md"
FACTS = ("model", "provider", "price", "unit", "billing", "prompt_limit", "references", "doubts")


@pytest.mark.parametrize("model", SHIPPED)
def test_json_tells_the_same_facts_as_show(orchestrate: Callable[..., Outcome], model: str) -> None:
    outcome = orchestrate("models", "import", PAGES / SHIPPED[model], "--json")
    shown = orchestrate("models", "show", model, "--json").document
    assert (outcome.code, outcome.err) == (0, "")
    assert {name: outcome.document[name] for name in FACTS} == {name: shown[name] for name in FACTS}
    described = [param.pop("description") for param in outcome.document["params"]]
    assert outcome.document.keys() == shown.keys()
    params = [{k: v for k, v in param.items() if k != "description"} for param in shown["params"]]
    assert [
        {k: v for k, v in param.items() if k != "description"}
        for param in outcome.document["params"]
    ] == params
    assert all(described)


def test_a_certain_table_goes_to_stdout_and_is_one(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = orchestrate("models", "import", SORA)
    assert (outcome.code, outcome.err) == (0, "")
    file = tmp_path / "sora.yaml"
    file.write_text(outcome.out)
    assert check_table(file).price == shipped().models["rivya/sora-2-pro"].price


def test_a_doubtful_table_is_marked_and_its_doubts_are_told(
    orchestrate: Callable[..., Outcome],
) -> None:
    outcome = orchestrate("models", "import", DOUBTFUL)
    assert outcome.code == 1
    assert "    required: null  # DOUBT line 30: the cell is empty" in outcome.out
    assert yaml.safe_load(outcome.out)["params"]["ratio"]["options"] == ["16:9", "9:16"]
    first, second, last = outcome.err.splitlines()
    assert (
        first == f"{DOUBTFUL}:30: params.duration.required: the cell is empty, which says nothing."
    )
    assert second.startswith(f"{DOUBTFUL}:31: params.motion.default: ")
    assert last.startswith("Fill in what is marked # DOUBT in the table")


#: Pages that give a table, and doubts.
DRAFTS = [
    page
    for page in sorted(PAGES.iterdir())
    if (found := imported(page.read_bytes())).draft is not None and found.doubts
]


@pytest.mark.parametrize("page", DRAFTS, ids=lambda page: page.name)
def test_no_doubt_of_an_import_is_forgotten_where_its_table_is_used(
    orchestrate: Callable[..., Outcome], tmp_path: Path, page: Path
) -> None:
    found = imported(page.read_bytes())
    orchestrate("models", "import", page, "--out", tmp_path / "a.yaml")
    problems = check_table(tmp_path / "a.yaml")
    told = problems if isinstance(problems, tuple) else ()
    told += folder_warnings(tmp_path, named=True)
    assert {doubt.field for doubt in found.doubts} <= {problem.path for problem in told}


def test_json_lists_the_doubts(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("models", "import", DOUBTFUL, "--json")
    assert outcome.code == 1
    assert outcome.document["doubts"][0] == {
        "line": 30,
        "field": "params.duration.required",
        "reason": "the cell is empty, which says nothing.",
    }
    assert outcome.document["params"][0]["required"] is None


def test_where_rows_may_be_missing_there_is_no_table(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    file = tmp_path / "out.yaml"
    outcome = orchestrate("models", "import", MISSING, "--out", file)
    assert (outcome.code, outcome.out) == (1, "")
    assert not file.exists()
    assert outcome.err.splitlines()[0] == (
        f"{MISSING}:45: params: the example names `duration`, which no row describes."
    )
    assert outcome.err.splitlines()[1].startswith("No table: rows may be missing.")


def test_json_without_a_table_has_no_facts(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("models", "import", MISSING, "--json")
    assert outcome.code == 1
    assert [doubt["field"] for doubt in outcome.document["doubts"]] == ["params"]
    facts = {k: v for k, v in outcome.document.items() if k not in ("schema_version", "doubts")}
    assert facts.keys() >= {"model", "price", "params", "references"}
    assert set(facts.values()) == {None}


def test_out_makes_the_folder_and_a_table_that_is_known_at_once(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.txt"
    page.write_bytes(SORA.read_bytes().replace(b"sora-2-pro", b"sora-3"))
    outcome = orchestrate("models", "import", page, "--out", "models/sora-3.yaml")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "The table is in models/sora-3.yaml.\n"
    assert "rivya/sora-3 " in orchestrate("models", "list").out
    assert orchestrate("models", "show", "sora-3", "--json").document["price"] == 75
    assert "rivya/sora-3" in orchestrate("models", "schema", "sora-3").document["title"]


def test_a_slash_at_its_end_says_that_out_is_a_folder_which_is_made(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = orchestrate("models", "import", SORA, "--out", f"{tmp_path}/new/models/")
    assert outcome.code == 0
    assert check_table(tmp_path / "new" / "models" / "sora-2-pro.yaml").price == 75


def test_out_may_be_a_folder(orchestrate: Callable[..., Outcome], tmp_path: Path) -> None:
    assert orchestrate("models", "import", SORA, "--out", tmp_path).code == 0
    assert check_table(tmp_path / "sora-2-pro.yaml").name == "rivya/sora-2-pro"


def test_json_and_out_give_both(orchestrate: Callable[..., Outcome], tmp_path: Path) -> None:
    table, data = tmp_path / "a.yaml", tmp_path / "a.json"
    outcome = orchestrate("models", "import", SORA, "--out", table, "--json")
    assert outcome.document["model"] == yaml.safe_load(table.read_text())["model"] == "sora-2-pro"
    outcome = orchestrate("models", "import", SORA, "--out", data, "--json")
    assert json.loads(data.read_text()) == outcome.document


def test_a_table_may_be_written_again(orchestrate: Callable[..., Outcome], tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.touch()
    for page in (DOUBTFUL, DOUBTFUL):
        assert orchestrate("models", "import", page, "--out", file).code == 1
    for _ in range(2):
        assert orchestrate("models", "import", SORA, "--out", file, "--force").code == 0
    assert check_table(file).name == "rivya/sora-2-pro"


@pytest.mark.parametrize("page", [SORA, DOUBTFUL])
def test_a_table_that_says_something_else_is_replaced_only_by_force(
    orchestrate: Callable[..., Outcome], tmp_path: Path, page: Path
) -> None:
    file = tmp_path / "a.yaml"
    orchestrate("models", "import", page, "--out", file)
    written = file.read_text()
    edited = written.replace("description: ", "description: More than ")
    file.write_text(edited)
    outcome = orchestrate("models", "import", page, "--out", file)
    assert outcome.code == 2
    assert f"{file} holds another table, which may be somebody's work." in outcome.err
    assert "replace it with --force" in outcome.err
    assert file.read_text() == edited
    orchestrate("models", "import", page, "--out", file, "--force")
    assert file.read_text() == written


def test_a_table_that_differs_only_in_its_day_is_read_again_without_force(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    for name, *options in (("a.yaml",), ("a.json", "--json")):
        file = tmp_path / name
        orchestrate("models", "import", SORA, "--out", file, *options)
        written = file.read_text()
        day = datetime.now(UTC).date().isoformat()
        assert day in written, "the day of an example is not the day of the reading"
        file.write_text(written.replace(day, "2026-01-01"))
        assert orchestrate("models", "import", SORA, "--out", file, *options).code == 0
        assert file.read_text() == written


def test_nothing_else_is_written_over(orchestrate: Callable[..., Outcome], tmp_path: Path) -> None:
    page, settled, other = (tmp_path / name for name in ("page.md", "settled.yaml", "notes.txt"))
    page.write_bytes(DOUBTFUL.read_bytes())
    settled.write_text("provider: rivya\nprice: 4\n")
    other.write_text("Do not lose this.\n")
    for file, message in [
        (page, "is the page itself"),
        (settled, "holds another table"),
        (other, "holds something else than a table"),
    ]:
        before = file.read_bytes()
        outcome = orchestrate("models", "import", page, "--out", file)
        assert outcome.code == 2
        assert message in outcome.err
        assert file.read_bytes() == before


def test_a_page_that_cannot_be_read_is_a_usage_error(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = orchestrate("models", "import", tmp_path / "gone.txt")
    assert (outcome.code, outcome.out) == (2, "")
    assert "cannot be read: No such file or directory. Name a saved page." in outcome.err


def test_a_table_that_cannot_be_written_is_a_disk_error(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    outcome = orchestrate("models", "import", SORA, "--out", tmp_path / "file" / "a.yaml")
    assert outcome.code == 7
    assert "the table cannot be written" in outcome.err


def test_wrong_own_tables_are_named_with_their_places(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_text("provider: rivya\n")
    outcome = orchestrate("models", "list", "--models", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{tmp_path}/x.yaml:1:1: `model` is missing" in outcome.err


def test_the_environment_names_a_folder_of_own_tables(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_MODELS", str(tmp_path))
    orchestrate("models", "import", PAGES / "german-markdown.md", "--out", tmp_path)
    assert orchestrate("models", "show", "ray-3", "--json").document["price"] == 90
