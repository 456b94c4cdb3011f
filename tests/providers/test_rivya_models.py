from __future__ import annotations

import dataclasses

import pytest

from orchestrator.catalog.listing import FACTS
from orchestrator.providers.rivya import Rivya
from orchestrator.providers.rivya_models import _READERS
from tests.providers.case_files import assert_is, cases, reply, said

RIVYA = Rivya()


def facts(listed):
    """What was read, with the inputs in order."""
    return {**dataclasses.asdict(listed), "inputs": sorted(listed.inputs)}


def assert_told(listed, expected):
    told = facts(listed)
    for name, value in expected.items():
        found = told[name]
        assert (list(found) if isinstance(found, tuple) else found) == value, name


def test_the_list_is_one_free_request():
    assert (RIVYA.models().method, RIVYA.models().path) == ("GET", "/api/v1/models")
    assert RIVYA.models().body is None


@pytest.mark.parametrize("case", cases("rivya_models.yaml", "lists"))
def test_a_list_is_read_in(case):
    listing = RIVYA.read_models(said(200, case["json"]))
    assert [listed.model for listed in listing.models] == case["models"]
    assert listing.cut is None
    assert_told(listing.models[0], case.get("first", {}))


@pytest.mark.parametrize("case", cases("rivya_models.yaml", "facts"))
def test_of_an_entry_is_read(case):
    listing = RIVYA.read_models(said(200, {"data": [{"id": "hailuo-pro", **case["entry"]}]}))
    assert_told(listing.models[0], case["is"])


@pytest.mark.parametrize("case", cases("rivya_models.yaml", "cut"))
def test_whether_models_may_be_missing_is_told_by(case):
    assert RIVYA.read_models(said(200, case["json"])).cut == case["cut"]


def test_a_header_may_say_that_the_list_goes_on():
    whole = said(200, [{"id": "a"}])
    for link, cut in [('</b>; rel="next"', "it goes on elsewhere"), ("</b>; rel=prev", None)]:
        listing = RIVYA.read_models(dataclasses.replace(whole, headers={"link": link}))
        assert listing.cut == cut


@pytest.mark.parametrize("case", cases("rivya_models.yaml", "nothing"))
def test_no_list_comes_of(case):
    assert_is(RIVYA.read_models(reply(case)), case["is"])


def test_a_model_that_is_listed_twice_tells_nothing_for_certain():
    entries = [{"id": "a", "base_credits": 57}, {"id": "a", "base_credits": 60}]
    (listed,) = RIVYA.read_models(said(200, entries)).models
    assert listed.price is None
    assert listed.unread == dict.fromkeys(FACTS, "the model is listed 2 times")


def test_every_fact_has_a_reader():
    assert tuple(_READERS) == FACTS
