import pytest

from orchestrator.catalog.importing.glued import Cells, looks_like_row, readings
from orchestrator.catalog.importing.request_table import Words
from orchestrator.catalog.importing.typesetting import Typesetting

WORDS = Words("Yes", "No")
PAGE = Typesetting(letters_apart=False, figures_apart=False, capitals=True)


def read(line, words=WORDS):
    return list(readings(line, words, PAGE))


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (
            "durationnumberNo5min 3 / max 15-Length",
            Cells("duration", "number", "No", "5", "min 3 / max 15", "-", "Length"),
        ),
        (
            "seednumberNo-1min -1 / max 5-5 seeds",
            Cells("seed", "number", "No", "-1", "min -1 / max 5", "-", "5 seeds"),
        ),
        ("seednumberYes---Seed", Cells("seed", "number", "Yes", "-", "-", "-", "Seed")),
        ("shiftnumberNo-5--Shift", Cells("shift", "number", "No", "-5", "-", "-", "Shift")),
        (
            "tnumberNo0.5min 0 / max 1 / step 0.1--",
            Cells("t", "number", "No", "0.5", "min 0 / max 1 / step 0.1", "-", "-"),
        ),
        (
            "sizeselectNo--480p, 720pSize",
            Cells("size", "select", "No", "-", "-", "480p, 720p", "Size"),
        ),
        (
            "shiftselectNo-1--1, 0, 1Shift",
            Cells("shift", "select", "No", "-1", "-", None, "-1, 0, 1Shift"),
        ),
        ("hinttextNo---What to avoid", Cells("hint", "text", "No", "-", "-", "-", "What to avoid")),
    ],
)
def test_a_row_with_one_reading_is_taken_apart(line, cells):
    assert read(line) == [cells]


def test_a_dash_may_be_a_minus_sign_where_the_column_before_says_nothing():
    found = read("seednumber-1min -1 / max 5-Seed", Words(empty=True))
    assert {(cells.required, cells.default) for cells in found} == {("-", "1"), ("", "-1")}


def test_a_dash_may_be_a_minus_sign_of_an_option_too():
    found = read("shiftselect-1--1, 0, 1Shift")
    assert {(cells.required, cells.default) for cells in found} == {("-", "1"), ("", "-1")}


def test_a_default_that_begins_with_the_word_for_no_has_two_readings():
    found = read("styletextNoir--Words")
    assert {(cells.required, cells.default) for cells in found} == {("No", "ir"), ("", "Noir")}


def test_a_third_dash_may_belong_to_the_default_or_to_the_description():
    found = read("styletextNohello---Words")
    assert [(cells.default, cells.description) for cells in found] == [
        ("hello", "-Words"),
        ("hello-", "Words"),
    ]


def test_a_third_dash_before_a_figure_may_be_its_sign():
    found = read("seedtextNo---1 is random")
    assert {(cells.required, cells.default) for cells in found} == {("No", "-"), ("", "No")}


def test_a_description_may_begin_with_a_minus_sign():
    (cells,) = read("seednumberNo-1min -1 / max 5--1 takes any")
    assert (cells.default, cells.range, cells.description) == (
        "-1",
        "min -1 / max 5",
        "-1 takes any",
    )


def test_a_default_with_a_dash_has_two_readings_where_an_option_begins_like_it():
    found = read("modelselectNohigh-res-low, high-resSize")
    assert {cells.default for cells in found} == {"high", "high-res"}


def test_a_default_that_could_end_at_two_dashes_has_two_readings():
    found = read("mselectNogen-4-turbo-gen-3, gen-4, gen-4-turbo3D")
    assert {cells.default for cells in found} == {"gen", "gen-4", "gen-4-turbo"}


@pytest.mark.parametrize(
    "line",
    [
        "Upload policy",
        "durationnumberNo5min 3 / max 15Length",  # no cell for options
        "durationnumberNo5max 15,000-Length",
        "durationnumberNo1e3--Length",
        "durationnumberNo5.500--Length",
        "durationnumberNo5--",
        "durationnumberNein5--Length",
        "loopbooleanNofalse--Loop",
        "2dselectNo--480p, 720pSize",
    ],
)
def test_what_fits_no_columns_has_no_reading(line):
    assert read(line) == []


def test_nothing_is_read_where_the_words_for_yes_and_no_are_not_certain():
    assert read("seednumberNo5--Seed", Words()) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("loopbooleanNofalse-", True),
        ("loopboolean--", True),
        ("Upload policy", False),
        ("Notes - and more", False),
        ("ไม่ใช่", False),
    ],
)
def test_a_row_of_an_unknown_type_still_looks_like_one(line, expected):
    assert looks_like_row(line, WORDS) is expected
