"""Manifests of thousands of jobs; `make bench` measures a hundred thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.large_manifest import KINDS, Planted, large_manifest
from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import check

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 5000


@pytest.mark.parametrize("distinct", [50, JOBS])
def test_every_one_of_a_hundred_errors_among_thousands_of_jobs_is_told_at_its_place(
    tmp_path: Path, distinct: int
) -> None:
    text, planted = large_manifest(JOBS, distinct=distinct, errors=100)
    path = tmp_path / "large.yaml"
    path.write_text(text, "utf-8")

    manifest, problems = check(path, shipped())

    assert manifest is None
    assert [Planted(one.line, one.column, one.code) for one in problems] == planted
    assert {error.code for error in planted} == {code for code, _old, _new in KINDS}


def test_without_errors_every_job_comes_about(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(large_manifest(JOBS, distinct=50, errors=0)[0], "utf-8")

    manifest, problems = check(path, shipped())

    assert problems == ()
    assert manifest is not None
    assert [job.key for job in manifest.jobs] == [f"job-{number}" for number in range(JOBS)]
    # What is alike was checked once, and is one.
    assert len({id(job.params) for job in manifest.jobs}) == 50


def test_a_bad_cell_among_thousands_of_rows_is_told_at_its_place(tmp_path: Path) -> None:
    rows = [f"r{number},bottle {number},{3 + number % 13}" for number in range(JOBS)]
    bad = range(49, JOBS, 100)
    for number in bad:
        rows[number] = f'r{number},"bottle, {number}",{16 + number % 7}'
    (tmp_path / "rows.csv").write_text("\n".join(["id,name,params.duration", *rows]), "utf-8")
    path = tmp_path / "large.yaml"
    path.write_text(
        "version: 1\ncampaign: c\njobs:\n"
        '  - {id: a, model: happyhorse-1-0, rows: rows.csv, prompt: "{{name}}"}\n',
        "utf-8",
    )

    problems = check(path, shipped())[1]

    # Above the first row stands the header.
    places = [(n + 2, len(f'r{n},"bottle, {n}",') + 1, "out-of-range") for n in bad]
    assert [(one.line, one.column, one.code) for one in problems] == places
    assert {one.file for one in problems} == {str(tmp_path / "rows.csv")}
