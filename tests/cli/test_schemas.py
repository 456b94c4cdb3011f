from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture
def schemas(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    outcome = orchestrate("schemas", "--write", "schemas")
    assert outcome.code == 0
    assert "schemas/rivya/sora-2-pro.schema.json\n" in outcome.out
    return tmp_path / "schemas"


def test_what_was_written_is_current(orchestrate: Callable[..., Outcome], schemas: Path) -> None:
    for options in ((), ("--check",), ("--check", schemas)):
        outcome = orchestrate("schemas", *options)
        assert (outcome.code, outcome.out) == (0, "")
        assert "are current" in outcome.err


def test_check_exits_1_for_each_kind_of_staleness(
    orchestrate: Callable[..., Outcome], schemas: Path
) -> None:
    (schemas / "manifest.schema.json").write_text("{}")
    (schemas / "rivya" / "hailuo-pro.schema.json").unlink()
    (schemas / "rivya" / "old.schema.json").write_text("{}")
    outcome = orchestrate("schemas", "--check")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "schemas/rivya/hailuo-pro.schema.json is missing",
        "schemas/manifest.schema.json differs from the tables",
        "schemas/rivya/old.schema.json belongs to no table",
    ]
    assert "orchestrator schemas --write schemas" in outcome.err


def test_without_check_staleness_is_told_and_exits_0(
    orchestrate: Callable[..., Outcome], schemas: Path
) -> None:
    (schemas / "manifest.schema.json").write_text("{}")
    outcome = orchestrate("schemas")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 1)


def test_write_removes_what_is_left_of_models_that_are_gone(
    orchestrate: Callable[..., Outcome], schemas: Path
) -> None:
    (schemas / "rivya" / "old.schema.json").write_text("{}")
    assert orchestrate("schemas", "--write", "schemas").code == 0
    assert orchestrate("schemas", "--check").code == 0


def test_write_never_removes_schemas_of_somebody_else(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    foreign = tmp_path / "deep" / "theirs.schema.json"
    foreign.parent.mkdir()
    foreign.write_text("{}")
    outcome = orchestrate("schemas", "--write", tmp_path)
    assert outcome.code == 2
    assert foreign.exists()
    assert not (tmp_path / "manifest.schema.json").exists()


def test_write_and_check_do_not_go_together(orchestrate: Callable[..., Outcome]) -> None:
    assert orchestrate("schemas", "--write", "x", "--check").code == 2
