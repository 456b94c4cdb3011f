"""The cases of this folder mean what their place says, and the schema judges them in itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import check, load
from tests.editors.examples import INVALID, SCHEMA, VALID, unseen

if TYPE_CHECKING:
    from pathlib import Path

DIALECTS = (Draft202012Validator, Draft7Validator)
OWN_VALID, OWN_INVALID = (
    [path for path in several if path.parents[2].name == "editors"] for several in (VALID, INVALID)
)


def refusing(path: Path) -> list[str]:
    """The dialects in which the shipped schema refuses a manifest."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    manifest = yaml.safe_load(path.read_text("utf-8"))
    return [one.__name__ for one in DIALECTS if not one(schema).is_valid(manifest)]


@pytest.mark.parametrize("path", OWN_VALID, ids=[path.stem for path in OWN_VALID])
def test_a_valid_case_is_valid_and_no_dialect_refuses_it(path: Path) -> None:
    assert load(path, shipped()).jobs
    assert refusing(path) == []


@pytest.mark.parametrize("path", OWN_INVALID, ids=[path.stem for path in OWN_INVALID])
def test_an_invalid_case_is_refused_in_both_dialects_unless_it_is_listed(path: Path) -> None:
    assert check(path, shipped())[1]
    listed = path.stem in unseen("any program")
    assert refusing(path) == ([] if listed else [one.__name__ for one in DIALECTS])


def test_cases_of_both_folders_have_names_of_their_own() -> None:
    names = [path.stem for path in (*VALID, *INVALID)]
    assert len(names) == len(set(names))
