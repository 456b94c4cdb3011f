from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.catalog.importing import table_text
from orchestrator.catalog.tables import read_table, shipped
from tests.catalog.importing.material import (
    FOLDER,
    MEGABYTE,
    OF_PARAM,
    PAGES,
    SHIPPED,
    TODAY,
    facts,
    imported,
    lies,
    page,
)

EXPECTED = yaml.safe_load((FOLDER / "expected.yaml").read_text("utf-8"))
#: Pages that give a table, whether or not with doubts.
GIVING = [*SHIPPED.values(), *(name for name, said in EXPECTED.items() if "none" not in said)]
#: Without the one whose contradictions may be lost with a part of it.
CONSISTENT = [name for name in GIVING if name != "spanish-contradictory.md"]
TRUTHS = {name: facts(imported(page(name)).draft) for name in GIVING}
IN_DOUBT = "?"


def without_descriptions(model):
    """A model as its page can tell it: descriptions are in the page's language."""
    return replace(model, params=tuple(replace(param, description="") for param in model.params))


@pytest.mark.parametrize("model", SHIPPED)
def test_the_pages_of_shipped_models_give_exactly_the_shipped_tables(model):
    found = imported(page(SHIPPED[model]))
    assert found.doubts == ()
    table = read_table(table_text(found.draft, found.doubts), "imported.yaml")
    # The day of an example is not the day of the reading.
    expected = replace(shipped().models[f"rivya/{model}"], read=TODAY.isoformat())
    assert without_descriptions(table) == without_descriptions(expected)


def expected_facts(said):
    """The facts of a page as `expected.yaml` has them, by path."""
    found = {"provider": "rivya", "unit": "credits"}
    found |= {name: said[name] for name in ("model", "title", "price", "billing", "prompt_limit")}
    for key, param in said["params"].items():
        stated = {**dict.fromkeys(OF_PARAM), "required": False} | param
        options = stated["options"]
        stated["options"] = tuple(options) if isinstance(options, list) else options
        found |= {f"params.{key}.{name}": value for name, value in stated.items()}
    return found | expected_references(said.get("references"))


def expected_references(rules):
    if rules is None:
        return {"references": None}
    combinations = rules["combinations"]
    found = {
        "references.field": "referenceMediaItems",
        "references.uploads": True,
        "references.min_files": rules.get("min_files", 0),
        "references.max_files": rules["max_files"],
        "references.combinations": tuple(combinations) if combinations != "?" else "?",
    }
    for kind, rule in rules["kinds"].items():
        size = rule["max_size"]
        place = f"references.kinds.{kind}"
        found[f"{place}.max_size"] = size if size == IN_DOUBT else size * MEGABYTE
        found[f"{place}.mime_types"] = tuple(rule["mime_types"])
        found[f"{place}.duration_token"] = rule.get("duration_token", False)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_an_invented_page_imports_right_or_is_reported_field_by_field(name):
    said, found = EXPECTED[name], imported(page(name))
    if "none" in said:
        assert found.draft is None
        assert [doubt.field for doubt in found.doubts] == ["params"]
        assert said["none"] in found.doubts[0].reason
        return
    expected = expected_facts(said)
    in_doubt = {path for path, value in expected.items() if value == IN_DOUBT}
    assert {doubt.field for doubt in found.doubts} == in_doubt
    assert facts(found.draft) == {
        path: None if path in in_doubt else value for path, value in expected.items()
    }


