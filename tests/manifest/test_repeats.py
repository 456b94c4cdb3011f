"""Jobs that ask for the same as another one are counted as their fingerprints would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.tables import shipped
from orchestrator.jobs import JobSpec, Reference
from orchestrator.manifest.check import load
from orchestrator.manifest.repeats import find_repeats
from orchestrator.plan.fingerprint import make_job

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = shipped()

PARAMS = {
    "happyhorse-1-0": st.fixed_dictionaries(
        {},
        optional={
            "duration": st.sampled_from([4, 5]),
            "resolution": st.sampled_from(["1080p", "720p"]),
            "seed": st.sampled_from([0, 1]),
        },
    ),
    "sora-2-pro": st.fixed_dictionaries({}, optional={"n_frames": st.sampled_from(["10", "15"])}),
}
REFERENCES = st.lists(
    st.sampled_from(
        [
            Reference("image", url="https://a.example/x.png?sig=1"),
            Reference("image", url="https://a.example/x.png?sig=2"),
            Reference("image", url="https://a.example/x.png?v=2"),
            Reference("image", path="x.png", sha256="aa"),
            Reference("image", path="y.png", sha256="aa"),
        ]
    ),
    max_size=2,
)


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    model = draw(st.sampled_from(sorted(PARAMS)))
    return JobSpec(
        key="k",
        id="k",
        identity=str(draw(st.integers())),
        provider="rivya",
        model=model,
        prompt=draw(st.sampled_from(["cup", "lamp"])),
        params=draw(PARAMS[model]),
        references=tuple(draw(REFERENCES)),
        take=draw(st.integers(1, 2)),
    )


@given(st.lists(specs(), max_size=12))
def test_the_same_fingerprint_is_the_same_job(jobs: list[JobSpec]) -> None:
    prints = [
        make_job(job, CATALOG.models[f"rivya/{job.model}"], 0, None).fingerprint for job in jobs
    ]
    found = find_repeats(jobs, CATALOG)

    assert (found.number if found else 0) == len(jobs) - len(set(prints))
    if found:
        later = next(n for n, one in enumerate(prints) if one in prints[:n])
        assert found.later is jobs[later]
        assert found.earlier is jobs[prints.index(prints[later])]


def test_the_first_pair_is_told_at_its_lines_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "spring.yaml"
    path.write_text(
        "version: 1\ncampaign: c\ndefaults: {model: sora-2-pro}\njobs:\n"
        "  - {id: a, prompt: lamp}\n  - {id: b, prompt: cup}\n  - {id: c, prompt: lamp}\n"
        "  - id: d\n    prompts: [lamp, cup]\n"
    )
    (warning,) = load(path, CATALOG).warnings

    assert (warning.line, warning.column, warning.path) == (7, 10, "jobs[2].id")
    assert warning.message == (
        f"3 jobs ask for the same as an earlier one, and each is paid for: `c` as `a` ({path}:5)"
    )
    assert "`takes`" in warning.hint


def test_takes_of_one_job_are_meant(tmp_path: Path) -> None:
    path = tmp_path / "spring.yaml"
    path.write_text(
        "version: 1\ncampaign: c\njobs:\n  - {id: a, prompt: lamp, model: sora-2-pro, takes: 9}\n"
    )
    assert load(path, CATALOG).warnings == ()
