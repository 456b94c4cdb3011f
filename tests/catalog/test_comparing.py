from dataclasses import replace

import pytest

from orchestrator.catalog.comparing import Difference, compare, without_table
from orchestrator.catalog.listing import Listed, Listing
from orchestrator.catalog.spec import Catalog
from orchestrator.catalog.tables import shipped

HAILUO = shipped().models["rivya/hailuo-pro"]
#: What a list says that agrees with the table.
SAME = Listed(
    "hailuo-pro",
    price=57,
    billing="fixed",
    prompt_limit=1500,
    availability="Available",
    modes=("text", "reference"),
    inputs=frozenset({"text", "reference"}),
    references=("image",),
)


def compared(listed=SAME, model=HAILUO, cut=None):
    listing = Listing((listed,) if listed else (Listed("other"),), cut)
    (one,) = compare(Catalog({model.name: model}), "rivya", listing)
    return one


def test_a_table_that_says_the_same_is_the_same():
    one = compared()
    assert (one.model, one.found, one.differences, one.unread) == (
        "rivya/hailuo-pro", "same", (), {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"price": 60}, Difference("price", 57, 60)),
        ({"billing": "PER_SECOND"}, Difference("billing", "FIXED", "PER_SECOND")),
        ({"prompt_limit": 1000}, Difference("prompt_limit", 1500, 1000)),
        ({"availability": "studio_only"}, Difference("availability", "available", "studio_only")),
        ({"references": ("image", "video")},
         Difference("references", ["image"], ["image", "video"])),
        ({"references": ()}, Difference("references", ["image"], [])),
    ],
)  # fmt: skip
def test_each_fact_that_differs_is_told_with_both_values(change, difference):
    one = compared(replace(SAME, **change))
    assert (one.found, one.differences, one.unread) == ("differs", (difference,), {})


@pytest.mark.parametrize(
    ("inputs", "differs"),
    [
        ({"text", "image"}, False),
        ({"text", "image", "reference"}, False),
        ({"text"}, True),
        ({"image"}, True),
        ({"text", "image", "video"}, True),
        ({"text", "reference", "audio"}, True),
    ],
)
def test_modes_differ_where_something_else_can_be_started_from(inputs, differs):
    listed = replace(SAME, modes=tuple(sorted(inputs)), inputs=frozenset(inputs))
    expected = (Difference("modes", ["text", "image"], sorted(inputs)),) if differs else ()
    assert compared(listed).differences == expected


def test_modes_of_a_model_without_references_differ_where_some_are_listed():
    model = replace(HAILUO, references=None)
    (modes, references) = compared(model=model).differences
    assert modes == Difference("modes", ["text"], ["text", "reference"])
    assert references == Difference("references", [], ["image"])


def test_a_model_that_needs_a_reference_does_not_start_from_text():
    model = replace(HAILUO, references=replace(HAILUO.references, min_files=1))
    listed = replace(SAME, modes=("image",), inputs=frozenset({"image"}))
    assert compared(listed, model).differences == ()
    assert compared(model=model).differences[0].table == ["image"]


def test_where_a_mode_could_not_be_read_none_is_said_to_be_missing():
    listed = replace(
        SAME, modes=("magic",), inputs=frozenset(), unread={"modes": "nobody knows magic"}
    )
    one = compared(listed)
    assert (one.found, one.differences) == ("unread", ())
    assert one.unread == {"modes": "nobody knows magic"}


def test_a_model_that_a_whole_list_lacks_is_gone():
    assert compared(None).found == "gone"


def test_a_model_that_a_cut_list_lacks_is_not_said_to_be_gone():
    one = compared(None, cut="it goes on elsewhere")
    assert one.found == "unread"
    assert one.unread["listed"].endswith("but it goes on elsewhere")


def test_what_the_list_does_not_tell_is_named_and_no_difference():
    one = compared(Listed("hailuo-pro"))
    assert (one.found, one.differences) == ("unread", ())
    facts = ["price", "billing", "prompt_limit", "availability", "modes", "references"]
    assert one.unread == dict.fromkeys(facts, "the list does not tell")


def test_what_neither_tells_is_nothing():
    model = replace(HAILUO, price=None, billing=None, prompt_limit=None, references=None)
    one = compared(Listed("hailuo-pro"), model)
    assert list(one.unread) == ["availability", "modes"]


def test_a_price_that_the_table_does_not_know_differs():
    (difference,) = compared(model=replace(HAILUO, price=None)).differences
    assert difference == Difference("price", None, 57)


def test_a_price_in_another_unit_is_not_compared():
    one = compared(model=replace(HAILUO, price=0.5, unit="USD"))
    assert (one.found, one.differences) == ("unread", ())
    assert one.unread == {"price": "the list counts in credits, the table in USD"}


def test_only_the_tables_of_the_provider_are_compared_and_models_without_one_are_told():
    listing = Listing((SAME, Listed("veo-4")))
    names = [one.model for one in compare(shipped(), "rivya", listing)]
    assert names == ["rivya/hailuo-pro", "rivya/happyhorse-1-0", "rivya/sora-2-pro"]
    assert without_table(shipped(), "rivya", listing) == (Listed("veo-4"),)
