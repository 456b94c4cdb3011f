import pytest

from orchestrator.catalog.importing.figures import Range, bounds, number, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5), ("-1", -1), ("0.5", 0.5), ("2147483647", 2147483647), ("\uff11\uff15", 15)],
)
def test_a_number_is_what_stands_there(text, expected):
    assert number(text) == expected
    assert type(number(text)) is type(expected)


@pytest.mark.parametrize(
    "text", ["", "-", "1,5", "1.500", "1e3", "05", "+1", "1.", ".5", "5 s", "5%", "1 000", "\u0665"]
)
def test_a_number_of_another_form_is_left_to_a_person(text):
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min 3 / max 15 / step 2", Range(3, 15, 2)),
        ("max 15 / min 3", Range(3, 15)),
        ("min -1", Range(min=-1)),
        ("step 0.5", Range(step=0.5)),
        ("min 3/max 15", Range(3, 15)),
        ("min \uff13 / max \uff11\uff15", Range(3, 15)),
    ],
)
def test_a_range_is_any_of_its_parts_in_any_order(text, expected):
    assert bounds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "3 - 15",
        "min 3 / min 4",
        "min 5 / max 4",
        "step 0",
        "min 3, max 15",
        "min: 3",
        "MIN 3",
    ],
)
def test_a_range_of_another_form_or_with_a_contradiction_is_left_to_a_person(text):
    assert bounds(text) is None


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("10 MB", 10), ("10MB", 10), ("10 Mo", 10), ("10 МБ", 10), ("1 GB", 1024)],
)
def test_sizes_are_read_in_the_units_of_several_languages(text, megabytes):
    assert size(text) == megabytes * 1024 * 1024


@pytest.mark.parametrize("text", ["", "-", "10", "1.5 MB", "10 mb", "10 Mbit", "0 MB", "ca. 10 MB"])
def test_a_size_of_another_form_is_left_to_a_person(text):
    assert size(text) is None
