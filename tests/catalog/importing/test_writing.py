from dataclasses import replace

import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.importing import Doubt, table_text
from orchestrator.catalog.importing.page import open_page
from orchestrator.catalog.tables import read_table
from tests.catalog.importing.material import SHIPPED, imported, page

DRAFT = imported(page(SHIPPED["happyhorse-1-0"])).draft
FIELDS = [
    "price",
    "prompt_limit",
    "params.duration.max",
    "params.duration.default",
    "params.seed",
    "references.kinds.video.max_size",
    "references.combinations",
]


def test_a_certain_table_reads_like_the_shipped_ones():
    text = table_text(DRAFT, ())
    assert text.startswith("provider: rivya\nmodel: happyhorse-1-0\ntitle: HappyHorse 1.0\n")
    assert '    options: ["720p", "1080p"]\n    default: "1080p"\n' in text
    assert "\n      max_size: 95 MB\n      mime_types: [video/mp4, video/quicktime]\n" in text
    assert "\n    - {video: 1, image: 5}\n" in text
    assert "null" not in text


@given(st.text(min_size=1, max_size=60))
def test_whatever_a_page_says_is_the_same_text_in_the_table(said):
    (text,) = open_page(said.replace("\n", " ").replace("\r", " ").encode("utf-8", "ignore")).lines
    described = replace(DRAFT.params[0], description=text)
    draft = replace(DRAFT, title=text or "T", params=(described,))
    table = read_table(table_text(draft, ()), "table.yaml")
    assert table.title == (text or "T")
    assert table.params[0].description == (text or "The page does not describe it.")
    assert yaml.safe_load(table_text(draft, ()))["title"] == (text or "T")


def test_a_doubt_stands_beside_its_field():
    doubts = [Doubt(12, field, f"look # here {field}.") for field in FIELDS]
    duration, *_ = (param for param in DRAFT.params if param.key == "duration")
    unclear = replace(duration, max=None, default=None)
    params = tuple(unclear if param.key == "duration" else param for param in DRAFT.params)
    image, video = DRAFT.references.kinds
    references = replace(
        DRAFT.references, combinations=None, kinds=(image, replace(video, max_bytes=None))
    )
    draft = replace(DRAFT, price=None, prompt_limit=None, params=params, references=references)
    lines = table_text(draft, doubts).splitlines()
    assert lines[0].startswith("# A draft.")
    for field in FIELDS:
        (line,) = (
            line for line in lines if line.endswith(f"# DOUBT line 12: look # here {field}.")
        )
        assert line.strip().startswith(f"{field.rpartition('.')[2]}:")
    assert sum(": null  # DOUBT" in line for line in lines) == len(FIELDS) - 1
    table = yaml.safe_load("\n".join(lines))
    assert (table["price"], table["params"]["duration"]["max"]) == (None, None)


def test_several_doubts_of_one_field_share_its_line():
    text = table_text(
        replace(DRAFT, price=None), [Doubt(1, "price", "A."), Doubt(2, "price", "B.")]
    )
    assert "price: null  # DOUBT line 1: A. line 2: B.\n" in text


def test_references_in_doubt_are_null():
    draft = replace(DRAFT, references=None)
    assert "\nreferences: null  # DOUBT line 3: Why.\n" in table_text(
        draft, [Doubt(3, "references", "Why.")]
    )
    assert "references" not in table_text(draft, ())


def test_odd_sizes_and_empty_kinds_survive():
    image, video = DRAFT.references.kinds
    kinds = (replace(image, max_bytes=None, mime_types=()), replace(video, max_bytes=1536))
    draft = replace(DRAFT, references=replace(DRAFT.references, kinds=kinds))
    table = read_table(table_text(draft, ()), "table.yaml")
    assert table.references is not None
    assert [kind.max_bytes for kind in table.references.kinds] == [None, 1536]
    assert table.references.kinds[0].mime_types == ()
