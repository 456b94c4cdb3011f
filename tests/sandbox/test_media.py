import time

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.sandbox import media


def boxes(content: bytes) -> list[tuple[str, int]]:
    """The outermost boxes of an MP4: kind and size. The sizes must add up."""
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        assert 8 <= size <= len(content) - at
        found.append((content[at + 4 : at + 8].decode(), size))
        at += size
    return found


@pytest.mark.parametrize("shape", media.SHAPES)
def test_each_clip_is_a_small_fast_start_mp4(shape):
    kinds = [kind for kind, _ in boxes(media.clip(shape))]
    assert kinds[0] == "ftyp"
    assert kinds.index("moov") < kinds.index("mdat")
    assert len(media.clip(shape)) < 10_000


@pytest.mark.parametrize("shape", media.SHAPES)
def test_each_clip_has_the_size_of_its_shape(shape):
    clip = media.clip(shape)
    # The track header ends with width and height as fixed-point numbers of 16.16 bits.
    header = clip.index(b"tkhd")
    end = header - 4 + int.from_bytes(clip[header - 4 : header], "big")
    width, height = (int.from_bytes(clip[end - n : end - n + 2], "big") for n in (8, 4))
    assert f"{width}x{height}" == media.SHAPES[shape]
    assert b"avc1" in clip


def test_there_is_a_clip_for_every_shape_that_a_model_can_ask_for():
    for model in shipped().models.values():
        param = model.param("aspect_ratio")
        for value in (param.options or ()) if param else ():
            assert value in media.SHAPES or value in media.NAMED_SHAPES


def test_an_unknown_shape_is_wide():
    assert media.shape({}) == media.shape({"aspect_ratio": "21:9"}) == "16:9"


def test_a_video_is_its_clip_and_a_box_that_players_skip():
    video = media.video({}, "task_a", "a lamp \ud800", 0, 0)
    assert video.startswith(media.clip("16:9"))
    assert boxes(video)[-1][0] == "free"


def test_a_video_is_filled_up_to_the_size_that_is_asked_for():
    video = media.video({}, "task_a", "a lamp", 0, 0, least=65536)
    assert len(video) == 65536
    assert boxes(video)[-1][0] == "free"
    assert len(media.video({}, "task_a", "a lamp", 0, 0, least=10)) > 1000


def test_task_prompt_index_and_edition_each_make_another_video():
    variants = [("a", "p", 0, 0), ("b", "p", 0, 0), ("a", "q", 0, 0), ("a", "p", 1, 0)]
    variants.append(("a", "p", 0, 1))
    assert len({media.video({}, *variant) for variant in variants}) == 5


def test_a_truncated_video_does_not_add_up():
    with pytest.raises(AssertionError):
        boxes(media.truncated(media.video({}, "a", "p", 0, 0)))


def test_a_link_holds_for_its_time_or_until_it_is_withdrawn(monkeypatch):
    shelf = media.Shelf()
    path, query = shelf.link("http://127.0.0.1:1", "rivya", "a", 0).split("?")
    expires, signature = (part.split("=")[1] for part in query.split("&"))
    path = path.removeprefix("http://127.0.0.1:1")
    assert shelf.honours(path, "a", expires, signature)
    assert not shelf.honours(path, "a", str(int(expires) + 1), signature)
    monkeypatch.setattr(time, "time", lambda: int(expires))
    assert not shelf.honours(path, "a", expires, signature)
    monkeypatch.undo()
    assert shelf.honours(path, "a", expires, signature)
    shelf.withdraw("a")
    assert not shelf.honours(path, "a", expires, signature)
