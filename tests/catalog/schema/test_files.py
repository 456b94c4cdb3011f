from pathlib import Path

import pytest

from orchestrator.catalog.schema import stale_schemas, write_schemas
from orchestrator.catalog.tables import collect, shipped

PROJECT = Path(__file__).parents[3]


def test_the_projects_schemas_are_those_of_its_tables():
    assert stale_schemas(PROJECT / "schemas", shipped()) == []


@pytest.fixture
def folder(tmp_path):
    write_schemas(tmp_path, shipped())
    return tmp_path


def test_a_file_is_written_for_manifests_for_tables_and_for_each_model(tmp_path):
    written = write_schemas(tmp_path / "new", shipped())
    names = [path.relative_to(tmp_path / "new").as_posix() for path in written]
    models = [f"{name}.schema.json" for name in shipped().models]
    assert names == ["manifest.schema.json", "model-table.schema.json", *models]
    assert all(path.read_bytes().endswith(b"}\n") for path in written)
    assert stale_schemas(tmp_path / "new", shipped()) == []


def test_writing_twice_gives_the_same_bytes(folder):
    before = [path.read_bytes() for path in write_schemas(folder, shipped())]
    assert [path.read_bytes() for path in write_schemas(folder, shipped())] == before


def test_a_missing_folder_lacks_every_file(tmp_path):
    assert len(stale_schemas(tmp_path / "nowhere", shipped())) == 2 + len(shipped().models)


def test_missing_differing_and_surplus_files_are_named(folder):
    (folder / "rivya" / "sora-2-pro.schema.json").unlink()
    (folder / "manifest.schema.json").write_text("{}\n")
    (folder / "rivya" / "sora-3.schema.json").write_text("{}\n")
    (folder / "README.md").write_text("not a schema\n")
    assert stale_schemas(folder, shipped()) == [
        "rivya/sora-2-pro.schema.json is missing",
        "manifest.schema.json differs from the tables",
        "rivya/sora-3.schema.json belongs to no table",
    ]


def test_other_line_endings_differ(folder):
    path = folder / "manifest.schema.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert stale_schemas(folder, shipped()) == ["manifest.schema.json differs from the tables"]


def test_writing_removes_the_schemas_of_models_that_are_gone(folder):
    fewer = collect([shipped().models["rivya/hailuo-pro"]])
    (folder / "README.md").write_text("not a schema\n")
    write_schemas(folder, fewer)
    assert stale_schemas(folder, fewer) == []
    assert (folder / "README.md").exists()