def test_every_saved_page_has_its_truth():
    assert {path.name for path in PAGES.iterdir()} == {*SHIPPED.values(), *EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_doubt_points_at_the_line_where_to_look(name):
    lines = page(name).decode().splitlines()
    for doubt in imported(page(name)).doubts:
        assert 1 <= doubt.line <= len(lines)
        parts = doubt.field.split(".")
        if parts[0] == "params" and len(parts) > 1:
            assert lines[doubt.line - 1].lstrip("| ").startswith(parts[1])


# --- cut, shuffled, repeated -------------------------------------------------------------------


def cuts(name, every):
    """A page cut off behind every so many bytes."""
    data = page(name)
    return [data[:end] for end in range(0, len(data), every)]


@pytest.mark.parametrize("name", SHIPPED.values())
def test_a_page_that_is_cut_off_never_tells_a_lie(name, every_cut):
    for data in cuts(name, 1 if every_cut else 29):
        for ending in (b"", b"\n", b"\nImprint\nTerms\n2026\nRivya"):
            if ending and not is_text(data):
                continue
            assert lies(imported(data + ending), TRUTHS[name]) == {}


def is_text(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("name", CONSISTENT)
def test_an_invented_page_that_is_cut_off_never_tells_a_lie(name, every_cut):
    for data in cuts(name, 1 if every_cut else 89):
        assert lies(imported(data), TRUTHS[name]) == {}


@pytest.mark.parametrize("name", CONSISTENT)
def test_a_page_cut_within_its_parameter_table_gives_no_table(name):
    data = page(name)
    row = list(TRUTHS[name])[7].split(".")[1].replace("person_generation", "person")
    start = data.index(row.encode())
    for end in range(start, start + 40, 3):
        assert imported(data[:end]).draft is None


@given(name=st.sampled_from(CONSISTENT), data=st.data())
@settings(max_examples=150, deadline=None)
def test_lines_that_are_lost_lose_facts_and_change_none(name, data):
    lines = page(name).decode().splitlines()
    first = data.draw(st.integers(0, len(lines) - 1))
    count = data.draw(st.sampled_from([1, 2, 3, 5, 8, 13, 40]))
    text = "\n".join(lines[:first] + lines[first + count :])
    assert lies(imported(text), TRUTHS[name]) == {}


def test_rows_are_missing_where_the_rest_of_an_example_names_one():
    lines = page("english-demanding.txt").decode().splitlines()
    row, model = lines.index("sizeselectNo--10, 155 seconds are free"), '  "model": "animate-1",'
    second = lines.index(model, lines.index(model) + 1)
    found = imported("\n".join(lines[:row] + lines[second + 1 :]))
    assert found.draft is None
    assert found.doubts[0].reason == "the example names `size`, which no row describes."


@given(name=st.sampled_from(CONSISTENT), data=st.data())
@settings(max_examples=150, deadline=None)
def test_sections_in_another_order_change_no_fact(name, data):
    lines = page(name).decode().splitlines()
    places = sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), max_size=4)))
    starts, ends = [0, *places], [*places, len(lines)]
    parts = [lines[start:end] for start, end in zip(starts, ends, strict=True)]
    shuffled = data.draw(st.permutations(parts))
    text = "\n".join(line for part in shuffled for line in part)
    assert lies(imported(text), TRUTHS[name]) == {}


@given(name=st.sampled_from(CONSISTENT), data=st.data())
@settings(max_examples=60, deadline=None)
def test_lines_that_are_repeated_change_no_fact(name, data):
    lines = page(name).decode().splitlines()
    first = data.draw(st.integers(0, len(lines) - 1))
    count = data.draw(st.sampled_from([1, 2, 10, 60]))
    text = "\n".join(lines[: first + count] + lines[first:])
    assert lies(imported(text), TRUTHS[name]) == {}


WAYS_TO_SAVE = {
    "the line ends of another system": lambda text: text.replace("\n", "\r\n"),
    "spaces that do not break": lambda text: text.replace(" ", "\u00a0"),
    "empty lines between all lines": lambda text: text.replace("\n", "\n\n"),
    "no empty lines": lambda text: "\n".join(line for line in text.split("\n") if line.strip()),
    "a byte-order mark": lambda text: "\ufeff" + text,
    "lines indented and ended by spaces": lambda text: text.replace("\n", " \n   "),
    "zero-width spaces in words": lambda text: text.replace("e", "e\u200b"),
    "typographic quotation marks": lambda text: text.replace(' "', " \u201c").replace(
        '",', "\u201d,"
    ),
    "all of it twice": lambda text: f"{text}\n{text}",
}


@pytest.mark.parametrize("way", WAYS_TO_SAVE)
@pytest.mark.parametrize("name", CONSISTENT)
def test_the_way_in_which_a_page_is_saved_changes_nothing(name, way):
    text = page(name).decode()
    found, saved = imported(text), imported(WAYS_TO_SAVE[way](text))
    assert facts(saved.draft) == facts(found.draft)
    assert [doubt.field for doubt in saved.doubts] == [doubt.field for doubt in found.doubts]


def test_full_width_figures_are_figures_where_a_number_stands_and_doubtful_in_an_option():
    text = page("simplified-chinese-glued.txt").decode()
    wide = {ord(plain): chr(ord(plain) + 0xFEE0) for plain in "0123456789:"}
    saved = "\n".join(
        line.translate(wide) if line.startswith(("duration", "aspect_ratio", "56")) else line
        for line in text.split("\n")
    )
    found = imported(saved)
    told = facts(found.draft)
    assert (told["price"], told["params.duration.max"], told["params.duration.default"]) == (
        56, 10, 5,
    )  # fmt: skip
    assert told["params.aspect_ratio.options"] is None
    assert told["params.aspect_ratio.default"] is None
