from pathlib import Path

import pytest
import yaml

from orchestrator.catalog.spec import KindRule, Param, ReferenceRules
from orchestrator.catalog.tables import collect, read_table, shipped
from orchestrator.errors import CatalogError

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "tables.yaml").read_text("utf-8"))

GOOD = """\
provider: rivya
model: demo
title: Demo
source: A page
read: 2026-05-11
price: 57
unit: credits
prompt_limit: 1500

params:
  ratio:
    type: select
    options: [16:9, 1:1]
    default: 16:9
    description: Shape.
  length: {type: number, default: 5, min: 3, max: 15, step: 1, description: Seconds.}
  voice: {type: text, required: true, default: "no", description: Words.}
references:
  field: items
  uploads: true
  max_files: 3
  kinds:
    image: {max_size: 10 MB, mime_types: [image/png]}
    video: {duration_token: true}
  combinations: [{video: 1, image: 2}]
  rule: Some.
"""

IMAGES = ("image/jpeg", "image/png", "image/webp")
TEN_MB = 10 * 1024 * 1024


def select(key, default, *options):
    return (key, "select", False, default, options, None, None, None)


def number(key, default, least, most):
    return (key, "number", False, default, None, least, most, None)


#: provider, model: title, read, price, unit, billing, prompt limit
MODELS = {
    "rivya/hailuo-pro": ("Hailuo Pro", "2026-05-11", 57, "credits", "FIXED", 1500),
    "rivya/happyhorse-1-0": ("HappyHorse 1.0", "2026-05-11", 28, "credits", "FIXED", 5000),
    "rivya/sora-2-pro": ("Sora 2 Pro", "2026-05-11", 75, "credits", "FIXED", 10000),
    "acedatacloud/minimax-t2v": (
        "MiniMax text to video", "2026-10", None, "credits", "FLAT", None,
    ),
    "acedatacloud/minimax-i2v": (
        "MiniMax image to video", "2026-10", None, "credits", "FLAT", None,
    ),
    "acedatacloud/minimax-i2v-director": (
        "MiniMax image to video, director mode", "2026-10", None, "credits", "FLAT", None,
    ),
}  # fmt: skip

#: key, type, required, default, options, min, max, step
PARAMS = {
    "rivya/hailuo-pro": [select("prompt_optimizer", "false", "false", "true")],
    "rivya/happyhorse-1-0": [
        select("resolution", "1080p", "720p", "1080p"),
        select("aspect_ratio", "16:9", "16:9", "9:16", "1:1", "4:3", "3:4"),
        number("duration", 5, 3, 15),
        select("audio_setting", "auto", "auto", "origin"),
        number("seed", 0, 0, 2147483647),
    ],
    "rivya/sora-2-pro": [
        select("size", None, "standard", "high"),
        select("n_frames", "10", "10", "15"),
        select("aspect_ratio", "landscape", "landscape", "portrait"),
        select("remove_watermark", "false", "false", "true"),
        select("upload_method", "s3", "s3", "oss"),
    ],
    "acedatacloud/minimax-t2v": [],
    "acedatacloud/minimax-i2v": [],
    "acedatacloud/minimax-i2v-director": [],
}

FIRST_IMAGE = ReferenceRules(
    field="first_image_url",
    min_files=1,
    max_files=1,
    kinds=(KindRule("image", None, (), duration_token=False),),
    combinations=({"image": 1},),
    uploads=False,
    rule="Exactly 1 image, the first frame, as a public https URL.",
)


def images(most, rule):
    return ReferenceRules(
        field="referenceMediaItems",
        min_files=0,
        max_files=most,
        kinds=(KindRule("image", TEN_MB, IMAGES, duration_token=False),),
        combinations=({"image": most},),
        uploads=True,
        rule=rule,
    )


REFERENCES = {
    "rivya/hailuo-pro": images(2, "At most 2 images; the second one becomes the last frame."),
    "rivya/happyhorse-1-0": ReferenceRules(
        field="referenceMediaItems",
        min_files=0,
        max_files=10,
        kinds=(
            KindRule("image", TEN_MB, IMAGES, duration_token=False),
            KindRule(
                "video", 95 * 1024 * 1024, ("video/mp4", "video/quicktime"), duration_token=True
            ),
        ),
        combinations=({"image": 9}, {"video": 1, "image": 5}),
        uploads=True,
        rule="At most 9 images; or, to edit a video, 1 video with at most 5 images.",
    ),
    "rivya/sora-2-pro": images(1, "At most 1 image."),
    "acedatacloud/minimax-t2v": None,
    "acedatacloud/minimax-i2v": FIRST_IMAGE,
    "acedatacloud/minimax-i2v-director": FIRST_IMAGE,
}


def test_six_models_ship():
    assert set(shipped().models) == set(MODELS)
    assert shipped().providers() == ("acedatacloud", "rivya")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_figures_of_its_page(name):
    model = shipped().models[name]
    assert f"{model.provider}/{model.model}" == name
    assert MODELS[name] == (
        model.title, model.read, model.price, model.unit, model.billing, model.prompt_limit,
    )  # fmt: skip


