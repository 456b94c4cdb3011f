from __future__ import annotations

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.names import listed, meant_by, model_meant, unknown_name_hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prmopt", "prompt"),
        ("PROMPT", "prompt"),
        ("sor", "sora-2-pro"),
        ("so", None),
        ("", None),
        ("nothing", None),
    ],
)
def test_a_name_is_meant_that_looks_alike_or_begins_so(name: str, meant: str | None) -> None:
    assert meant_by(name, ["prompt", "prompts", "sora-2-pro"]) == meant


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    assert listed([]) == ""
    assert listed("abc") == "a, b, c"
    assert listed("abcdefghijk") == "a, b, c, d, e, f, g, h, i, j, k"
    assert listed("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"


def test_a_hint_names_what_was_meant_or_all_there_is() -> None:
    assert unknown_name_hint("colour", ["color", "size"]) == "did you mean `color`?"
    assert unknown_name_hint("x", ["color", "size"]) == "known: color, size"
    assert unknown_name_hint("x", []) == "there is nothing to set"
    both = "did you mean `color`? known: color, size"
    assert unknown_name_hint("colour", ["color", "size"], in_full=True) == both


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sora-2-pro", "rivya/sora-2-pro"),
        ("acedatacloud/sora-2-pro", "rivya/sora-2-pro"),
        ("rivia/hailuo-pro", "rivya/hailuo-pro"),
        ("rivya/hailuo", "rivya/hailuo-pro"),
        ("Hailuo", "rivya/hailuo-pro"),
        ("veo", None),
    ],
)
def test_a_model_is_meant_whatever_provider_was_written(name: str, meant: str | None) -> None:
    assert model_meant(name, shipped()) == meant
