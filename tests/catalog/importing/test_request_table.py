import pytest

from orchestrator.catalog.importing.page import open_page
from orchestrator.catalog.importing.pipes import find_grids
from orchestrator.catalog.importing.request_table import Words, find_request_tables

GLUED = """\
KeyTypeNötigStandardText
modelstringJademo-1Die ID
promptstringJa-Höchstens 9 Zeichen
paramsobjectNein-Regler
client_request_idstringNein-Eigene ID
"""
PIPED = """\
| Key | Type | Nötig | Standard | Text |
|---|---|---|---|---|
| model | string | Ja | demo-1 | Die ID |
| prompt | string | Ja | - | Höchstens 9 Zeichen |
| params | object | Nein | - | Regler |
| client_request_id | string | Nein | - | Eigene ID |
"""


def found(text, *ids):
    page = open_page(text.encode())
    return find_request_tables(page, find_grids(page), ids or ("demo-1",))


@pytest.mark.parametrize("text", [GLUED, PIPED])
def test_the_known_rows_tell_the_words_the_id_and_what_is_said_of_the_prompt(text):
    (table,) = found(text)
    assert table.words == Words("Ja", "Nein")
    assert table.model == "demo-1"
    assert table.prompt is not None
    assert table.prompt[1] == "Höchstens 9 Zeichen"
    assert table.descriptions == ("Die ID", "Höchstens 9 Zeichen", "Regler", "Eigene ID")
    assert len(table.lines) == len(text.splitlines())


@pytest.mark.parametrize("text", [GLUED, PIPED])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Nein", "Ja", Words()),
        ("Nein", "nein1", Words()),
        ("Nein", "Ein sehr langes Wort für nichts", Words()),
        ("client_request_id", "request_id", Words()),
    ],
)
def test_words_that_are_not_certain_are_none(text, old, new, words):
    (table,) = found(text.replace(old, new))
    assert table.words == words


def test_an_empty_column_is_known_as_such():
    (table,) = found(GLUED.replace("Ja", "").replace("Nein", ""))
    assert table.words == Words(empty=True)
    assert table.words.cells() == ("-", "")
    assert Words().cells() == ()


def test_params_may_be_required_where_a_parameter_is():
    (table,) = found(GLUED.replace("paramsobjectNein", "paramsobjectJa"))
    assert table.words == Words("Ja", "Nein")


@pytest.mark.parametrize("ids", [("demo",), ("other",), ("emo-1",)])
def test_an_id_that_does_not_stand_whole_in_its_cell_tells_nothing(ids):
    (table,) = found(GLUED.replace("demo-1D", "demo-1.5D"), *ids)
    assert (table.model, table.words) == (None, Words())


def test_other_tables_are_none_of_request_fields():
    assert found("| a | b |\n|---|---|\n| model | string |\n") == []
    assert found("modelstringJademo-1Die ID") == []