@pytest.mark.parametrize("name", PARAMS)
def test_a_model_has_the_parameters_of_its_page_in_their_order(name):
    found = [
        (param.key, param.type, param.required, param.default, param.options,
         param.min, param.max, param.step)
        for param in shipped().models[name].params
    ]  # fmt: skip
    assert found == PARAMS[name]


@pytest.mark.parametrize("name", REFERENCES)
def test_a_model_takes_the_references_of_its_page(name):
    assert shipped().models[name].references == REFERENCES[name]


@pytest.mark.parametrize("name", MODELS)
def test_descriptions_are_english_sentences_and_the_source_is_named(name):
    model = shipped().models[name]
    described = [param.description for param in model.params]
    assert all(text.isascii() and text.endswith(".") for text in described)
    expected = {
        "rivya": f"Rivya model page of {model.model}",
        "acedatacloud": "AceDataCloud documentation of the Hailuo videos API",
    }
    assert model.source == expected[model.provider]


def test_a_table_lies_where_its_model_says_and_other_yaml_readers_agree():
    folder = Path(read_table.__code__.co_filename).parent / "tables"
    for model in shipped().models.values():
        table = yaml.safe_load((folder / f"{model.name}.yaml").read_text("utf-8"))
        assert (table["provider"], table["model"], table["read"]) == (
            model.provider, model.model, model.read,
        )  # fmt: skip
        for param in model.params:
            assert table["params"][param.key].get("default") == param.default
            assert tuple(table["params"][param.key].get("options") or ()) == (param.options or ())


def test_a_table_is_read_as_it_looks_without_quotes():
    model = read_table(GOOD, "demo.yaml")
    assert model.read == "2026-05-11"
    assert model.billing is None
    assert model.params == (
        Param("ratio", "select", False, "16:9", ("16:9", "1:1"), None, None, None, "Shape."),
        Param("length", "number", False, 5, None, 3, 15, 1, "Seconds."),
        Param("voice", "text", True, "no", None, None, None, None, "Words."),
    )
    assert model.references is not None
    assert model.references.combinations == ({"video": 1, "image": 2},)
    assert model.references.kind("video") == KindRule("video", None, (), duration_token=True)


def test_null_in_quotes_is_text_and_bare_null_is_nothing():
    text = GOOD.replace("[16:9, 1:1]", '["null", "~"]').replace("default: 16:9", "default: null")
    param = read_table(text, "demo.yaml").params[0]
    assert (param.options, param.default) == (("null", "~"), None)


def test_a_number_of_endless_digits_is_refused():
    with pytest.raises(CatalogError, match="`price` must be a number"):
        read_table(GOOD.replace("price: 57", f"price: {'9' * 5000}"), "demo.yaml")


@pytest.mark.parametrize(
    ("size", "expected"), [("900 bytes", 900), ("2KB", 2048), ("1 GB", 1024**3)]
)
def test_sizes_are_read_in_their_units(size, expected):
    rules = read_table(GOOD.replace("10 MB", size), "demo.yaml").references
    assert rules is not None
    assert rules.kinds[0].max_bytes == expected


def test_without_combinations_only_the_number_of_files_counts():
    text = GOOD.replace("  combinations: [{video: 1, image: 2}]\n", "")
    rules = read_table(text, "demo.yaml").references
    assert rules is not None
    assert rules.combinations == ({"image": 3, "video": 3},)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["error"])
def test_a_wrong_table_is_refused_with_its_line_and_field(case):
    old, new = case["put"]
    assert old in GOOD
    with pytest.raises(CatalogError) as caught:
        read_table(GOOD.replace(old, new, 1), "demo.yaml")
    problem = caught.value.problem
    assert f"{problem.line}: {problem.message}".startswith(case["error"])
    assert str(caught.value).startswith(f"demo.yaml:{problem.line}:{problem.column}: ")


@pytest.mark.parametrize("text", ["", "# nothing\n", "--- \n", "- a\n", "text", "a: \0", "\ud800"])
def test_what_is_no_table_at_all_is_refused(text):
    with pytest.raises(CatalogError, match=r"^demo\.yaml"):
        read_table(text, "demo.yaml")


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 100_000, "{a: " * 50_000])
def test_endless_nesting_is_refused_and_does_not_exhaust_the_stack(text):
    with pytest.raises(CatalogError, match="nests too deep"):
        read_table(text, "demo.yaml")


def test_two_tables_of_one_model_are_refused():
    model = read_table(GOOD, "demo.yaml")
    with pytest.raises(CatalogError, match="Two tables describe rivya/demo"):
        collect([model, model])


def test_a_bare_name_finds_the_models_of_all_providers():
    model = read_table(GOOD, "demo.yaml")
    other = read_table(GOOD.replace("provider: rivya", "provider: acedatacloud"), "other.yaml")
    catalog = collect([model, other])
    assert catalog.candidates("demo") == (other, model)
    assert catalog.candidates("rivya/demo") == (model,)
    assert catalog.candidates("rivya/other") == ()
