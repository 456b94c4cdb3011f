"""Values as JSON texts: whatever JSON can hold comes back as it was."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.json_text import to_json
from orchestrator.ledger.store import Event

EPOCH = datetime.fromtimestamp(0, UTC)

#: Lone surrogates and integers of any size among them.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans())
def test_what_json_can_hold_comes_back(value, indented):
    assert json.loads(to_json(value, indented=indented)) == value


def test_a_log_line_is_one_line_and_keeps_its_letters():
    assert to_json({"a": "é\n", "b": [1.5, None]}) == '{"a":"é\\n","b":[1.5,null]}'


def test_what_is_read_by_people_has_a_member_a_line():
    assert to_json({"a": 1, "b": {}}, indented=True) == '{\n  "a": 1,\n  "b": {}\n}'


def test_a_lone_surrogate_is_escaped():
    assert to_json({"a": "é\ud800"}) == '{"a": "\\u00e9\\ud800"}'


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), EPOCH, Event(1, "stored")])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(TypeError):
        to_json(value)


def test_a_float_that_is_not_finite_is_never_written_as_such():
    assert to_json([math.nan, math.inf]) == "[null,null]"
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([math.nan, "\ud800"])
