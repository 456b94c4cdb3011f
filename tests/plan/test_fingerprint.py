from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs import Reference
from orchestrator.plan.fingerprint import digest
from tests.plan.material import HAILUO, HORSE, MINIMAX, SORA, job

IMAGE = Reference("image", path="/a/cup.png", sha256="11" * 32, size=10, mime_type="image/png")
LINK = Reference("image", url="https://cdn.example.com/cup.png?v=1")


def with_seed(low, high):
    seed = replace(HORSE.param("seed"), min=low, max=high)
    others = tuple(param for param in HORSE.params if param.key != "seed")
    return replace(HORSE, params=(*others, seed))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "A cup on a table."},
        {"params": {"n_frames": "15"}},
        {"params": {"size": "standard"}},
        {"take": 2},
        {"references": (IMAGE,)},
        {"model": HAILUO},
    ],
    ids=str,
)
def test_what_decides_the_result_changes_the_fingerprint(change):
    assert job(**change).fingerprint != job().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"key": "lamp/2"},
        {"identity": "elsewhere"},
        {"tags": ("hero",)},
        {"retries": 3},
        {"on_refusal": "stop"},
        {"axes": {"subject": "cup"}},
        {"estimate": 99.0},
        {"params": {"n_frames": "10"}},
        {"seed": 5},
    ],
    ids=str,
)
def test_what_does_not_decide_the_result_leaves_the_fingerprint(change):
    """A stated default is the default, and the campaign's seed reaches models with a seed only."""
    assert job(**change).fingerprint == job().fingerprint


def test_a_local_file_counts_by_its_content():
    made = job(references=(IMAGE,))
    moved = replace(IMAGE, path="/b/other.png", name="x", mime_type=None, size=None)
    edited = replace(IMAGE, sha256="22" * 32)
    assert job(references=(moved,)).fingerprint == made.fingerprint
    assert job(references=(edited,)).fingerprint != made.fingerprint


def test_a_url_counts_by_its_text_without_what_signs_it():
    made = job(references=(LINK,))
    signed = replace(LINK, url=f"{LINK.url}&X-Amz-Date=20261121T000000Z&Expires=9")
    other = replace(LINK, url="https://cdn.example.com/cup.png?v=2")
    assert job(references=(signed,)).fingerprint == made.fingerprint
    assert job(references=(other,)).fingerprint != made.fingerprint


def test_the_order_and_the_kind_of_references_count():
    both = job(references=(IMAGE, LINK)).fingerprint
    assert job(references=(LINK, IMAGE)).fingerprint != both
    assert job(references=(replace(LINK, kind="video"),)) != job(references=(LINK,))


def test_defaults_fill_what_was_left_out_and_no_more():
    assert job(model=HORSE, params={"duration": 9}).params == {
        "resolution": "1080p",
        "aspect_ratio": "16:9",
        "duration": 9,
        "audio_setting": "auto",
        "seed": job(model=HORSE, params={"duration": 9}).params["seed"],
    }
    assert "size" not in job(model=SORA).params
    assert job(model=MINIMAX).params == {}


def test_a_seed_left_out_is_derived_and_not_the_tables_default():
    seeds = {job(model=HORSE, take=take).params["seed"] for take in range(1, 9)}
    assert len(seeds) == 8
    assert 0 not in seeds


def test_a_derived_seed_is_made_again_from_the_same_campaign():
    assert job(model=HORSE).params == job("lamp", model=HORSE).params
    assert job(model=HORSE, seed=1).params["seed"] != job(model=HORSE).params["seed"]
    assert job(model=HORSE, prompt="x").params["seed"] != job(model=HORSE).params["seed"]


@given(st.integers(-5, 5), st.integers(0, 9), st.integers(), st.text(max_size=5))
def test_a_derived_seed_lies_in_the_tables_range(low, width, campaign_seed, prompt):
    made = job(model=with_seed(low, low + width), seed=campaign_seed, prompt=prompt)
    assert low <= made.params["seed"] <= low + width


@pytest.mark.parametrize(
    ("stated", "take", "sent"),
    [(7, 1, 7), (7, 3, 9), (2147483647, 1, 2147483647), (2147483647, 2, 0), (2147483646, 4, 1)],
)
def test_a_stated_seed_is_shifted_by_the_take_and_wraps(stated, take, sent):
    assert job(model=HORSE, params={"seed": stated}, take=take).params["seed"] == sent


def test_a_shifted_seed_wraps_to_the_least_of_its_range():
    model = with_seed(10, 12)
    takes = [job(model=model, params={"seed": 11}, take=n).params["seed"] for n in (1, 2, 3, 4)]
    assert takes == [11, 12, 10, 11]


def test_a_seed_without_a_range_stays_within_31_bits():
    model = with_seed(None, None)
    assert 0 <= job(model=model).params["seed"] < 2**31
    assert job(model=model, params={"seed": 2**31 - 1}, take=2).params["seed"] == 0


def changed_default(model, key, default):
    params = tuple(
        replace(param, default=default) if param.key == key else param for param in model.params
    )
    return replace(model, params=params)


@pytest.mark.parametrize(
    ("model", "key", "default"),
    [(SORA, "n_frames", "15"), (SORA, "size", "high"), (HORSE, "duration", 6)],
)
def test_a_changed_default_changes_the_fingerprint_and_not_what_was_stated(model, key, default):
    before, after = job(model=model), job(model=changed_default(model, key, default))
    assert after.fingerprint != before.fingerprint
    assert after.stated == before.stated


def test_what_was_stated_changes_with_the_manifest():
    assert job(params={"n_frames": "10"}).stated != job().stated
    assert job(prompt="x").stated != job().stated
    assert job(model=HORSE, seed=1).stated != job(model=HORSE).stated


def test_a_digest_does_not_depend_on_the_order_of_members():
    assert digest({"a": 1, "b": "ü"}) == digest({"b": "ü", "a": 1})
    assert len(digest({})) == 64
