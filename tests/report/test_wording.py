from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report.wording import readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\r\ntwo\tthree", "one two three"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\x1b]8;;https://x.example\x07link", "]8;;https://x.example link"),
        ("gpj.\u202ecod.exe", "gpj. cod.exe"),
        ("pair \U0001f468\u200d\U0001f469", "pair \U0001f468\u200d\U0001f469"),
        ("half \ud800 pair", "half pair"),
        ("a" * 30, "a" * 19 + "…"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_is_one_line_without_what_nobody_sees(text, shown):
    assert readable(text, 20 if text.startswith("aaa") else 80) == shown


@given(st.text(), st.integers(1, 60))
def test_any_text_becomes_short_and_can_be_written(text, most):
    shown = readable(text, most)
    assert len(shown) <= most
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    shown.encode()
