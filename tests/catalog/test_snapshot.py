import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.catalog.listing import Listed, Listing
from orchestrator.catalog.snapshot import keep, recall, state_folder, taken

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LISTING = Listing((Listed("hailuo-pro", availability="available"), Listed("veo-4")))


def snapshot(origin="https://rivya.ai", listing=LISTING):
    return taken("rivya", origin, listing, NOON)


def test_what_is_kept_is_recalled(tmp_path):
    folder = tmp_path / "new" / "state"
    keep(folder, snapshot())
    assert recall(folder, "rivya", "https://rivya.ai") == snapshot()
    assert snapshot().models == {"hailuo-pro": "available", "veo-4": None}
    assert [file.name for file in folder.iterdir()] == ["models-rivya-rivya.ai.json"]


def test_a_later_one_takes_the_place_of_the_one_before(tmp_path):
    keep(tmp_path, snapshot())
    keep(tmp_path, snapshot(listing=Listing((Listed("veo-4"),), "it goes on elsewhere")))
    found = recall(tmp_path, "rivya", "https://rivya.ai")
    assert (found.models, found.whole) == ({"veo-4": None}, False)


def test_each_origin_has_its_own(tmp_path):
    keep(tmp_path, snapshot("http://127.0.0.1"))
    assert recall(tmp_path, "rivya", "https://rivya.ai") is None
    assert recall(tmp_path, "acedatacloud", "http://127.0.0.1") is None
    assert recall(tmp_path, "rivya", "http://127.0.0.1").origin == "http://127.0.0.1"


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"origin": "https://example.com"},
        {"asked": "yesterday"},
        {"asked": 7},
        {"asked": "0001-01-01T00:00:00+10:00"},
        {"whole": 1},
        {"models": ["hailuo-pro"]},
    ],
)
def test_what_this_version_does_not_write_counts_as_none(tmp_path, change):
    keep(tmp_path, snapshot())
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert recall(tmp_path, "rivya", "https://rivya.ai") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_snapshot_counts_as_none(tmp_path, text):
    keep(tmp_path, snapshot())
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    assert recall(tmp_path, "rivya", "https://rivya.ai") is None


def test_a_folder_that_refuses_leaves_nothing_behind(tmp_path):
    keep(tmp_path, snapshot())
    (file,) = tmp_path.iterdir()
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        keep(tmp_path, snapshot())
    assert list(tmp_path.iterdir()) == [file]


def test_state_lies_where_the_user_keeps_it(monkeypatch):
    assert state_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/orchestrator")
    monkeypatch.setenv("HOME", "/home/somebody")
    home = Path("/home/somebody/.local/state/orchestrator")
    assert state_folder({}) == state_folder({"XDG_STATE_HOME": "relative"}) == home
