"""Selections that no job fits are told, with what there is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.cli.selected import unmatched
from orchestrator.jobs import State
from orchestrator.ledger.store import Admission
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from orchestrator.plan.selection import parse
from tests.ledger.material import inline, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

TAGGED = """\
version: 1
campaign: spring
defaults: {model: hailuo-pro, prompt: a bottle}
jobs:
  - {id: teaser, tags: [hero, wide]}
  - {id: trailer, tags: [hero]}
"""


@pytest.mark.parametrize(
    ("expressions", "told"),
    [
        ([], []),
        (["tag:hero", "id:t*", "model:rivya/hailuo-pro", "state:planned"], []),
        (["tag:nope"], ["nothing matches tag:nope; tags are: hero, wide"]),
        (["tag:Hero"], ["nothing matches tag:Hero; tags are: hero, wide (did you mean hero?)"]),
        (
            ["id:traler", "tag:hero"],
            ["nothing matches id:traler; ids are: teaser, trailer (did you mean trailer?)"],
        ),
        (["model:sora-2-pro"], ["nothing matches model:sora-2-pro; models are: hailuo-pro"]),
        (["state:failed"], ["nothing matches state:failed; states are: planned"]),
        (["tag:wide", "id:trailer"], ["nothing matches tag:wide and id:trailer together"]),
    ],
)
def test_what_no_job_fits_is_told(tmp_path: Path, expressions: list[str], told: list[str]) -> None:
    path = tmp_path / "spring.yaml"
    path.write_text(TAGGED)
    plan = make_plan(load(path, shipped()), shipped())
    assert list(unmatched(parse(expressions), plan)) == told


def test_a_manifest_without_tags_says_so(manifest: Path) -> None:
    plan = make_plan(load(manifest, shipped()), shipped())
    told = list(unmatched(parse(["tag:hero"]), plan))
    assert told == ["nothing matches tag:hero; no job has a tag"]


def give_up(folder: Path, path: Path, *keys: str) -> None:
    """Make a ledger in which these jobs of a manifest were given up by a person."""
    plan = make_plan(load(path, shipped()), shipped())
    with inline(folder) as ledger:
        rows = ledger.admit([Admission(entry.job) for entry in plan.entries])
        for entry, row in zip(plan.entries, rows, strict=True):
            if entry.job.key in keys:
                write(ledger, row, "intent", State.SUBMITTING, estimated=3.0, charge=3.0)
                write(ledger, row, "unclear", State.UNKNOWN)
                write(ledger, row, "abandoned", State.FAILED, error_class="abandoned")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_plan_and_run_say_which_jobs_stay_given_up_and_how_to_have_them(
    orchestrate: Callable[..., Outcome], manifest: Path, tmp_path: Path, command: str
) -> None:
    give_up(tmp_path / "runs" / "spring", manifest, "teaser", "grid/cup")
    outcome = orchestrate(command, manifest, "--select", "state:failed", "--json")
    assert outcome.code == 0
    assert outcome.err.startswith(
        "note: 2 failed jobs were given up with `resolve --abandon` and stay so: teaser, grid/cup."
        " For a new attempt, which costs, name them: --select state:failed --select id:teaser\n"
    )
    named = orchestrate(
        "plan", manifest, "--select", "state:failed", "--select", "id:teaser", "--json"
    )
    assert named.document["jobs"]["to_run"] == 1
    assert named.document["left_out"] == []
    everything = orchestrate("plan", manifest, "--select", "state:failed", "--json")
    assert everything.document["left_out"] == ["teaser", "grid/cup"]
    assert everything.document["jobs"]["total"] == 0


@pytest.mark.parametrize("command", ["plan", "run"])
def test_plan_and_run_say_it_on_stderr(
    orchestrate: Callable[..., Outcome], manifest: Path, command: str
) -> None:
    outcome = orchestrate(command, manifest, "--select", "id:teasr", "--json")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: nothing matches id:teasr; ids are: teaser, waves, grid")
    assert outcome.document["schema_version"] == 1
