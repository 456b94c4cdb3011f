from dataclasses import replace

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.sandbox.uploads import UploadedFile
from orchestrator.sandbox.wire import Wrong, check_items, check_params, check_url

MODELS = shipped().models
HORSE = MODELS["rivya/happyhorse-1-0"]
PRO = MODELS["rivya/hailuo-pro"]
SORA = MODELS["rivya/sora-2-pro"]

IMAGE = {"url": "https://cdn.example.com/a.png", "kind": "image"}
VIDEO = {"url": "https://cdn.example.com/a.mp4", "kind": "video"}
OWN = "http://127.0.0.1:1/cdn/files/file_a/reference.mp4"


def lookup(url):
    if url != OWN:
        return None
    return UploadedFile("file_a", "video", "a", "video/mp4", b"", 2.0, "dur_a", 0.0)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (HORSE, {}),
        (HORSE, {"resolution": "720p", "aspect_ratio": "3:4", "audio_setting": "origin"}),
        (HORSE, {"duration": 3}),
        (HORSE, {"duration": 15}),
        (HORSE, {"seed": 2147483647}),
        (SORA, {"n_frames": "15", "size": "high", "remove_watermark": "true"}),
        (PRO, {"prompt_optimizer": "true"}),
    ],
)
def test_what_the_table_allows_is_accepted(model, params):
    check_params(model, params)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (HORSE, {"duration": "5"}),
        (HORSE, {"duration": True}),
        (HORSE, {"duration": 2}),
        (HORSE, {"duration": 16}),
        (HORSE, {"duration": float("nan")}),
        (HORSE, {"seed": -1}),
        (HORSE, {"seed": True}),
        (HORSE, {"seed": 1.5}),
        (HORSE, {"seed": None}),
        (HORSE, {"resolution": "1080"}),
        (HORSE, {"n_frames": "10"}),
        (SORA, {"n_frames": 10}),
        (SORA, {"remove_watermark": False}),
        (PRO, {"prompt_optimizer": ""}),
    ],
)
def test_what_the_table_does_not_allow_is_refused_by_name(model, params):
    (name,) = params
    with pytest.raises(Wrong, match=rf"params\.{name}:"):
        check_params(model, params)


def with_param(**changes):
    """A model with one parameter, `frames`."""
    param = replace(HORSE.param("duration"), **{"key": "frames", **changes})
    return replace(HORSE, params=(param,))


def test_a_parameter_that_is_required_must_be_there():
    with pytest.raises(Wrong, match=r"params\.frames: required"):
        check_params(with_param(required=True), {})


def test_numbers_come_in_steps_from_the_least():
    model = with_param(min=3, max=15, step=4)
    check_params(model, {"frames": 11})
    for value in (10, 11.5):
        with pytest.raises(Wrong, match="steps of 4"):
            check_params(model, {"frames": value})


def check(model, *items):
    check_items(model.references, list(items), lookup)


@pytest.mark.parametrize(
    ("model", "items"),
    [
        (PRO, []),
        (PRO, [IMAGE] * 2),
        (HORSE, [IMAGE] * 9),
        (HORSE, [VIDEO] + [IMAGE] * 5),
        (SORA, [IMAGE]),
        (HORSE, [{"url": OWN, "kind": "video", "durationToken": "dur_a"}]),
        (HORSE, [IMAGE | {"name": "a", "mimeType": "image/webp"}]),
        (HORSE, [VIDEO | {"durationSeconds": 4.5, "durationToken": "any"}]),
    ],
)
def test_references_that_go_together_are_accepted(model, items):
    check(model, *items)


@pytest.mark.parametrize(
    ("model", "items", "named"),
    [
        (PRO, [IMAGE] * 3, "3 files"),
        (SORA, [IMAGE] * 2, "2 files"),
        (HORSE, [IMAGE] * 10, "go together"),
        (HORSE, [VIDEO] * 2, "go together"),
        (HORSE, [VIDEO] + [IMAGE] * 6, "go together"),
        (HORSE, [IMAGE] * 11, "11 files"),
        (PRO, [VIDEO], r"\[0\].kind"),
        (PRO, [{"url": IMAGE["url"]}], r"\[0\].kind"),
        (PRO, [IMAGE, {"kind": "image"}], r"\[1\].url"),
        (PRO, [IMAGE | {"url": "http://cdn.example.com/a.png"}], "https"),
        (PRO, [IMAGE | {"url": "/home/a.png"}], "https"),
        (PRO, [IMAGE | {"url": 7}], "url: wrong type"),
        (PRO, [IMAGE | {"mimeType": "image/gif"}], "mimeType"),
        (PRO, [IMAGE | {"mime_type": "image/png"}], "mime_type: unknown"),
        (HORSE, [VIDEO | {"durationSeconds": "5"}], "durationSeconds: wrong type"),
        (HORSE, [VIDEO | {"durationSeconds": True}], "durationSeconds: wrong type"),
        (HORSE, [{"url": OWN, "kind": "video"}], "durationToken"),
        (HORSE, [{"url": OWN, "kind": "video", "durationToken": "x"}], "durationToken"),
        (HORSE, [{"url": OWN, "kind": "image"}], "uploaded as video"),
        (PRO, ["https://cdn.example.com/a.png"], "object"),
    ],
)
def test_references_that_do_not_fit_are_refused(model, items, named):
    with pytest.raises(Wrong, match=named):
        check(model, *items)


def test_references_must_be_a_list():
    with pytest.raises(Wrong, match="list"):
        check_items(PRO.references, IMAGE, lookup)


@pytest.mark.parametrize("url", [None, "", "https://", "ftp://a.example.com/x", "data:image/png,x"])
def test_a_url_that_nobody_can_fetch_is_refused(url):
    with pytest.raises(Wrong, match="first_image_url"):
        check_url("first_image_url", url, lookup)
