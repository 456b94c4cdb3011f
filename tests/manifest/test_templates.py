from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest import templates

MARKUP = st.text(st.sampled_from("{}ab \n%$\\"), max_size=20)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{a}}", "1"),
        ("{{ a }}{{a}}", "11"),
        ("{{b}}", "{{a}}"),
        ("{a} {{c}}", "{a} true"),
        (r"\{{a}}", r"\1"),
    ],
)
def test_a_variable_is_replaced_once(text: str, filled: str) -> None:
    assert templates.fill(text, {"a": 1, "b": "{{a}}", "c": True}) == filled


@given(MARKUP, MARKUP)
def test_values_are_never_looked_at_again(value: str, around: str) -> None:
    around = around.replace("{", "").replace("}", "")

    assert templates.fill(around + "{{x}}" + around, {"x": value}) == around + value + around


@pytest.mark.parametrize("text", ["{{a", "{{", "{{a}", "{{{{a}}", "{{ {a} }}"])
def test_braces_that_open_no_variable_are_noticed(text: str) -> None:
    assert templates.is_unfinished(text)


def test_text_that_would_grow_without_end_is_not_made() -> None:
    assert templates.fill("{{x}}" * 1_000, {"x": "y" * 10_000}) is None


def test_nothing_is_evaluated() -> None:
    assert templates.names_in("{{'a' * 9e8}} {{x.__class__}}") == ("'a' * 9e8", "x.__class__")
