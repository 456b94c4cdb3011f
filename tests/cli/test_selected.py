"""Selections that no job fits are told, with what there is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.cli.selected import unmatched
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from orchestrator.plan.selection import parse

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


@pytest.mark.parametrize("command", ["plan", "run"])
def test_plan_and_run_say_it_on_stderr(
    orchestrate: Callable[..., Outcome], manifest: Path, command: str
) -> None:
    outcome = orchestrate(command, manifest, "--select", "id:teasr", "--json")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: nothing matches id:teasr; ids are: teaser, waves, grid")
    assert outcome.document["schema_version"] == 1
