from orchestrator.catalog.importing.page import open_page
from orchestrator.catalog.importing.pipes import cells, find_grids, stray_rows


def grids(*lines):
    page = open_page("\n".join(lines).encode())
    return page, find_grids(page)


def test_a_table_is_a_header_a_rule_and_rows():
    _, (grid,) = grids("text", "| a | b |", "|---|:-:|", "| 1 | 2 |", "", "| 3 | 4 |", "text")
    assert (grid.line, grid.header) == (2, ("a", "b"))
    assert grid.rows == ((4, ("1", "2")), (6, ("3", "4")))
    assert list(grid.lines) == [2, 3, 4, 5, 6]


def test_a_header_ends_the_table_before_it():
    _, (first, second) = grids("| a |", "|---|", "| 1 |", "| b |", "|---|", "| 2 |")
    assert (first.rows, second.rows) == (((3, ("1",)),), ((6, ("2",)),))


def test_a_row_that_is_not_closed_has_no_cells():
    _, (grid,) = grids("| a | b |", "|---|---|", "| 1 | 2")
    assert grid.rows == ((3, ()),)


def test_lines_with_pipes_apart_from_tables_are_stray():
    page, found = grids("| a |", "|---|", "| 1 |", "text", "| 2 |")
    assert stray_rows(page, found) == [5]


def test_marks_and_escapes_of_markdown_are_undone():
    assert cells(r"| `a`, `b` | a\_b \| c | 16\:9 | C:\dir |") == (
        "a, b",
        "a_b | c",
        "16:9",
        r"C:\dir",
    )
