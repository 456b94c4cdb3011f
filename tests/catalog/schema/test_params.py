from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.schema import model_schema, params_schema, wire_schema
from orchestrator.catalog.schema.params import natural_spelling
from orchestrator.catalog.spec import Param
from orchestrator.catalog.tables import shipped

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "params.yaml").read_text("utf-8"))
SIDES = {"stated": params_schema, "wire": wire_schema}
HAILUO = shipped().models["rivya/hailuo-pro"]
HAPPYHORSE = shipped().models["rivya/happyhorse-1-0"]
SORA = shipped().models["rivya/sora-2-pro"]


def cases(verdict):
    return [
        pytest.param(name, side, value, id=f"{name} {side} {value}")
        for name, sides in CASES.items()
        for side, verdicts in sides.items()
        for value in verdicts[verdict]
    ]


def with_params(*params):
    return replace(HAILUO, params=params, references=None)


def number(**facts):
    absent = {"default": None, "min": None, "max": None, "step": None, "required": False}
    return Param(key="n", type="number", options=None, description="N.", **{**absent, **facts})


def test_every_model_has_cases():
    assert set(CASES) == set(shipped().models)


@pytest.mark.parametrize(("name", "side", "value"), cases("accepted"))
def test_a_value_is_taken(name, side, value, places):
    assert places(SIDES[side](shipped().models[name]), value) == []


@pytest.mark.parametrize(("name", "side", "value"), cases("refused"))
def test_a_value_is_refused(name, side, value, places):
    assert places(SIDES[side](shipped().models[name]), value) != []


@pytest.mark.parametrize("derive", [params_schema, wire_schema, model_schema])
@pytest.mark.parametrize("model", shipped().models.values(), ids=lambda model: model.name)
def test_both_dialects_take_the_schemas_themselves(dialects, model, derive):
    for dialect in dialects:
        dialect.check_schema(derive(model))


def test_a_select_offers_the_wire_spellings_first():
    properties = params_schema(SORA)["properties"]
    assert properties["n_frames"]["enum"] == ["10", "15", 10, 15]
    assert properties["remove_watermark"]["enum"] == ["false", "true", False, True]
    assert properties["size"]["enum"] == ["standard", "high"]


def test_descriptions_and_defaults_come_from_the_table():
    properties = params_schema(SORA)["properties"]
    assert "default" not in properties["size"]
    assert properties["n_frames"]["default"] == "10"
    assert all(properties[param.key]["description"] == param.description for param in SORA.params)


@pytest.mark.parametrize("model", shipped().models.values(), ids=lambda model: model.name)
def test_defaults_are_values_that_both_schemas_take(model, places):
    defaults = {p.key: p.default for p in model.params if p.default is not None}
    assert places(params_schema(model), defaults) == []
    assert places(wire_schema(model), defaults) == []


def test_a_required_parameter_without_a_default_is_required(places):
    model = with_params(
        number(required=True), replace(number(required=True, default=1), key="m"),
    )  # fmt: skip
    assert places(params_schema(model), {}) == ["$"]
    assert places(wire_schema(model), {}) == ["$"]
    assert places(params_schema(model), {"n": 1}) == []
    assert places(params_schema(model, templates=True), {}) == []


def test_required_references_are_required_on_the_wire(places):
    rules = replace(HAILUO.references, min_files=1)
    schema = wire_schema(replace(HAILUO, references=rules))
    assert places(schema, {}) == ["$"]
    assert places(schema, {"referenceMediaItems": []}) == ["$.referenceMediaItems"]


def test_text_takes_natural_values_in_the_manifest_and_strings_on_the_wire(places):
    model = with_params(replace(number(), type="text"))
    for value in ("a", 5, 0.5, True):
        assert places(params_schema(model), {"n": value}) == []
    assert places(params_schema(model), {"n": ["a"]}) == ["$.n"]
    assert places(wire_schema(model), {"n": "a"}) == []
    assert places(wire_schema(model), {"n": 5}) == ["$.n"]


def test_a_number_without_bounds_is_any_number(places):
    schema = params_schema(with_params(number()))
    assert places(schema, {"n": -1e9}) == []


@pytest.mark.parametrize(
    ("facts", "taken", "refused"),
    [
        ({"step": 1}, [0, 3, -2], [0.5]),
        ({"min": 4, "max": 12, "step": 4}, [4, 8, 12], [5, 16]),
        ({"min": 3, "max": 9, "step": 2}, [3, 5, 9], [4, 10]),
        ({"min": 0, "max": 1, "step": 0.1}, [0, 0.1, 0.3, 0.7, 1], [0.25, 1.1]),
        ({"min": 3, "step": 2}, [3, 5], [2]),
        ({"min": 0, "max": 1000, "step": 0.1}, [0.3, 999.9], [1000.1]),
    ],
)
def test_steps_count_from_the_minimum(facts, taken, refused, places):
    schema = params_schema(with_params(number(**facts)))
    assert [value for value in taken if places(schema, {"n": value})] == []
    assert [value for value in refused if not places(schema, {"n": value})] == []


def test_a_range_of_very_many_steps_is_not_written_out():
    schema = params_schema(with_params(number(min=0, max=1e9, step=0.1)))
    assert schema["properties"]["n"] == {
        "description": "N.", "type": "number", "minimum": 0, "maximum": 1e9,
    }  # fmt: skip


def test_a_variable_may_stand_for_any_value_where_templates_are_allowed(places):
    schema = params_schema(HAPPYHORSE, templates=True)
    variables = {param.key: "{{x}}" for param in HAPPYHORSE.params}
    assert places(schema, variables) == []
    assert places(schema, {"duration": "{x}"}) == ["$.duration"]
    assert places(schema, {"voice": "{{x}}"}) == ["$"]


def test_the_document_of_a_model_tells_its_facts(places):
    schema = model_schema(SORA)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Sora 2 Pro (rivya/sora-2-pro): parameters"
    assert schema["description"] == (
        "Parameters of rivya/sora-2-pro. Price: 75 credits a generation (FIXED). "
        "Longest prompt: 10000 characters. References: At most 1 image."
    )
    assert places(schema, {"n_frames": 15}) == []
    assert places(schema, {"n_frames": 16}) == ["$.n_frames"]


def test_the_document_of_a_model_says_what_is_not_known():
    description = model_schema(shipped().models["acedatacloud/minimax-t2v"])["description"]
    assert description.endswith("Price: unknown. Longest prompt: not documented. References: None.")


@pytest.mark.parametrize(
    ("option", "natural"),
    [
        ("true", True), ("false", False), ("10", 10), ("-1", -1), ("0.5", 0.5), ("012", None),
        ("1.50", None), ("16:9", None), ("1080p", None), ("True", None), ("1e3", None),
        ("nan", None), ("inf", None), ("1_0", None), (" 1", None), ("", None), ("٣", None),
    ],
)  # fmt: skip
def test_natural_spellings_lead_back_to_the_same_text(option, natural):
    found = natural_spelling(option)
    assert found == natural
    assert type(found) is type(natural)


@given(st.one_of(st.text(), st.integers().map(str), st.floats().map(str)))
def test_any_option_is_taken_in_all_its_spellings(dialects, option):
    param = replace(number(), type="select", options=(option, "other"))
    schema = params_schema(with_params(param))
    spellings = [option] if (other := natural_spelling(option)) is None else [option, other]
    for dialect in dialects:
        assert all(dialect(schema).is_valid({"n": spelling}) for spelling in spellings)
