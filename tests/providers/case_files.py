"""Replies and what they mean, from the tables in `cases/`.

A case is `{case, status, json or text, headers, is}`. `is` names the outcome's class and those
fields of it that the case is about: `{Accepted: {task_id: task_1}}`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from orchestrator.providers.base import Reply

CASES = Path(__file__).parent / "cases"


def cases(file, part):
    """The cases of one part of a file, each named by its sentence."""
    tables = yaml.safe_load((CASES / file).read_text("utf-8"))
    return [pytest.param(case, id=case["case"]) for case in tables[part]]


def reply(case):
    """The reply that a case describes."""
    body = json.dumps(case["json"]) if "json" in case else case.get("text", "")
    return Reply(case["status"], case.get("headers", {}), body.encode("utf-8", "surrogatepass"))


def said(status, body, **headers):
    """A reply whose body is JSON."""
    return Reply(status, headers, json.dumps(body).encode())


def assert_is(outcome, expected):
    """The outcome is of the expected class, and its fields say what is expected."""
    ((name, fields),) = expected.items()
    assert type(outcome).__name__ == name, outcome
    assert_holds(dataclasses.asdict(outcome), fields or {})


def assert_holds(actual, expected):
    """Every member that is expected is there; lists and plain values are equal."""
    for name, value in expected.items():
        found = actual[name]
        if isinstance(value, dict) and found is not None:
            assert_holds(found, value)
        else:
            assert (list(found) if isinstance(found, tuple) else found) == value, name
