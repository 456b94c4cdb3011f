"""Each file in `cases/valid` says in its head which jobs it makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import load

FOLDER = Path(__file__).parent / "cases" / "valid"
CASES = sorted(FOLDER.glob("*.yaml"))
EXAMPLES = sorted((Path(__file__).parents[2] / "manifests").glob("*.yaml"))

#: `# job: KEY {"field": value, …}`: fields of the job beside its key, as JSON.
JOB = re.compile(r"# job: (\S+) ?(\{.*\})?")
#: `# warning: 12:3 unused-variable`.
WARNING = re.compile(r"# warning: (?:(\S+) )?(\d+):(\d+) ([a-z-]+)")


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_good_manifest_makes_the_jobs_that_its_head_lists(case: Path) -> None:
    jobs = load(case, shipped()).jobs
    expected = JOB.findall(case.read_text())

    assert [job.key for job in jobs] == [key for key, _fields in expected]
    for job, (_key, fields) in zip(jobs, expected, strict=True):
        for name, value in json.loads(fields or "{}").items():
            found = getattr(job, name)
            shown = list(found) if isinstance(found, tuple) else found
            assert (shown, type(shown)) == (value, type(value)), (job.key, name)


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_good_manifest_has_the_warnings_that_its_head_lists(case: Path) -> None:
    warnings = load(case, shipped()).warnings

    told = [(Path(w.file).name, w.line, w.column, w.code) for w in warnings]
    found = WARNING.findall(case.read_text())
    assert told == [(f or case.name, int(line), int(col), code) for f, line, col, code in found]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_the_examples_have_neither_problems_nor_needless_parts(example: Path) -> None:
    manifest = load(example, shipped())

    assert manifest.jobs
    assert not [w for w in manifest.warnings if w.code == "unused-variable"]
    assert example.read_text().startswith("# yaml-language-server: $schema=../schemas/")


def test_the_first_example_uses_every_model() -> None:
    quickstart = next(example for example in EXAMPLES if example.stem == "quickstart")

    models = {f"{job.provider}/{job.model}" for job in load(quickstart, shipped()).jobs}

    assert models == set(shipped().models)
