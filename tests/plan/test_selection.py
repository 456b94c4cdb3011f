from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.jobs import State
from orchestrator.plan.selection import parse
from tests.plan.material import HAILUO, MINIMAX, spec

JOBS = [
    (spec("reveal/1", HAILUO, tags=("hero",)), State.STORED),
    (spec("reveal/2", HAILUO, tags=("hero", "late")), State.FAILED),
    (spec("grid/cup", HAILUO), State.PLANNED),
    (spec("nature", MINIMAX, tags=("late",)), State.PLANNED),
]


def chosen(*expressions, limit=None):
    picked = parse(expressions, limit).chosen(JOBS)
    return [job.key for (job, _state), is_picked in zip(JOBS, picked, strict=True) if is_picked]


@pytest.mark.parametrize(
    ("expressions", "keys"),
    [
        ([], ["reveal/1", "reveal/2", "grid/cup", "nature"]),
        (["id:reveal"], ["reveal/1", "reveal/2"]),
        (["id:reveal/2"], ["reveal/2"]),
        (["id:*/cup"], ["grid/cup"]),
        (["id:REVEAL"], []),
        (["tag:late"], ["reveal/2", "nature"]),
        (["tag:la*"], []),
        (["model:hailuo-pro"], ["reveal/1", "reveal/2", "grid/cup"]),
        (["model:acedatacloud/minimax-t2v"], ["nature"]),
        (["state:planned"], ["grid/cup", "nature"]),
        (["id:grid", "id:nature"], ["grid/cup", "nature"]),
        (["tag:late", "state:failed"], ["reveal/2"]),
        (["tag:late", "tag:hero", "state:stored"], ["reveal/1"]),
        (["id:a:b"], []),
    ],
)
def test_one_field_widens_and_another_narrows(expressions, keys):
    assert chosen(*expressions) == keys


def test_a_limit_takes_the_first_selected_in_the_manifests_order():
    assert chosen(limit=2) == ["reveal/1", "reveal/2"]
    assert chosen("tag:late", limit=1) == ["reveal/2"]
    assert chosen(limit=0) == []
    assert len(chosen(limit=99)) == 4


def test_only_a_state_that_was_named_counts_as_asked_for():
    assert parse(["state:failed"]).names_state(State.FAILED)
    assert not parse(["id:*"]).names_state(State.FAILED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reveal", "--select reveal: write id:GLOB"),
        ("id:", "--select id:: write id:GLOB"),
        (":x", "write id:GLOB"),
        ("name:x", "tag:NAME, model:NAME or state:NAME"),
        ("state:done", "the states are planned, submitting"),
    ],
)
def test_anything_else_is_named_with_what_to_write(text, message):
    with pytest.raises(UsageError, match=message):
        parse([text])
