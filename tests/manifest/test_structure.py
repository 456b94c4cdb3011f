from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.exceptions import _WrappedReferencingError

from orchestrator.manifest.shapes import is_shapely, shapes_for
from orchestrator.manifest.structure import (
    _job_validator,
    document_faults,
    job_faults,
    validator_for,
)

odd = st.sampled_from(
    [None, True, 0, 1, 2, -1, 1.0, 1.5, "", "x", "image", "skip", "nothing", [], {}, [""], [1],
     ["x"], {"x": 1}, {"x": []}, {"path": "x"}, {"url": "x", "path": "x"}, {"kind": "video"},
     [{"path": "x", "duration_seconds": 0}], [{"url": "u", "kind": "image"}], ["a", {"id": "b"}],
     [{"prompt": "p"}], {"references": [["x"]]}, {"model": [""]}, float("inf")]
)  # fmt: skip
fields = st.sampled_from(
    ["id", "model", "prompt", "prompts", "params", "references", "takes", "tags", "retries",
     "on_refusal", "vars", "matrix", "rows", "nothing"]
)  # fmt: skip
jobs = st.one_of(odd, st.dictionaries(fields, odd, max_size=5).map(lambda job: {"id": "a", **job}))


@given(st.lists(jobs, min_size=1, max_size=30))
def test_jobs_of_one_shape_get_the_verdict_that_each_alone_would_get(several: list) -> None:
    together = job_faults(copy.deepcopy(several))

    for number, job in enumerate(several):
        assert together.get(number, []) == job_faults([job]).get(0, [])


@given(jobs, jobs)
def test_values_of_one_shape_are_both_right_or_both_wrong(one: object, other: object) -> None:
    validator, shapes = _job_validator()

    if shapes.of(one) == shapes.of(other):
        assert validator.is_valid(one) == validator.is_valid(other)


def test_a_shape_answers_every_question_of_its_schema() -> None:
    shapes = shapes_for(
        {"enum": ["a"], "items": [{"pattern": "x$", "maxLength": 3}, {"exclusiveMinimum": 2}]}
    )

    assert shapes.of("a") != shapes.of("b") == shapes.of("c")
    assert shapes.of("x") != shapes.of("b")
    assert shapes.of("bbb") != shapes.of("bbbb") == shapes.of("bbbbb")
    assert shapes.of(2) != shapes.of(3) == shapes.of(4)
    assert shapes.of(3) != shapes.of(3.0) != shapes.of(3.5)
    assert shapes.of(True) != shapes.of(1) != shapes.of(None)


def test_a_listed_number_has_a_shape_of_its_own() -> None:
    shapes = shapes_for({"enum": ["10", 10, 15]})

    assert shapes.of(10) != shapes.of(15) != shapes.of(11) == shapes.of(12)
    assert shapes.of("10") != shapes.of(10)


def test_multiples_are_beyond_shapes() -> None:
    assert is_shapely({"items": [{"minimum": 2}]})
    assert not is_shapely({"items": [{"multipleOf": 2}]})


def test_nothing_is_fetched_to_check_a_manifest(monkeypatch) -> None:
    monkeypatch.setattr("socket.socket", None)
    validator = validator_for({"$ref": "https://example.com/schema.json"})

    with pytest.raises(_WrappedReferencingError):
        validator.is_valid({})


def test_no_document_is_too_strange_to_be_told_what_is_wrong() -> None:
    for document in (None, 5, "x", [], [{}], {}, {"jobs": None}, {"jobs": {}, "vars": []}):
        assert document_faults(document)
