from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from orchestrator.catalog import tables
from orchestrator.catalog.schema import table_schema
from tests.catalog.test_tables import GOOD

FILES = sorted((Path(tables.__file__).parent / "tables").rglob("*.yaml"))
DRAFTS = [Draft202012Validator, Draft7Validator]


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_schema_is_one_in_both_drafts(draft):
    draft.check_schema(table_schema())


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_table_fits_as_editors_read_it(file, draft):
    assert list(draft(table_schema()).iter_errors(yaml.safe_load(file.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"price": "57"}, ["price"]),
        ({"price": -1}, ["price"]),
        ({"titel": "x"}, []),
        ({"params": {"a": {"type": "select", "description": "A."}}}, ["params", "a"]),
        (
            {"params": {"a": {"type": "select", "options": ["x"], "min": 1, "description": "A."}}},
            ["params", "a", "min"],
        ),
        (
            {"params": {"a": {"type": "number", "default": "x", "description": "A."}}},
            ["params", "a", "default"],
        ),
        (
            {"params": {"a": {"type": "text", "options": ["x"], "description": "A."}}},
            ["params", "a", "options"],
        ),
        ({"references": {"field": "f"}}, ["references"]),
    ],
)
@pytest.mark.parametrize("draft", DRAFTS)
def test_what_does_not_fit_is_found_at_its_place_in_both_drafts(change, path, draft):
    # YAML 1.1 makes a date of the day.
    table = {**yaml.safe_load(GOOD), "read": "2026-05-11", **change}
    errors = list(draft(table_schema()).iter_errors(table))
    assert errors
    assert all(list(error.absolute_path) == path for error in errors)
