from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.sandbox.actions import ACTIONS, Fault
from orchestrator.sandbox.actions import __doc__ as actions_page
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.faults import __doc__ as faults_page
from orchestrator.sandbox.faults_file import load, parse

CASES = Path(__file__).with_name("cases") / "faults"


@pytest.mark.parametrize("case", sorted((CASES / "right").iterdir()), ids=lambda case: case.stem)
def test_a_right_file_is_read(case):
    load(case)


@pytest.mark.parametrize("case", sorted((CASES / "wrong").iterdir()), ids=lambda case: case.stem)
def test_a_wrong_file_is_refused_with_the_reason_and_its_place(case):
    expected = case.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(UsageError) as caught:
        load(case)
    assert str(caught.value).startswith(f"{case}: ")
    assert expected in str(caught.value)


def test_values_are_read_as_what_they_mean():
    faults = load(CASES / "right" / "everything.yaml")
    assert (faults.seed, faults.pace, faults.video_bytes) == (7, 0.5, 65536)
    assert faults.balance == {"rivya": 500.0, "acedatacloud": 3.0}
    assert faults.limits["rivya"]["in_flight"] == 5
    first, second, *_ = faults.rules
    options = {"code": "api_error", "message": "no", "made": True}
    assert first.do == Fault("status", 500, options)
    assert (first.on, first.provider, first.nth) == ("create", "rivya", (2,))
    assert second.nth == (3, 5)
    assert second.do.options == {"retry_after": "-1"}
    per_task = [rule for rule in faults.rules if rule.per_task]
    assert [rule.do for rule in per_task] == [Fault("cut", 1000)]
    assert faults.rules[-1].do.argument == ("processing", "succeeded")


def test_an_empty_file_plays_nothing():
    assert parse("") == Faults()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"odd\.yaml"):
        load(tmp_path / "odd.yaml")


def test_the_example_of_the_page_is_a_right_file():
    example = faults_page.split("\n\n")[1]
    assert len(parse(example).rules) == 3


@pytest.mark.parametrize("action", ACTIONS)
def test_the_page_names_every_action(action):
    assert any(line.strip().startswith(action) for line in actions_page.splitlines())
