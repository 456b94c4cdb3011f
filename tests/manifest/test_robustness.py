"""No manifest, however strange, makes the checker fall over."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import check

FOLDER = Path(__file__).parent / "cases" / "valid"

VALUES = [
    {"x": ["a", "A"]},
    None, True, 0, 1, -1, 1.5, float("inf"), "", "x", "{{x}}", "{{", "{{y}} z", "a/../b", "\u0000",
    "https://[", "http://a", "data:x", "x" * 2000, [], {}, [[]], [{}], [None], ["x"], {"x": 1},
    "sora-2-pro", "happyhorse-1-0", "rivya/hailuo-pro", "minimax-i2v", "tables/rows.csv", "r.txt",
    "media/bottle.png", ["media/street.mp4"],
    [{"path": "x", "url": "y"}], [{"url": "https://a.b/"}],
    {"model": ["sora-2-pro", "x"]}, {"params.seed": [1, "x", None]},
    {"references": [["media/bottle.png"], "x", {"url": "{{x}}"}]}, {"duration": "{{x}}"},
    {"x": [None, "a"], "y": [None]}, {"params.duration": [5, 5], "id": ["x", "y"]},
    [{"path": None, "url": "{{x}}", "kind": 1}, None, {"kind": "image"}, "{{nothing}}.mp4"],
    [{"id": None, "prompt": 1, "takes": "x"}, 5, {"promt": "x"}, {"prompt": "{{id}}"}],
    ["a", "a", {"id": "b", "prompt": "c", "rows": "tables/rows.tsv", "matrix": {"x": [1]}}],
]  # fmt: skip
FIELDS = [
    "id", "model", "prompt", "prompts", "params", "references", "takes", "tags", "retries",
    "on_refusal", "vars", "matrix", "rows", "nothing",
]  # fmt: skip
TOP = ["version", "campaign", "seed", "budget", "limits", "runs", "vars", "prices", "defaults"]

values = st.sampled_from(VALUES)
jobs = st.dictionaries(st.sampled_from(FIELDS), values, max_size=6).map(
    lambda job: {"id": "a", "prompt": "{{x}}", "model": "happyhorse-1-0", **job}
)
manifests = st.builds(
    lambda top, defaults, several: {
        "version": 1, "campaign": "c", "defaults": defaults, **top, "jobs": several,
    },
    st.dictionaries(st.sampled_from(TOP), values, max_size=3),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
    st.one_of(st.lists(jobs, max_size=4), st.lists(values, max_size=2), values),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(manifests)
def test_a_strange_manifest_has_jobs_or_problems_inside_it(tmp_path, manifest: dict) -> None:
    path = tmp_path / "m.yaml"
    for name in ("tables", "media"):
        if not (tmp_path / name).exists():
            (tmp_path / name).symlink_to(FOLDER / name)
    path.write_text(json.dumps(manifest, indent=1).replace("Infinity", ".inf"))
    lines = path.read_text().splitlines()

    found, problems = check(path, shipped())

    assert (found is None) == bool(problems)
    for problem in problems:
        assert problem.code
        assert problem.message
        if problem.file == str(path):
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    if found is not None:
        assert len({job.key for job in found.jobs}) == len(found.jobs)
        assert len({job.identity for job in found.jobs}) == len(found.jobs)
