import pytest
import yaml

from tests.catalog.importing.material import FOLDER, facts, imported, page

VARIANTS = yaml.safe_load((FOLDER / "variants.yaml").read_text("utf-8"))


def changed(case):
    """The page of a case with its change, which has to change something."""
    old, new = case["put"]
    text = page(case["page"]).decode()
    assert old in text
    return text.replace(old, new)


def plain(value):
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: "{} => {}".format(*case["put"]))
def test_a_changed_page_says_what_it_says_and_no_more(case):
    found = imported(changed(case))
    if "none" in case:
        assert found.draft is None
        assert case["none"] in found.doubts[0].reason
        return
    assert [doubt.field for doubt in found.doubts if doubt.field == "params"] == []
    assert sorted(doubt.field for doubt in found.doubts) == case.get("doubts", [])
    before = facts(imported(page(case["page"])).draft)
    expected = before | {path: plain(value) for path, value in case.get("told", {}).items()}
    told = facts(found.draft)
    fields = tuple(doubt.field for doubt in found.doubts)
    if "model" in fields:
        fields += ("title",)
    certain = [path for path in told if not path.startswith(fields or ("?",))]
    assert {path: told[path] for path in certain} == {path: expected[path] for path in certain}
