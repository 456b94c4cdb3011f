"""What `doctor` says of the tables and the provider's list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.model_service import GONE, HAILUO, HAPPYHORSE, SAME, lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

pytestmark = pytest.mark.usefixtures("films")


def row(outcome: Outcome) -> str:
    return next(line for line in lines(outcome.out) if line.startswith("rivya models"))


def test_doctor_compares_the_tables_and_keeps_the_list(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome]
) -> None:
    outcome = ask(SAME, "doctor", "spring.yaml")
    assert (outcome.code, row(outcome)) == (0, "rivya models ok 3 tables agree with the list")
    outcome = ask(GONE, "doctor", "spring.yaml")
    assert outcome.code == 1
    assert row(outcome) == (
        "rivya models problem differ from the tables: hailuo-pro, happyhorse-1-0; "
        "see orchestrator models check"
    )
    assert "hailuo-pro" in orchestrate("plan", "spring.yaml").err


def test_doctor_with_a_manifest_looks_at_its_models_alone(
    ask: Callable[..., Any], films: Path
) -> None:
    text = "version: 1\ncampaign: c\njobs: [{id: a, prompt: a cup, model: sora-2-pro}]\n"
    (films / "spring.yaml").write_text(text)
    outcome = ask(GONE, "doctor", "spring.yaml")
    assert (outcome.code, row(outcome)) == (0, "rivya models ok 1 table agrees with the list")


def test_doctor_says_what_the_list_does_not_tell(ask: Callable[..., Any]) -> None:
    bare = [HAILUO, HAPPYHORSE, {"id": "sora-2-pro"}]
    outcome = ask(bare, "doctor", "spring.yaml")
    assert row(outcome) == (
        "rivya models ok 3 tables agree with the list, 1 of them as far as the list tells"
    )


def test_doctor_says_why_it_does_not_compare(
    ask: Callable[..., Any],
    orchestrate: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    not_asked = "rivya models ok not compared: nobody was asked"
    assert row(orchestrate("doctor", "--offline")) == not_asked
    ask(SAME, "models", "check")
    assert row(orchestrate("doctor", "--offline")).startswith(f"{not_asked}; the last list came on")
    assert row(ask(SAME, "doctor", status=503)).endswith("(http_503). Try again later.")
    monkeypatch.delenv("RIVYA_API_KEY")
    refusal = {"error": {"code": "api_key_missing", "message": "No"}}
    outcome = ask(refusal, "doctor", status=401)
    assert row(outcome).startswith("rivya models ok not compared: that takes a key; the last list")


def test_doctor_compares_a_public_list_without_a_key(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_API_KEY")
    assert row(ask(SAME, "doctor")) == "rivya models ok 3 tables agree with the list"
    monkeypatch.setenv("RIVYA_API_KEY", "sk bad")
    assert row(ask(SAME, "doctor")).startswith("rivya models ok not compared: nobody was asked")
