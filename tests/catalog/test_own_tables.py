from pathlib import Path

import pytest
import yaml

from orchestrator.catalog import own_tables, tables
from orchestrator.catalog.own_tables import (
    catalog_with,
    check_folder,
    check_table,
    folder_warnings,
    tables_folder,
)
from orchestrator.catalog.table_problems import Wire
from orchestrator.catalog.tables import shipped
from orchestrator.errors import CatalogError, UsageError, WrongTables
from tests.catalog.test_tables import CASES, GOOD

SHIPPED_FILES = sorted((Path(tables.__file__).parent / "tables").rglob("*.yaml"))
#: Changes to the good table, and the problems that they lead to, without the file's name.
PROBLEMS = yaml.safe_load((Path(__file__).parent / "cases" / "own_tables.yaml").read_text("utf-8"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "demo.yaml").write_text(GOOD)
    return tmp_path


@pytest.mark.parametrize("file", SHIPPED_FILES, ids=lambda file: file.stem)
def test_a_shipped_table_could_be_somebodys_own(file):
    model = check_table(file)
    assert model == shipped().models[f"{file.parent.name}/{file.stem}"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["error"])
def test_what_is_refused_of_a_shipped_table_is_refused_of_an_own_one_at_the_same_line(
    tmp_path, case
):
    old, new = case["put"]
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    problems = check_table(file)
    assert isinstance(problems, tuple)
    lines = {problem.line for problem in problems}
    # A description that is empty stands there, and is not missing.
    expected = 15 if old == "Shape." else int(case["error"].partition(":")[0])
    assert expected in lines


@pytest.mark.parametrize("case", PROBLEMS, ids=lambda case: case["problems"][0])
def test_all_problems_are_reported_at_their_places(tmp_path, case):
    text = GOOD
    for old, new in case["put"]:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "demo.yaml"
    file.write_text(text)
    problems = check_table(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in problems] == case["problems"]


def test_own_tables_add_to_the_shipped_ones_and_take_their_place(folder):
    (folder / "sora.yaml").write_text(GOOD.replace("model: demo", "model: sora-2-pro"))
    catalog = catalog_with(folder)
    assert list(catalog.models) == sorted([*shipped().models, "rivya/demo"])
    assert catalog.models["rivya/demo"].price == 57
    assert catalog.models["rivya/sora-2-pro"].title == "Demo"
    assert catalog.models["rivya/hailuo-pro"] is shipped().models["rivya/hailuo-pro"]


def test_without_a_folder_there_are_the_shipped_tables():
    assert catalog_with(None) is shipped()


def test_other_files_are_no_tables(folder):
    (folder / "notes.txt").write_text("x")
    (folder / "._demo.yaml").write_bytes(b"\x00\x05\x16\x07")
    (folder / "sub.yaml").mkdir()
    models, problems = check_folder(folder)
    assert ([model.name for model in models], problems) == (["rivya/demo"], ())


def test_all_problems_of_all_tables_are_raised_at_once(folder):
    (folder / "b.yaml").write_text("price: x\n")
    (folder / "c.yaml").write_text("[")
    (folder / "d.yaml").write_text(GOOD.replace("source: A page\n", ""))
    with pytest.raises(WrongTables) as caught:
        catalog_with(folder)
    assert isinstance(caught.value, CatalogError)
    files = [Path(problem.file).name for problem in caught.value.problems]
    assert files == ["b.yaml"] * 7 + ["c.yaml", "d.yaml"]
    assert (
        str(caught.value).splitlines()[-1].startswith(f"{folder}/d.yaml:1:1: `source` is missing")
    )


def test_a_provider_that_is_not_installed_is_a_problem_at_its_place(folder):
    table = folder / "demo.yaml"
    table.write_text(GOOD.replace("rivya", "rivyaa").replace("price: 57", "price: x"))
    with pytest.raises(WrongTables) as caught:
        catalog_with(folder, {"acedatacloud": Wire(), "rivya": Wire()})
    first, second = caught.value.problems
    assert str(first) == (f"{table}:1:11: no provider is called `rivyaa` (did you mean `rivya`?)")
    assert second.path == "price"
    table.write_text("[rivyaa]\n")
    with pytest.raises(WrongTables, match="1:1: `the table` must be a mapping"):
        catalog_with(folder, {"rivya": Wire()})


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("max: 15, step", "max: null,  # DOUBT line 30: no figure\n    step", "16:51"),
        ("default: 16:9", "default: ~  # DOUBT line 31: empty", "14:14"),
        ("default: 16:9", "default:   # DOUBT line 31: empty", "14:13"),
        ("  max_files: 3", "  min_files: null  # DOUBT\n  max_files: 3", "21:14"),
        ("combinations: [{video: 1, image: 2}]", "combinations: null  # DOUBT", "25:17"),
        ("image/png]", "image/png], duration_token: null  # DOUBT\n      ", "23:71"),
    ],
)
def test_a_fact_in_doubt_is_a_problem_until_it_is_settled(tmp_path, old, new, place):
    file = tmp_path / "demo.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    (problem,) = check_table(file)
    assert (f"{problem.line}:{problem.column}", problem.code) == (place, "doubtful")
    assert "is in doubt: its line is marked # DOUBT" in problem.message
    assert "write what holds, or remove the mark" in problem.hint
    file.write_text(GOOD.replace(old, new.replace("# DOUBT", "#")))
    assert check_table(file).name == "rivya/demo"


