from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.delimited_rows import read_delimited

cells = st.text(st.sampled_from('ab ,\t"\n\ré😀'), max_size=6)


@st.composite
def tables(draw) -> tuple[str, str, list[list[str]], list[list[tuple[int, int]]]]:
    """A text, its delimiter, the cells, and each cell's line and column, written by hand."""
    delimiter = draw(st.sampled_from(",\t"))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    width = draw(st.integers(2, 4))
    header = [f"c{n}" for n in range(width)]
    rows = [header, *draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=5))]
    text, offsets = "", []
    for row in rows:
        for number, cell in enumerate(row):
            offsets.append(len(text))
            quoted = any(c in cell for c in '"\r\n' + delimiter) or draw(st.booleans())
            text += '"' + cell.replace('"', '""') + '"' if quoted else cell
            text += delimiter if number < width - 1 else ending
        text += draw(st.sampled_from(["", ending]))
    places = [place_of(text, offset) for offset in offsets]
    return text, delimiter, rows, [places[n : n + width] for n in range(0, len(places), width)]


def place_of(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset].replace("\r\n", " \n").replace("\r", "\n")
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


@given(tables())
def test_every_cell_has_its_value_and_the_place_of_its_first_character(table) -> None:
    text, delimiter, rows, places = table
    read = read_delimited(text, "f.csv", delimiter)

    header = rows[0]
    assert read.rows == [dict(zip(header, row, strict=True)) for row in rows[1:]]
    for number, row_places in enumerate(places[1:]):
        for name, place in zip(header, row_places, strict=True):
            assert read.locate(("rows", number, name)) == place
    assert [read.locate(("rows", 0, name), key=True) for name in header] == places[0]


@given(st.text(st.sampled_from('a,"\n\r '), max_size=30))
def test_any_text_is_a_table_or_has_a_problem_in_it(text: str) -> None:
    read = read_delimited(text, "f.csv", ",")

    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in read.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 2


def test_a_position_in_a_long_table_is_found_at_once() -> None:
    text = "a,b\n" + 'x,"y\nz"\n' * 20_000
    read = read_delimited(text, "f.csv", ",")

    assert read.locate(("rows", 19_999, "b")) == (40_000, 3)


@given(
    st.lists(st.sampled_from(["x,1", '"y, ""z""",2', '"a,1', '"a"b,1', 'a,"1']), min_size=1),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_broken_row_hides_no_other(lines: list[str], ending: str) -> None:
    text = ending.join(["name,value", *lines]) + ending
    sound = {"x,1": {"name": "x", "value": "1"}, '"y, ""z""",2': {"name": 'y, "z"', "value": "2"}}

    read = read_delimited(text, "f.csv", ",")

    assert [read.rows[n] for n, line in enumerate(lines) if line in sound] == [
        sound[line] for line in lines if line in sound
    ]
    assert read.faulty == {n for n, line in enumerate(lines) if line not in sound}
    assert [problem.line for problem in read.problems] == [
        n + 2 for n, line in enumerate(lines) if line not in sound
    ]
    for number, line in enumerate(lines):
        if line in sound:
            column = line.rindex(",") + 2
            assert read.locate(("rows", number, "value")) == (number + 2, column)


def test_a_cell_that_is_too_long_is_named() -> None:
    text = "a,b\nx,y\nz," + "w" * 200_000 + "\n"

    (problem,) = read_delimited(text, "f.csv", ",").problems

    assert (problem.line, problem.column, problem.code) == (3, 3, "csv-syntax")
    assert "131072 characters" in problem.message


def test_many_broken_rows_are_told_within_a_second() -> None:
    started = time.perf_counter()

    read = read_delimited("a,b\n" + 'x,"y\n' * 20_000, "f.csv", ",")

    assert len(read.problems) == 20_000
    assert time.perf_counter() - started < 1
