from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.json_rows import read_json_lines

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
scalars = st.one_of(
    texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    st.dictionaries(texts, scalars, min_size=1, max_size=4),
    st.sampled_from([(",", ":"), (" ,\t", " :  ")]),
    st.booleans(),
)
def test_the_place_of_a_value_is_where_it_stands_in_the_line(row, separators, escaped) -> None:
    line = json.dumps(row, separators=separators, ensure_ascii=escaped)
    read = read_json_lines("\n  " + line, "f.jsonl")

    assert read.rows == [row]
    for name, value in row.items():
        line_number, column = read.locate(("rows", 0, name))
        assert line_number == 2
        assert line[column - 3 :].startswith(json.dumps(value, ensure_ascii=escaped))


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('{"a": NaN}', 1),
        ('{"a": "\\ud800"}', 1),
        ('{"a": 1} x', 10),
        ("  [1]", 3),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", 1),
    ],
    ids=["not a number", "half a character", "more behind it", "no object", "nested too deep"],
)
def test_a_line_that_is_no_row_is_told_where(line: str, column: int) -> None:
    (problem,) = read_json_lines('{"a": 0}\n' + line, "f.jsonl").problems

    assert (problem.line, problem.column, problem.code) == (2, column, "json-syntax")
