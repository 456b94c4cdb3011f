from __future__ import annotations

import math

import pytest

from orchestrator.manifest.scalars import Plain, as_text, plain

READINGS = {
    "16:9": "16:9",
    "1:30:00": "1:30:00",
    "no": "no",
    "yes": "yes",
    "on": "on",
    "Off": "Off",
    "y": "y",
    "012": 12,
    "0o14": 12,
    "0x1F": 31,
    "0b11": "0b11",
    "1_000": "1_000",
    "-7": -7,
    "+7": 7,
    "1e3": 1000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-.5e-1": -0.05,
    "1.2.3": "1.2.3",
    "+": "+",
    "-": "-",
    ".": ".",
    "2026-05-11": "2026-05-11",
    "~": None,
    "": None,
    "null": None,
    "NULL": None,
    "nULL": "nULL",
    "true": True,
    "TRUE": True,
    "tRUE": "tRUE",
    "False": False,
    ".inf": math.inf,
    "-.INF": -math.inf,
    "inf": "inf",
    "nan": "nan",
    "=": "=",
    "<<": "<<",
    "٣": "٣",
}


@pytest.mark.parametrize(("text", "value"), READINGS.items())
def test_an_unquoted_text_is_read_as_yaml_1_2_core_says(text: str, value: object) -> None:
    assert (plain(text), type(plain(text))) == (value, type(value))


def test_a_text_that_recurs_is_read_as_it_was_the_first_time() -> None:
    known = Plain()

    for _time in range(2):
        for text, value in READINGS.items():
            assert (known[text], type(known[text])) == (value, type(value))
        assert known["x" * 1000] == "x" * 1000
    assert set(known) == set(READINGS)


def test_texts_that_do_not_recur_are_not_kept() -> None:
    known = Plain()

    for number in range(100_000):
        assert known[str(number)] == number
    assert len(known) < 10_000


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(plain(".nan"))


def test_a_number_of_a_million_digits_is_read_at_once() -> None:
    assert plain("9" * 1_000_000) == math.inf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (False, "false"), (15, "15"), (0.5, "0.5"), (None, ""), ("x", "x"),
        (math.inf, ".inf"), (-math.inf, "-.inf"), (math.nan, ".nan"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_yaml_writes_it(value: object, text: str) -> None:
    assert as_text(value) == text
