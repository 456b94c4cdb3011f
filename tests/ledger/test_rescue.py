from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger import rescue
from orchestrator.ledger.rescue import RESCUE_FILE, RESERVED, Rescued, append, reserve
from orchestrator.ledger.store import Admission
from tests.ledger.material import admit, inline, make_job, write

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger

REPLY = '{"status": 200, "body": "{\\"taskId\\": \\"t1\\"}"}'


def answer(row: int = 1, **changes) -> Rescued:
    values = {"key": "a", "attempt": 1, "provider": "rivya", "reply": REPLY, "task_id": "t1"}
    return Rescued(row, **{**values, **changes})


def leave_open(ledger: SqliteLedger, folder: Path) -> None:
    """Leave the run folder as a killed process does, with what was rescued."""
    file = folder / RESCUE_FILE
    before = file.read_bytes()
    ledger.close()
    file.write_bytes(before)


# --- the file ------------------------------------------------------------------------------------


def test_answers_come_back_in_their_order(tmp_path: Path) -> None:
    assert rescue.read(tmp_path) == []
    answers = [answer(row, idempotency_key=f"k{row}", at=float(row)) for row in range(1, 4)]
    for one in answers:
        rescue.append(tmp_path, one)
    assert rescue.read(tmp_path) == answers
    rescue.clear(tmp_path)
    assert rescue.read(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_answers_fit_into_the_room_that_was_made_for_them(tmp_path: Path) -> None:
    rescue.reserve(tmp_path)
    room = (tmp_path / RESCUE_FILE).stat().st_size
    assert not rescue.holds_anything(tmp_path)
    for row in range(1, 101):
        rescue.append(tmp_path, answer(row, reply="x" * 2000))
    assert (tmp_path / RESCUE_FILE).stat().st_size == room
    assert len(rescue.read(tmp_path)) == 100
    assert rescue.holds_anything(tmp_path)


def test_what_does_not_fit_is_added_behind_it(tmp_path: Path) -> None:
    rescue.reserve(tmp_path)
    answers = [answer(row, reply="x" * 100_000) for row in range(1, 6)]
    for one in answers:
        rescue.append(tmp_path, one)
    assert rescue.read(tmp_path) == answers


def test_an_answer_is_synced_with_its_name_before_it_counts_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(rescue.os, "fsync", sync)
    rescue.append(tmp_path, answer())
    assert synced == [(tmp_path / RESCUE_FILE).stat().st_ino, tmp_path.stat().st_ino]


def test_making_room_leaves_what_is_there(tmp_path: Path) -> None:
    rescue.append(tmp_path, answer())
    rescue.reserve(tmp_path)
    assert rescue.read(tmp_path) == [answer()]


def test_a_line_that_was_cut_short_spoils_no_other_one(tmp_path: Path) -> None:
    rescue.reserve(tmp_path)
    rescue.append(tmp_path, answer(1))
    with (tmp_path / RESCUE_FILE).open("r+b") as file:
        content = file.read()
        end = content.index(b"\0")
        file.seek(end)
        file.write(json.dumps({"row": 2})[:-3].encode())
    rescue.append(tmp_path, answer(3))
    assert rescue.read(tmp_path) == [answer(1), answer(3)]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / RESCUE_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        rescue.append(tmp_path, answer())
    assert not (tmp_path / "elsewhere").exists()


# --- the ledger takes it in ----------------------------------------------------------------------


def test_the_next_one_who_opens_the_ledger_takes_a_rescued_answer_in(tmp_path: Path) -> None:
    ledger = inline(tmp_path)
    (row,) = admit(ledger, "a")
    write(ledger, row, "intent", State.SUBMITTING)
    ledger.rescue(answer(row))
    leave_open(ledger, tmp_path)
    with inline(tmp_path) as again:
        found = again.row(row)
        assert (found.state, found.attempt.reply) == (State.SUBMITTING, REPLY)
        assert again.unplaced == ()
        *_, last = again.events()
        assert (last.event.kind, last.event.note) == ("reply", {"rescued": True})
    assert not (tmp_path / RESCUE_FILE).exists()
    with inline(tmp_path) as once_more:
        assert len(list(once_more.events())) == 2, "it is taken in once"


def test_an_answer_that_the_ledger_has_already_changes_nothing(tmp_path: Path) -> None:
    ledger = inline(tmp_path)
    (row,) = admit(ledger, "a")
    write(ledger, row, "intent", State.SUBMITTING)
    write(ledger, row, "reply", reply="its own")
    ledger.rescue(answer(row))
    leave_open(ledger, tmp_path)
    with inline(tmp_path) as again:
        assert again.row(row).attempt.reply == "its own"
        assert again.unplaced == ()


@pytest.mark.parametrize("changes", [{"row": 99}, {"attempt": 2}, {"attempt": 1}])
def test_an_answer_to_an_attempt_that_is_not_the_latest_one_stays_and_is_told(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    ledger = inline(tmp_path)
    (row,) = admit(ledger, "a")
    write(ledger, row, "intent", State.SUBMITTING)
    if changes == {"attempt": 1}:
        write(ledger, row, "failed", State.FAILED)
        write(ledger, row, "intent", State.SUBMITTING, new_attempt=True)
    stray = answer(**{"row": row, **changes})
    ledger.rescue(stray)
    leave_open(ledger, tmp_path)
    for _ in range(2):
        with inline(tmp_path) as again:
            assert again.unplaced == (stray,)
    assert rescue.read(tmp_path) == [stray]


def test_a_run_keeps_room_and_leaves_none_behind(tmp_path: Path) -> None:
    with inline(tmp_path):
        assert (tmp_path / RESCUE_FILE).stat().st_size == rescue.RESERVED
    assert not (tmp_path / RESCUE_FILE).exists()


def test_without_room_for_an_emergency_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rescue.os, "pwrite", full)
    with pytest.raises(LedgerError, match=r"No space left on device.*Make room"):
        inline(tmp_path)
    assert not (tmp_path / RESCUE_FILE).exists()
    monkeypatch.undo()
    inline(tmp_path).close()


def test_room_that_a_power_loss_left_too_short_is_made_again(tmp_path: Path) -> None:
    (tmp_path / RESCUE_FILE).write_bytes(b"")
    reserve(tmp_path)
    assert (tmp_path / RESCUE_FILE).stat().st_size >= RESERVED


def _intended(tmp_path: Path, name: str, key: str) -> int:
    with inline(tmp_path) as ledger:
        (row,) = ledger.admit([Admission(make_job(name))])
        sent = {"idempotency_key": key, "body": b"{}", "first_sent_at": 1000.0}
        write(ledger, row, "intent", State.SUBMITTING, **sent)
    return row


def test_a_line_that_was_cut_short_is_kept_for_a_person(tmp_path: Path) -> None:
    row = _intended(tmp_path, "a", "k-a")
    append(tmp_path, Rescued(row, "a", 1, "rivya", "the answer"))
    with (tmp_path / RESCUE_FILE).open("r+b") as file:
        file.seek(len(file.read().partition(b"\0")[0]))
        file.write(b'{"row": 2, "key": "b", "reply": "task T2')
    with inline(tmp_path) as ledger:
        assert ledger.row(row).attempt.reply == "the answer"
    assert b"T2" in (tmp_path / RESCUE_FILE).read_bytes()


@pytest.mark.parametrize("idempotency_key", ["k-a", None])
def test_an_answer_to_another_create_goes_into_no_job(
    tmp_path: Path, idempotency_key: str | None
) -> None:
    row = _intended(tmp_path, "b", "k-b")
    append(tmp_path, Rescued(row, "a", 1, "rivya", "of a", idempotency_key=idempotency_key))
    with inline(tmp_path) as ledger:
        assert [one.key for one in ledger.unplaced] == ["a"]
        assert ledger.row(row).attempt.reply is None
    assert b"of a" in (tmp_path / RESCUE_FILE).read_bytes()
