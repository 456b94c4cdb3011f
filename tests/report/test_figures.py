from __future__ import annotations

import math

import pytest

from orchestrator.report.figures import counted, size, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (3.0, "3 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (65, "1 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h"),
        (4320, "1 h 12 min"),
        (86400 * 2 + 3 * 3600, "2 d 3 h"),
        (-1, "unknown"),
        (math.inf, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (4_100_000, "4.1 MB"),
        (999_600, "1.0 MB"),
        (123_400_000, "123 MB"),
        (1_300_000_000, "1.3 GB"),
        (5 * 10**18, "5,000 PB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_fits(count, text):
    assert size(count) == text


def test_a_noun_follows_its_number():
    assert [counted(number, "video") for number in (0, 1, 1200)] == [
        "0 videos",
        "1 video",
        "1,200 videos",
    ]
