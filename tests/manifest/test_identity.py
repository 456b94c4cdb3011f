from __future__ import annotations

import json
import re
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.identity import (
    PART_LENGTH,
    SLUG_LENGTH,
    axes_part,
    identity_of,
    short_digest,
    slug,
)

values = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("aB-._ /é"), max_size=50),
    st.sampled_from(
        ["con", "NUL.txt", "com1", "..", ".", "", "a.", "-a", ".hidden", "lpt0.tar.gz"]
    ),
)
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def folded(value: str) -> str:
    return normalize("NFC", normalize("NFC", value).lower())


@given(values)
def test_a_slug_is_a_safe_name_on_every_system(value: str) -> None:
    name = slug(value)

    assert re.fullmatch(r"[a-z0-9._-]{1,40}", name)
    assert name[0] not in ".-"
    assert name[-1] not in ".-"
    assert not DEVICES.fullmatch(name)


@given(values)
def test_letter_case_and_unicode_form_make_no_difference(value: str) -> None:
    assert slug(normalize("NFD", value)) == slug(value)
    if value.isascii():
        assert slug(value.upper()) == slug(value)


@given(values, values)
def test_values_that_differ_in_anything_else_have_different_slugs(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (folded(one) == folded(other))


@given(values)
def test_a_slug_is_its_own_slug(value: str) -> None:
    assert slug(slug(value)) == slug(value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Cup", "cup"),
        ("sora-2-pro", "sora-2-pro"),
        ("a" * 40, "a" * 40),
        ("a" * 41, "a" * 31 + "-" + short_digest("a" * 41)),
        ("16:9", "16-9-" + short_digest("16:9")),
        ("red & blue", "red-blue-" + short_digest("red & blue")),
        ("湖" * 100, short_digest("湖" * 100)),
        ("con", "con-" + short_digest("con")),
        ("aux.png", "aux-png-" + short_digest("aux.png")),
        ("trailing.", "trailing-" + short_digest("trailing.")),
        ("", short_digest("")),
    ],
)
def test_a_digest_stands_where_something_is_lost(value: str, name: str) -> None:
    assert slug(value) == name


@given(st.lists(values, min_size=1, max_size=12))
def test_many_axes_still_make_a_name_that_file_systems_take(chosen: list[str]) -> None:
    assert len(axes_part(chosen)) <= max(PART_LENGTH, SLUG_LENGTH)


def test_the_identity_does_not_depend_on_the_order_of_axes() -> None:
    one = identity_of("a", None, {"x": "1", "y": "2"}, None, 1)
    other = identity_of("a", None, {"y": "2", "x": "1"}, None, 1)

    assert one == other == '{"axes":{"x":"1","y":"2"},"id":"a","take":1}'


@given(values, st.integers(1, 9))
def test_the_identity_of_what_nothing_multiplies_is_canonical_json_too(
    name: str, take: int
) -> None:
    canonical = json.dumps(
        {"id": name, "take": take}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert identity_of(name, None, {}, None, take) == canonical