def test_references_in_doubt_are_not_taken_for_none(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD.partition("references:")[0] + "references: null  # DOUBT line 9: odd")
    (problem,) = check_table(file)
    assert (problem.line, problem.path) == (18, "references")


def test_a_mark_beside_a_fact_that_must_not_be_empty_is_one_problem(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD.replace("max_files: 3", "max_files: null  # DOUBT line 9: several"))
    (problem,) = check_table(file)
    assert (problem.line, problem.code) == (21, "wrong-type")


def test_what_was_written_beside_a_mark_settles_it(tmp_path):
    file = tmp_path / "demo.yaml"
    settled = GOOD.replace("description: Shape.", 'description: "null # DOUBT"')
    file.write_text(settled.replace("price: 57", "price: 57  # DOUBT line 4: several"))
    assert check_table(file).price == 57
    assert folder_warnings(tmp_path, named=True) == ()


def test_a_price_billing_or_prompt_limit_in_doubt_is_a_warning(tmp_path):
    file = tmp_path / "demo.yaml"
    doubtful = GOOD.replace("price: 57", "price: null  # DOUBT line 4: several\nbilling:  # DOUBT")
    file.write_text(doubtful.replace("prompt_limit: 1500", "prompt_limit: ~ # DOUBT"))
    assert check_table(file).price is None
    warnings = folder_warnings(tmp_path, named=False)
    assert [(one.line, one.path) for one in warnings] == [
        (6, "price"), (7, "billing"), (9, "prompt_limit"),
    ]  # fmt: skip
    assert str(warnings[0]) == (
        f"{file}:6:8: `price` is in doubt: its line is marked # DOUBT "
        "(write the figure, or remove the mark to leave it unknown)"
    )


def test_what_looks_like_a_table_and_is_not_read_is_a_warning(folder):
    (folder / "other.yml").write_text(GOOD)
    (folder / "LOUD.YAML").write_text(GOOD)
    (folder / "rivya").mkdir()
    (folder / "rivya" / "demo.yaml").write_text(GOOD)
    (folder / "gone.yaml").symlink_to(folder / "nowhere")
    for name in ("notes.txt", "._demo.yaml", ".hidden.yml"):
        (folder / name).write_text("x")
    (folder / "pages").mkdir()
    warned = {Path(one.file).name: one.hint for one in folder_warnings(folder, named=True)}
    assert warned == {
        "LOUD.YAML": "a table's name ends with .yaml: call it LOUD.yaml",
        "gone.yaml": "mend the link, or remove it",
        "other.yml": "a table's name ends with .yaml: call it other.yaml",
        "rivya": f"tables lie in {folder} itself: move them there",
    }


