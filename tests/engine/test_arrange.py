"""Arrange: where only the writing of a manifest changed, files take their jobs' new names."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from orchestrator.engine.arrange import SUPERSEDED, is_in_the_way, misnamed, rename_files, set_aside
from orchestrator.jobs import State
from orchestrator.ledger.store import Attempt, Row, StoredFile
from orchestrator.storage.local import LocalStorage
from tests.engine.campaigns import manifest, spec
from tests.engine.material import Bench, account_of
from tests.engine.virtual import Crash


def row(key, *paths, position=0):
    files = tuple(StoredFile(path, 3, "a" * 64) for path in paths)
    return Row(
        1, position, key, f'["{key}"]', "f" * 64, "s" * 64, "rivya", "hailuo-pro",
        State.STORED, {}, Attempt(1), files,
    )  # fmt: skip


# --- what has to move ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "paths", "wrong"),
    [
        ("a", ["videos/a.mp4"], False),
        ("a", ["videos/a.mp4", "videos/a.2.mp4"], False),
        ("a", [], False),
        ("grid/b", ["videos/grid/b.mp4"], False),
        ("a", ["videos/b.mp4"], True),
        ("a", ["videos/ab.mp4"], True),
        ("a", ["videos/a.mp4", "videos/b.2.mp4"], True),
        ("a", ["videos/superseded/a.ffffffff.mp4"], True),
        ("a", ["videos/b.mp4.moving"], True),
    ],
)
def test_files_named_after_another_key_have_to_move(key, paths, wrong):
    assert misnamed(row(key, *paths)) is wrong


def test_files_of_former_rows_are_in_the_way_where_their_key_is_a_current_one():
    rows = [
        row("a", "videos/a.mp4"),
        row("b", "videos/b.mp4", position=None),
        row("c", "videos/c.mp4", position=None),
        row("d", f"{SUPERSEDED}d.ffffffff.mp4", position=None),
        row("e", position=None),
    ]
    assert [row.key for row in rows if is_in_the_way(row, frozenset("abde"))] == ["b"]


# --- on a real disk -----------------------------------------------------------------------------


class Folder:
    """A run folder on disk whose rows are moved as a run would."""

    def __init__(self, root):
        self.root = root
        self.store = LocalStorage(root)
        self.bench = Bench()
        self.bench.ledger.close = lambda: None

    def have(self, key, content, *more):
        """Let a job have this video on disk, and so in the ledger."""
        names = [f"videos/{key}.mp4", *(f"videos/{key}.{n + 2}.mp4" for n in range(len(more)))]
        files = []
        for name, text in zip(names, (content, *more), strict=True):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.with_suffix(".json").write_text(f'"{text}"')
            files.append(StoredFile(name, len(text), "a" * 64))
        self.bench.intend(key=key)
        self.bench.put("accepted", State.SUBMITTED, key=key, task_id=f"told_{key}")
        self.bench.put("generated", State.GENERATED, key=key)
        self.bench.put("stored", State.STORED, key=key, files=files)

    def arrange(self, former=()):
        """Move files as a run does at its beginning."""
        self.bench.ledger.dead = False

        async def work():
            async with account_of(ledger=self.bench.ledger) as account:
                rows = list(self.bench.ledger.rows())
                keys = frozenset(found.key for found in rows if found.position is not None)
                found = {row.key: row for row in rows if is_in_the_way(row, keys)}
                account.run.former.update(found)
                renamed = [row for row in rows if row.position is not None and misnamed(row)]
                await rename_files(account.run, self.store, renamed)
                for key in former:
                    await set_aside(account.run, self.store, account.run.former.pop(key))

        anyio.run(work)

    def paths(self):
        """What the ledger says that each key's files are."""
        return {
            key: [file.path for file in found.files] for key, found in self.bench.rows().items()
        }

    def content(self):
        """What is on disk, by path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_files_and_sidecars_take_the_new_name(folder):
    folder.bench.admit(manifest([spec(1, prompt="same")]))
    folder.have("job1", "one", "two")
    folder.bench.admit(manifest([spec(2, prompt="same")]))
    folder.arrange()
    assert folder.paths() == {"job2": ["videos/job2.mp4", "videos/job2.2.mp4"]}
    assert folder.content() == {
        "videos/job2.mp4": "one",
        "videos/job2.json": '"one"',
        "videos/job2.2.mp4": "two",
        "videos/job2.2.json": '"two"',
    }


def test_where_nothing_was_renamed_nothing_moves(folder):
    folder.bench.admit(manifest([spec(1), spec(2)]))
    folder.have("job1", "one")
    before = folder.content(), folder.bench.kinds()
    folder.arrange()
    assert (folder.content(), folder.bench.kinds()) == before


def trade(folder):
    """Let two jobs trade their names."""
    folder.bench.admit(manifest([spec(1, prompt="red"), spec(2, prompt="blue")]))
    folder.have("job1", "red")
    folder.have("job2", "blue")
    folder.bench.admit(manifest([spec(1, prompt="blue"), spec(2, prompt="red")]))


def test_two_jobs_may_trade_names(folder):
    trade(folder)
    folder.arrange()
    assert folder.content() == {
        "videos/job1.mp4": "blue",
        "videos/job1.json": '"blue"',
        "videos/job2.mp4": "red",
        "videos/job2.json": '"red"',
    }


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_of_a_trade_is_completed_by_the_next_run(folder, step, when):
    trade(folder)
    steps = []
    inner = folder.bench.ledger.inner

    async def record(*events):
        if len(steps) == step and when == "before":
            raise Crash
        await inner.record(*events)
        if len(steps) == step and when == "after":
            raise Crash
        steps.append(events)

    folder.bench.ledger.record = record
    with pytest.raises(BaseExceptionGroup):
        folder.arrange()
    folder.bench.ledger.record = inner.record
    folder.arrange()
    videos = {path: text for path, text in folder.content().items() if path.endswith(".mp4")}
    assert videos == {"videos/job1.mp4": "blue", "videos/job2.mp4": "red"}
    assert folder.paths() == {"job1": ["videos/job1.mp4"], "job2": ["videos/job2.mp4"]}


def test_a_renamed_job_moves_the_file_of_the_job_that_had_its_name_aside(folder):
    folder.bench.admit(manifest([spec(1, prompt="red"), spec(2, prompt="blue")]))
    folder.have("job1", "red")
    folder.have("job2", "blue")
    folder.bench.admit(manifest([spec(2, prompt="red")]))
    folder.arrange()
    videos = {path: text for path, text in folder.content().items() if path.endswith(".mp4")}
    (aside,) = [path for path in videos if path.startswith(SUPERSEDED)]
    assert videos == {"videos/job2.mp4": "red", aside: "blue"}
    (former,) = [found for found in folder.bench.ledger.rows() if found.position is None]
    assert [file.path for file in former.files] == [aside]


def test_an_edited_jobs_file_is_named_after_its_old_fingerprint(folder):
    folder.bench.admit(manifest([spec(1)]))
    folder.have("job1", "old")
    old = folder.bench.row().fingerprint
    folder.bench.admit(manifest([spec(1, prompt="new")]))
    folder.arrange(former=["job1"])
    assert folder.content() == {
        f"{SUPERSEDED}job1.{old[:8]}.mp4": "old",
        f"{SUPERSEDED}job1.{old[:8]}.json": '"old"',
    }


def test_an_edit_that_is_taken_back_brings_its_file_back(folder):
    folder.bench.admit(manifest([spec(1)]))
    folder.have("job1", "old")
    folder.bench.admit(manifest([spec(1, prompt="new")]))
    folder.arrange(former=["job1"])
    folder.have("job1", "new")
    folder.bench.admit(manifest([spec(1)]))
    folder.arrange()
    videos = {path: text for path, text in folder.content().items() if path.endswith(".mp4")}
    assert videos.pop("videos/job1.mp4") == "old"
    assert list(videos.values()) == ["new"]


def test_a_file_that_is_gone_is_given_its_new_name_in_the_ledger_alone(folder):
    folder.bench.admit(manifest([spec(1, prompt="same")]))
    folder.have("job1", "one")
    (folder.root / "videos/job1.mp4").unlink()
    folder.bench.admit(manifest([spec(2, prompt="same")]))
    folder.arrange()
    assert folder.paths() == {"job2": ["videos/job2.mp4"]}


def test_a_renamed_job_whose_new_name_somebody_else_has_keeps_its_file_and_ends_nothing(folder):
    folder.bench.admit(manifest([spec(1, prompt="same")]))
    folder.have("job1", "one")
    (folder.root / "videos/job2.mp4").write_text("mine")
    folder.bench.admit(manifest([spec(2, prompt="same")]))
    folder.arrange()
    assert folder.content()["videos/job2.mp4"] == "mine"
    (path,) = folder.paths()["job2"]
    assert folder.content()[path] == "one"


def test_a_crash_while_a_file_moves_aside_leaves_no_wrong_name_in_the_ledger(folder):
    folder.bench.admit(manifest([spec(1)]))
    folder.have("job1", "old")
    old = folder.bench.row().fingerprint
    folder.bench.admit(manifest([spec(1, prompt="new")]))
    folder.bench.die_before("superseded")
    with pytest.raises(BaseExceptionGroup):
        folder.arrange(former=["job1"])
    folder.bench.ledger.before = None
    folder.arrange(former=["job1"])
    (former,) = [found for found in folder.bench.ledger.rows() if found.fingerprint == old]
    assert [file.path for file in former.files] == [f"{SUPERSEDED}job1.{old[:8]}.mp4"]


@pytest.mark.parametrize(
    ("key", "path"),
    [("clip", "videos/clip.v2.mp4"), ("clip", "videos/clip.mp4.moving")],
)
def test_a_name_that_begins_like_the_key_is_not_its_name(key, path):
    assert misnamed(replace(row(key), files=(StoredFile(path, 3, "a" * 64),)))
