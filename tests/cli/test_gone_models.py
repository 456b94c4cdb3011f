"""What `validate`, `plan` and `run` say, without asking, of models that are gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.model_service import GONE, SAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

pytestmark = pytest.mark.usefixtures("films")


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_models_that_are_gone_are_warned_of_without_asking(
    ask: Callable[..., Any],
    orchestrate: Callable[..., Outcome],
    command: str,
) -> None:
    assert ask(GONE, "models", "check").code == 1
    outcome = orchestrate(command, "spring.yaml", *(["--max-credits", "0"] * (command == "run")))
    first, second = [line for line in outcome.err.splitlines() if "warning" in line][:2]
    assert first.startswith("spring.yaml:3:19: warning: rivya had no model hailuo-pro on 20")
    assert first.endswith("; 3 jobs want it (to ask again: orchestrator models check)")
    assert second.startswith(
        "spring.yaml:9:22: warning: rivya called happyhorse-1-0 `coming_soon` on 20"
    )
    assert "; 1 job wants it (" in second


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_the_warnings_are_in_the_json_document(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome], command: str
) -> None:
    ask(GONE, "models", "check")
    warnings = orchestrate(command, "spring.yaml", "--json").document["warnings"]
    assert [(one["code"], one["path"], one["line"], one["column"]) for one in warnings] == [
        ("model-gone", "defaults.model", 3, 19),
        ("model-unavailable", "jobs[2].matrix.model[0]", 9, 22),
    ]


def test_in_the_sandbox_nothing_is_gone(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome]
) -> None:
    ask(GONE, "models", "check")
    assert "warning" not in orchestrate("plan", "spring.yaml", "--sandbox").err


def test_a_list_of_another_service_says_nothing(
    ask: Callable[..., Any],
    orchestrate: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask(GONE, "models", "check")
    monkeypatch.delenv("RIVYA_BASE_URL")
    assert "warning" not in orchestrate("plan", "spring.yaml").err


def test_a_list_that_was_cut_says_of_no_model_that_it_is_gone(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome]
) -> None:
    ask({**GONE, "has_more": True}, "models", "check")
    (warning,) = orchestrate("plan", "spring.yaml", "--json").document["warnings"]
    assert warning["code"] == "model-unavailable"


def test_an_old_list_says_its_age(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome], films: Path
) -> None:
    ask(GONE, "models", "check")
    (file,) = (films.parent / "state" / "orchestrator").iterdir()
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "asked": "2020-01-02T03:04:05+00:00"}))
    warning = orchestrate("plan", "spring.yaml", "--json").document["warnings"][0]
    assert "rivya had no model hailuo-pro on 2020-01-02, 2," in warning["message"]
    assert " days ago; 3 jobs want it" in warning["message"]


def test_a_model_that_only_rows_name_is_warned_of_where_the_variable_stands(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome], films: Path
) -> None:
    ask(GONE, "models", "check")
    (films / "rows.csv").write_text("model,what\nhailuo-pro,cup\n")
    (films / "spring.yaml").write_text(
        "version: 1\ncampaign: spring\njobs:\n"
        "  - {id: b, prompt: a cup, model: sora-2-pro}\n"
        '  - {id: a, prompt: "{{what}}", model: "{{model}}", rows: rows.csv}\n'
    )
    outcome = orchestrate("validate", "spring.yaml", "--json")
    assert outcome.code == 0
    (warning,) = outcome.document["warnings"]
    assert (warning["line"], warning["column"], warning["path"]) == (5, 40, "jobs[1].model")


def test_a_model_is_not_gone_once_a_later_list_has_it(
    ask: Callable[..., Any], orchestrate: Callable[..., Outcome]
) -> None:
    ask(GONE, "models", "check")
    ask(SAME, "models", "check")
    assert orchestrate("plan", "spring.yaml", "--json").document["warnings"] == []