def test_a_folder_that_was_named_and_holds_no_table_is_a_warning(tmp_path):
    (warning,) = folder_warnings(tmp_path, named=True)
    assert (warning.file, warning.message) == (str(tmp_path), "the folder holds no table")
    assert folder_warnings(tmp_path, named=False) == ()


WIRE = Wire(frozenset({"model", "prompt"}), frozenset({"first_image"}), False, 3)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("voice:", "prompt:", "17:3: `prompt` is filled by this program in requests to rivya"),
        ("voice:", "Model:", "17:3: `Model` is filled by this program in requests to rivya"),
        ("voice:", "first_image:", "17:3: `first_image` is filled by references in requests to"),
        ("field: items", "field: model", "19:10: `model` is filled by this program in requests to"),
        (
            "uploads: false",
            "uploads: true",
            "20:12: rivya takes no uploads (write `uploads: false`",
        ),
        (
            "max_files: 3",
            "max_files: 4",
            "21:14: a request to rivya carries no more than 3 of them",
        ),
    ],
)
def test_a_table_cannot_change_what_a_request_is_for_nor_have_uploads_where_there_are_none(
    folder, old, new, problem
):
    file = folder / "demo.yaml"
    sound = GOOD.replace("uploads: true", "uploads: false")
    file.write_text(sound)
    assert catalog_with(folder, {"rivya": WIRE}).models["rivya/demo"]
    file.write_text(sound.replace(old, new))
    with pytest.raises(WrongTables) as caught:
        catalog_with(folder, {"rivya": WIRE})
    (found,) = caught.value.problems
    assert str(found).startswith(f"{file}:{problem}")


def test_two_tables_of_one_model_are_a_problem_of_the_second(folder):
    (folder / "other.yaml").write_text(GOOD)
    models, (problem,) = check_folder(folder)
    assert len(models) == 1
    assert str(problem) == (
        f"{folder}/other.yaml:2:8: {folder}/demo.yaml describes rivya/demo too. Remove one."
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"provider: \xff\n", "no UTF-8 text"), (b"#" * 1_000_001, "larger than 1,000,000 bytes")],
)
def test_a_file_that_is_no_text_is_a_problem(tmp_path, data, message):
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    (problem,) = check_table(file)
    assert message in str(problem)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    (problem,) = check_table(tmp_path / "gone.yaml")
    assert problem.message == "the table cannot be read: No such file or directory."


def test_a_byte_order_mark_is_no_part_of_a_table(tmp_path):
    file = tmp_path / "demo.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert check_table(file).name == "rivya/demo"


def test_the_folder_is_the_options_then_the_environments_then_the_one_beside(tmp_path):
    named, stated, beside = (tmp_path / name for name in ("named", "stated", "beside"))
    for path in (named, stated, beside / "models"):
        path.mkdir(parents=True)
    environment = {own_tables.VARIABLE: str(stated)}
    assert tables_folder(named, environment, beside) == named
    assert tables_folder(None, environment, beside) == stated
    assert tables_folder(None, {own_tables.VARIABLE: ""}, beside) == beside / "models"
    assert tables_folder(None, {}, tmp_path) is None
    assert tables_folder(None, {}, None) is None


@pytest.mark.parametrize("environment", [{}, {own_tables.VARIABLE: "/nowhere/at/all"}])
def test_a_folder_that_was_named_has_to_be_there(tmp_path, environment):
    named = None if environment else tmp_path / "gone"
    with pytest.raises(UsageError, match="is no folder of tables"):
        tables_folder(named, environment, tmp_path)
