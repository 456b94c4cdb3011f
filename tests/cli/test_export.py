from __future__ import annotations

import csv
import importlib.util
import io
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.ledger.export import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

NO_PYARROW = importlib.util.find_spec("pyarrow") is None


def test_jsonl_goes_to_stdout_one_document_a_line(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("export", run_folder)
    assert (outcome.code, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["key"] for row in rows] == ["stored", "unknown", "given-up", "new"]
    assert all(tuple(row) == FIELDS for row in rows)


def test_csv_on_stdout_is_what_a_file_would_hold(
    orchestrate: Callable[..., Outcome], run_folder: Path, tmp_path: Path
) -> None:
    printed = orchestrate("export", run_folder, "--format", "csv").out
    outcome = orchestrate("export", run_folder, "--format", "csv", "--out", tmp_path / "r.csv")
    assert outcome.out == f"{tmp_path / 'r.csv'}\n"
    assert list(csv.reader(io.StringIO(printed))) == list(
        csv.reader(io.StringIO((tmp_path / "r.csv").read_text()))
    )


def test_several_formats_become_files_in_the_run_folder(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("export", run_folder, "--format", "jsonl,csv")
    assert outcome.out.splitlines() == [
        str(run_folder / "results.jsonl"),
        str(run_folder / "results.csv"),
    ]
    assert len((run_folder / "results.jsonl").read_text().splitlines()) == 4


def test_out_may_be_a_folder(
    orchestrate: Callable[..., Outcome], run_folder: Path, tmp_path: Path
) -> None:
    new = tmp_path / "data" / "today"
    assert orchestrate("export", run_folder, "--format", "csv,jsonl", "--out", new).code == 0
    assert {path.name for path in new.iterdir()} == {"results.csv", "results.jsonl"}


@pytest.mark.skipif(NO_PYARROW, reason="pyarrow is an extra and not installed")
def test_parquet_is_written_where_out_says(
    orchestrate: Callable[..., Outcome], run_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.parquet"
    assert orchestrate("export", run_folder, "--format", "parquet", "--out", path).code == 0
    assert path.read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--format", "xml"), "the formats are jsonl, csv, parquet"),
        (("--format", "parquet"), "with --out FILE"),
        (("--format", "csv,jsonl", "--out", "spring.yaml"), "is a file"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    orchestrate: Callable[..., Outcome],
    run_folder: Path,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    text: str,
) -> None:
    monkeypatch.chdir(manifest.parent)
    outcome = orchestrate("export", run_folder, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err


def test_a_place_that_cannot_be_written_is_the_disks_fault(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    assert orchestrate("export", run_folder, "--out", run_folder / "no" / "r.jsonl").code == 7


def test_the_help_says_that_parquet_is_an_extra_and_how_to_install_it(
    orchestrate: Callable[..., Outcome],
) -> None:
    text = " ".join(orchestrate("export", "--help").out.split())
    assert "Parquet needs pyarrow, which is an extra: pip install 'overnight-orch" in text
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert f"'{project['name']}[parquet]'" in text
    assert "parquet" in project["optional-dependencies"]
