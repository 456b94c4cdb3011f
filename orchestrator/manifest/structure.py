"""Whether a manifest has the shape that a manifest has: keys, types, ranges, before any meaning.

Jobs are checked one by one, and only one of each shape reaches the validator.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from orchestrator.catalog.schema import structure_schema
from orchestrator.manifest.faults import Fault, faults_of
from orchestrator.manifest.shapes import Shapes, shapes_for

if TYPE_CHECKING:
    from collections.abc import Hashable

    from jsonschema.protocols import Validator

    from orchestrator.manifest.data import Data


def validator_for(schema: dict[str, Data]) -> Validator:
    """A validator that looks up nothing outside `schema`."""
    # Both take longer to import than a small manifest takes to check.
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(schema, registry=Registry())


@cache
def _document_validator() -> Validator:
    schema = structure_schema()
    jobs = {key: value for key, value in schema["properties"]["jobs"].items() if key != "items"}
    return validator_for({**schema, "properties": {**schema["properties"], "jobs": jobs}})


@cache
def _job_validator() -> tuple[Validator, Shapes]:
    definitions = structure_schema()["$defs"]
    schema = {"$defs": definitions, **definitions["job"]}
    return validator_for(schema), shapes_for(schema)


def document_faults(document: Data) -> list[Fault]:
    """What is wrong with everything but the jobs."""
    return faults_of(_document_validator().iter_errors(document))


def job_faults(jobs: list[Data]) -> dict[int, list[Fault]]:
    """What is wrong with each job, by its number; jobs that are in order are left out."""
    validator, shapes = _job_validator()
    sound: set[Hashable] = set()
    found: dict[int, list[Fault]] = {}
    for number, job in enumerate(jobs):
        shape = shapes.of(job)
        if shape in sound:
            continue
        faults = faults_of(validator.iter_errors(job))
        if faults:
            found[number] = faults
        else:
            sound.add(shape)
    return found
