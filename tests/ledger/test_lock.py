from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import LedgerBusy
from orchestrator.ledger.lock import LOCK_FILE, Holder, RunLock, holder
from tests.ledger.material import inline

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from orchestrator.ledger.sqlite.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]), campaign="spring")
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_run_is_told_which_process_holds_the_ledger(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(LedgerBusy) as refused:
                inline(tmp_path)
            assert f"process {holder.pid} on {socket.gethostname()}" in str(refused.value)
            assert refused.value.exit_code == 7
        finally:
            holder.send_signal(signal.SIGKILL)
    inline(tmp_path).close()


def test_the_lock_of_a_killed_run_is_free_even_when_its_process_id_lives_again(
    tmp_path: Path,
) -> None:
    (tmp_path / LOCK_FILE).write_text(f'{{"pid": {os.getpid()}, "host": "here", "since": "now"}}')
    RunLock(tmp_path).release()


def test_nothing_of_an_earlier_and_longer_signature_is_left(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("x" * 1000)
    lock = RunLock(tmp_path)
    with pytest.raises(LedgerBusy, match=f"process {os.getpid()} "):
        RunLock(tmp_path)
    lock.release()


def test_a_second_opener_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    with pytest.raises(LedgerBusy, match=f"process {os.getpid()} "):
        RunLock(tmp_path)
    lock.release()
    RunLock(tmp_path).release()


def test_a_holder_that_has_not_signed_yet_is_another_process(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    (tmp_path / LOCK_FILE).write_text("")
    with pytest.raises(LedgerBusy, match="in use by another process"):
        RunLock(tmp_path)
    lock.release()


def test_a_refused_opening_leaves_the_holders_signature(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    before = (tmp_path / LOCK_FILE).read_text()
    with pytest.raises(LedgerBusy):
        RunLock(tmp_path)
    assert (tmp_path / LOCK_FILE).read_text() == before
    lock.release()


def test_a_ledger_lets_go_of_its_folder_when_it_is_closed(tmp_path: Path) -> None:
    inline(tmp_path).close()
    inline(tmp_path).close()


def test_who_works_in_a_folder_is_seen_without_hindering_them(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = RunLock(tmp_path)
    before = (tmp_path / LOCK_FILE).read_text()
    seen = holder(tmp_path)
    assert seen is not None
    assert (seen.pid, seen.host) == (os.getpid(), socket.gethostname())
    assert str(seen).startswith(f"process {os.getpid()} on {socket.gethostname()}, started 20")
    assert (tmp_path / LOCK_FILE).read_text() == before
    lock.release()
    assert holder(tmp_path) is None
    RunLock(tmp_path).release()


@pytest.mark.parametrize("signature", ["", "[]", '{"pid": "7"}', "nothing that was signed"])
def test_a_holder_without_a_signature_is_somebody_all_the_same(
    tmp_path: Path, signature: str
) -> None:
    lock = RunLock(tmp_path)
    (tmp_path / LOCK_FILE).write_text(signature)
    assert holder(tmp_path) == Holder()
    assert str(holder(tmp_path)) == "another process"
    lock.release()


def test_somebody_who_looks_at_the_lock_keeps_no_run_out(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    looking = os.open(tmp_path / LOCK_FILE, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    looked = threading.Thread(target=lambda: (time.sleep(0.03), os.close(looking)))
    looked.start()
    RunLock(tmp_path).release()
    looked.join()
