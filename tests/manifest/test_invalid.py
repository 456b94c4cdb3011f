"""Each file in `cases/invalid` says in its head what is wrong with it, and where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import check

FOLDER = Path(__file__).parent / "cases" / "invalid"
CASES = sorted(FOLDER.glob("*.yaml"))

#: `# expect: 12:3 unknown-key`, or with a table file: `# expect: tables/a.csv 2:1 empty`. Words
#: behind the code stand in the message or its hint.
EXPECT = re.compile(r"^# expect: (?:(\S+) )?(\d+):(\d+) ([a-z-]+)(?: (.+))?$", re.MULTILINE)


def expected(case: Path) -> list[tuple[str, int, int, str, str]]:
    found = EXPECT.findall(case.read_text())
    return [
        (str(FOLDER / (file or case.name)), int(line), int(column), code, words)
        for file, line, column, code, words in found
    ]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_bad_manifest_has_exactly_the_problems_that_its_head_lists(case: Path) -> None:
    manifest, problems = check(case, shipped())

    told = [(problem.file, problem.line, problem.column, problem.code) for problem in problems]
    everything = "\n".join(map(str, problems))
    assert told == [one[:4] for one in expected(case)], everything
    for problem, (*_place, words) in zip(problems, expected(case), strict=True):
        assert words in str(problem)
    assert manifest is None


def test_every_case_expects_something() -> None:
    assert len(CASES) > 60
    assert all(expected(case) for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_messages_are_short_plain_and_name_no_schema(case: Path) -> None:
    for problem in check(case, shipped())[1]:
        assert 0 < len(problem.message) < 200
        assert "\n" not in str(problem)
        for word in ("schema", "oneOf", "anyOf", "pattern", "valid under"):
            assert word not in str(problem)
