from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from orchestrator.catalog.schema import manifest_schema, structure_schema
from orchestrator.catalog.tables import collect, shipped

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "manifests.yaml").read_text("utf-8"))
STRUCTURE = structure_schema()
MANIFEST = manifest_schema(shipped())
SMALLEST = {"version": 1, "campaign": "spring", "jobs": [{"id": "a"}]}

#: Keywords that draft-07 lacks or reads otherwise.
NEWER = {
    "prefixItems", "unevaluatedProperties", "unevaluatedItems", "dependentSchemas",
    "dependentRequired", "minContains", "maxContains", "$anchor", "$dynamicRef", "$recursiveRef",
    "$id", "dependencies", "definitions",
}  # fmt: skip


#: What every job needs, without naming a model.
DEFAULTS = {"model": "{{any}}", "prompt": "p"}


def manifest(case):
    filled = {
        **SMALLEST,
        **{key: value for key, value in case.items() if key != "errors"},
        "defaults": {**DEFAULTS, **case.get("defaults", {})},
    }
    return {key: value for key, value in filled.items() if value is not None}


def schemas_within(value):
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from schemas_within(child)


@pytest.mark.parametrize("document", [STRUCTURE, MANIFEST], ids=["structure", "manifest"])
def test_both_dialects_take_the_schemas_themselves(dialects, document):
    for dialect in dialects:
        dialect.check_schema(document)


@pytest.mark.parametrize("case", CASES["accepted"].values(), ids=CASES["accepted"])
def test_both_schemas_take(case, places):
    assert places(STRUCTURE, manifest(case)) == []
    assert places(MANIFEST, manifest(case)) == []


@pytest.mark.parametrize("case", CASES["refused"].values(), ids=CASES["refused"])
def test_both_schemas_refuse(case, places):
    assert places(STRUCTURE, manifest(case)) == case["errors"]
    assert places(MANIFEST, manifest(case)) == case["errors"]


@pytest.mark.parametrize(
    "case", CASES["refused by the catalogue"].values(), ids=CASES["refused by the catalogue"]
)
def test_the_schema_with_the_catalogue_refuses(case, places):
    assert places(STRUCTURE, manifest(case)) == []
    assert places(MANIFEST, manifest(case)) == case["errors"]


def test_a_job_can_be_checked_alone_with_the_structures_definitions(places):
    schema = {"$ref": "#/$defs/job", "$defs": STRUCTURE["$defs"]}
    assert places(schema, {"id": "a", "references": [{"path": "a.png"}], "prompts": ["p"]}) == []
    assert places(schema, {"id": "a", "references": [{}]}) == ["$.references[0]"]


@pytest.mark.parametrize(
    ("defaults", "job", "errors"),
    [
        ({}, {"model": "sora-2-pro", "prompt": "p"}, []),
        ({}, {"prompts": ["p"], "matrix": {"model": ["sora-2-pro"]}}, []),
        ({}, {"prompts": [{"prompt": "p", "model": "sora-2-pro"}]}, []),
        ({"model": "sora-2-pro", "prompt": "p"}, {}, []),
        ({"prompt": "p"}, {}, ["$.jobs[0]"]),
        ({"prompt": "p"}, {"matrix": {"style": ["noir"]}}, ["$.jobs[0]"]),
        ({"model": "sora-2-pro"}, {}, ["$.jobs[0]"]),
        ({}, {}, ["$.jobs[0]", "$.jobs[0]"]),
    ],
)
def test_each_job_gets_a_model_and_a_prompt_from_somewhere(defaults, job, errors, places):
    for document in ({}, {"defaults": defaults})[bool(defaults) :]:
        found = places(MANIFEST, {**SMALLEST, **document, "jobs": [{"id": "a", **job}]})
        assert found == errors


def test_a_prompt_is_as_long_as_its_model_takes_unless_a_variable_makes_it_shorter(places):
    job = {"id": "a", "model": "hailuo-pro"}
    assert places(MANIFEST, manifest({"jobs": [{**job, "prompt": 1500 * "x"}]})) == []
    assert places(MANIFEST, manifest({"jobs": [{**job, "prompt": "{{x}}" + 1500 * "x"}]})) == []
    long = manifest({"jobs": [{**job, "prompt": 1501 * "x"}]})
    assert places(MANIFEST, long) == ["$.jobs[0].prompt"]
    assert places(STRUCTURE, long) == []


def test_editors_are_offered_each_option_once_and_every_spelling_is_taken(places):
    params = MANIFEST["$defs"]["params.rivya.sora-2-pro"]["properties"]
    assert params["n_frames"]["anyOf"][0] == {"enum": [10, 15]}
    assert params["n_frames"]["default"] == 10
    assert params["size"]["anyOf"][0] == {"enum": ["standard", "high"]}
    assert params["remove_watermark"]["anyOf"][0] == {"enum": [False, True]}
    for value in (10, "10", "{{x}}"):
        job = {"id": "a", "model": "sora-2-pro", "params": {"n_frames": value}}
        assert places(MANIFEST, manifest({"jobs": [job]})) == []


def test_a_model_of_two_providers_must_be_named_with_its_provider(places):
    hailuo = shipped().models["rivya/hailuo-pro"]
    schema = manifest_schema(collect([hailuo, replace(hailuo, provider="other")]))
    job = {"id": "a", "params": {"prompt_optimizer": True}}
    bare = manifest({"jobs": [{**job, "model": "hailuo-pro"}]})
    assert places(schema, bare) == ["$.jobs[0].model"]
    assert places(schema, manifest({"jobs": [{**job, "model": "other/hailuo-pro"}]})) == []


def test_the_structure_knows_no_model_and_no_provider():
    text = str(STRUCTURE)
    for model in shipped().models.values():
        assert model.model not in text
        assert model.provider not in text


@pytest.mark.parametrize("document", [STRUCTURE, MANIFEST], ids=["structure", "manifest"])
def test_only_keywords_of_both_dialects_are_used(document):
    for schema in schemas_within(document):
        if "$ref" in schema:
            assert set(schema) == {"$ref"}
            assert schema["$ref"].startswith("#/$defs/")
            assert schema["$ref"].removeprefix("#/$defs/") in document["$defs"]
        assert not NEWER & schema.keys()


@pytest.mark.parametrize("document", [STRUCTURE, MANIFEST], ids=["structure", "manifest"])
def test_every_field_has_a_description_of_one_line(document):
    for schema in schemas_within(document):
        if schema.get("additionalProperties") is not False:
            continue
        for field in schema["properties"].values():
            target = document["$defs"][field["$ref"].split("/")[-1]] if "$ref" in field else field
            assert target["description"].endswith(".")
            assert "\n" not in target["description"]
