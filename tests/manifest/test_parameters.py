from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.schema import params_schema
from orchestrator.catalog.tables import shipped
from orchestrator.manifest.parameters import UNKNOWN, Parameters
from orchestrator.manifest.structure import validator_for

MODELS = list(shipped().models.values())
HAPPYHORSE = shipped().models["rivya/happyhorse-1-0"]

values = st.sampled_from(
    [True, False, None, 0, 1, 5, 5.0, 5.5, -1, 10, 11, 15, 2**31,
     "5", "10", "true", "high", "16:9", ""]
)  # fmt: skip
stated = st.lists(
    st.tuples(st.sampled_from(["seed", "duration", "size", "n_frames", "aspect_ratio"]), values),
    unique_by=lambda pair: pair[0],
    max_size=4,
)


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
@given(several=st.lists(stated, max_size=8))
def test_sets_that_look_alike_are_judged_as_each_alone_would_be(model, several) -> None:
    validator = validator_for(params_schema(model))
    parameters = Parameters()

    for pairs in several:
        checked = parameters.check(model, tuple((key, value, False) for key, value in pairs))

        assert (not checked.faults) == validator.is_valid(dict(pairs))


def test_a_step_is_kept_to_although_the_values_look_alike() -> None:
    params = tuple(replace(p, step=5) if p.key == "duration" else p for p in HAPPYHORSE.params)
    stepped = replace(HAPPYHORSE, params=tuple(replace(p, min=0) for p in params if p.min))
    parameters = Parameters()

    codes = [
        [fault.code for fault in parameters.check(stepped, (("duration", value, False),)).faults]
        for value in (5, 6, 10)
    ]

    assert codes == [[], ["out-of-range"], []]


def test_of_a_value_that_is_not_known_the_name_is_checked() -> None:
    parameters = Parameters()

    def codes(key: str) -> list[str]:
        return [f.code for f in parameters.check(HAPPYHORSE, ((key, UNKNOWN, False),)).faults]

    assert codes("durations") == ["unknown-key"]
    assert codes("duration") == []


def test_a_value_that_is_not_known_is_not_missing() -> None:
    (param,) = (p for p in HAPPYHORSE.params if p.key == "duration")
    model = replace(HAPPYHORSE, params=(replace(param, required=True, default=None),))
    parameters = Parameters()

    assert [fault.code for fault in parameters.check(model, ()).faults] == ["missing-key"]
    assert parameters.check(model, (("duration", UNKNOWN, False),)).faults == ()


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("aspect_ratio", "16:10", ""),
        ("aspect_ratio", "1:2", ""),
        ("aspect_ratio", "16/9", "16:9"),
        ("aspect_ratio", "16x9", "16:9"),
        ("resolution", 1080, "1080p"),
        ("resolution", "720P", "720p"),
        ("resolution", "4k", ""),
        ("audio_setting", "orign", "origin"),
    ],
)
def test_an_option_is_suggested_for_what_looks_like_it_but_not_for_another_number(
    key: str, value: str | int, meant: str
) -> None:
    (fault,) = Parameters().check(HAPPYHORSE, ((key, value, False),)).faults

    assert fault.hint == (f"did you mean `{meant}`?" if meant else "")
    param = HAPPYHORSE.param(key)
    assert param is not None
    assert fault.message.endswith(f"is not allowed; allowed: {', '.join(param.options)}")
