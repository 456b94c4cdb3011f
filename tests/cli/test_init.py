from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture
def films(orchestrate: Callable[..., Outcome], tmp_path: Path) -> Path:
    outcome = orchestrate("init", tmp_path / "films")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        str(tmp_path / "films" / name)
        for name in ("manifest.yaml", ".env.example", ".gitignore", "schemas/manifest.schema.json")
    ]
    return tmp_path / "films"


def test_the_first_manifest_is_valid_and_its_schema_current(
    orchestrate: Callable[..., Outcome], films: Path
) -> None:
    outcome = orchestrate("validate", films / "manifest.yaml")
    assert (outcome.code, outcome.err) == (0, "1 manifest valid, 5 jobs\n")
    assert orchestrate("schemas", "--check", films / "schemas").code == 0


def test_the_first_manifest_plans_within_its_budget_and_needs_no_key(
    orchestrate: Callable[..., Outcome], films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_API_KEY", raising=False)
    document = orchestrate("plan", films / "manifest.yaml", "--requests", "--json").document
    assert document["budget"]["fits"] is True
    assert len(document["requests"]) == 5


def test_keys_and_videos_are_never_committed(films: Path) -> None:
    assert {".env", "runs/"} <= set((films / ".gitignore").read_text().splitlines())
    assert "RIVYA_API_KEY=\n" in (films / ".env.example").read_text()


def test_what_is_there_is_kept(orchestrate: Callable[..., Outcome], films: Path) -> None:
    (films / "manifest.yaml").write_text("mine")
    (films / ".gitignore").unlink()
    outcome = orchestrate("init", films)
    assert outcome.code == 0
    assert outcome.out == f"{films / '.gitignore'}\n"
    assert f"note: {films / 'manifest.yaml'} is there already and was kept." in outcome.err
    assert (films / "manifest.yaml").read_text() == "mine"


def test_schemas_of_somebody_else_are_kept(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    foreign = tmp_path / "schemas" / "theirs.schema.json"
    foreign.parent.mkdir()
    foreign.write_text("{}")
    assert orchestrate("init", tmp_path).code == 0
    assert foreign.read_text() == "{}"
    assert (tmp_path / "schemas" / "manifest.schema.json").exists()


def test_a_folder_that_cannot_be_made_is_the_disks_fault(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    outcome = orchestrate("init", tmp_path / "file" / "films")
    assert outcome.code == 7
    assert "cannot be written" in outcome.err
