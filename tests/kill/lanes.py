"""Lanes: victims at once, one after the other in each lane."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a process that should have ended is killed and told of.
PATIENCE = 60.0


@dataclass(frozen=True)
class Ended:
    """How one process ended. `code` is negative for a signal."""

    code: int
    overdue: bool
    seconds: float


class Lane:
    """One lane of the parent of all victims."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")

    def run(self, **order: Any) -> Ended:
        """Run one process to its end."""
        order = {"point": None, "occurrence": 1, "kill_after": None, "patience": PATIENCE} | order
        self._connection.sendall(json.dumps(order).encode() + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise RuntimeError("the parent of the victims has died")
        return Ended(**json.loads(answer))

    def close(self) -> None:
        self._answers.close()
        self._connection.close()


@contextmanager
def lanes(number: int) -> Iterator[queue.SimpleQueue[Lane]]:
    """Start the parent of the victims, and give its free lanes."""
    free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
    with ExitStack() as stack:
        theirs = []
        for _ in range(number):
            mine, other = socket.socketpair()
            theirs.append(stack.enter_context(other))
            lane = Lane(mine)
            stack.callback(lane.close)
            free.put(lane)
        descriptors = [other.fileno() for other in theirs]
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.victim", *map(str, descriptors)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
        )
        for other in theirs:
            other.close()
        try:
            yield free
        finally:
            stack.close()
            parent.wait(PATIENCE)
