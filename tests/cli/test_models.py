from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.own_tables import check_table
from orchestrator.catalog.schema import model_schema
from orchestrator.catalog.tables import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

PARAM_FIELDS = {"key", "type", "required", "default", "options", "min", "max", "step"}


def test_list_shows_every_model_within_80_columns(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("models", "list")
    assert outcome.code == 0
    header, *lines = outcome.out.splitlines()
    assert header.startswith("MODEL")
    assert [line.split()[0] for line in lines] == list(shipped().models)
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_list_as_json_holds_what_show_tells(orchestrate: Callable[..., Outcome]) -> None:
    document = orchestrate("models", "list", "--json").document
    shown = orchestrate("models", "show", "rivya/sora-2-pro", "--json").document
    assert document["schema_version"] == 1
    assert {**document["models"][-1], "schema_version": 1} == shown


def test_show_as_json_has_the_wires_values_and_null_for_what_is_absent(
    orchestrate: Callable[..., Outcome],
) -> None:
    document = orchestrate("models", "show", "sora-2-pro", "--json").document
    assert {key: document[key] for key in ("model", "provider", "price", "unit", "billing")} == {
        "model": "sora-2-pro",
        "provider": "rivya",
        "price": 75,
        "unit": "credits",
        "billing": "FIXED",
    }
    assert (document["prompt_limit"], document["doubts"]) == (10000, [])
    params = {param["key"]: param for param in document["params"]}
    assert all(param.keys() >= PARAM_FIELDS for param in params.values())
    assert params["n_frames"]["default"] == "10"
    assert params["n_frames"]["options"] == ["10", "15"]
    assert params["size"]["default"] is None
    assert params["n_frames"]["min"] is None


def test_an_unknown_price_is_null_and_never_0(orchestrate: Callable[..., Outcome]) -> None:
    assert orchestrate("models", "show", "minimax-t2v", "--json").document["price"] is None
    page = orchestrate("models", "show", "minimax-t2v").out
    assert "price   unknown" in page
    assert "takes no references" in page


@pytest.mark.parametrize("name", list(shipped().models))
def test_show_fits_80_columns_and_names_every_parameter(
    orchestrate: Callable[..., Outcome], name: str
) -> None:
    outcome = orchestrate("models", "show", name)
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    for param in shipped().models[name].params:
        assert f"\n{param.key} " in outcome.out


def test_a_seed_is_said_to_be_each_jobs_own_and_not_the_tables(
    orchestrate: Callable[..., Outcome],
) -> None:
    page = orchestrate("models", "show", "happyhorse-1-0").out
    assert re.search(r"^seed +number +each job's own +from 0 to ", page, re.MULTILINE)


def test_schema_prints_the_models_schema(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("models", "schema", "hailuo-pro")
    assert outcome.document == model_schema(shipped().models["rivya/hailuo-pro"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("hailuo-prp", "Did you mean hailuo-pro?"), ("x", "`orchestrator models list` shows all")],
)
def test_an_unknown_model_is_a_usage_error(
    orchestrate: Callable[..., Outcome], name: str, text: str
) -> None:
    outcome = orchestrate("models", "show", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err


def test_the_table_is_printed_to_be_copied_and_edited(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rivya/hailuo-pro", "acedatacloud/minimax-t2v"):
        (tmp_path / "models").mkdir(exist_ok=True)
        own = tmp_path / "models" / "own.yaml"
        # A shell makes the file that output is sent into before the program begins.
        own.write_text("")
        outcome = orchestrate("models", "show", name, "--yaml")
        assert (outcome.code, outcome.err) == (0, "")
        own.write_text(outcome.out)
        assert check_table(own) == shipped().models[name]
        own.write_text(f"# mine\n{outcome.out}")
        assert orchestrate("models", "show", name, "--yaml").out.startswith("# mine\n")
    assert orchestrate("models", "show", "hailuo-pro", "--yaml", "--json").code == 2
