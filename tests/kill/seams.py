"""Where a run can die: what a victim does to its own interpreter before the program starts.

The program is not touched. What it cannot do without is: SQLite connections, sockets, `os.fsync`,
`os.link`, `os.replace`, `os.unlink` and `open`. Each of their calls that matters is a *moment* with
a name, such as `commit intent after`; at the n-th moment of the armed name the process kills
itself with SIGKILL. A name that never comes lets the process live, which the test takes for a
failure: so a seam that a change of the program has removed is noticed at once.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import signal
import socket
import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Armed in place of a name: any moment counts.
ANY = "any"

#: The requests that matter, by how their bytes begin.
REQUESTS = {
    "create": re.compile(rb"POST \S*(/api/v1/generations|/hailuo/videos) "),
    "poll": re.compile(rb"(GET \S*/api/v1/generations/|POST \S*/hailuo/tasks )"),
    "download": re.compile(rb"GET \S*/cdn/"),
}
METHOD = re.compile(rb"[A-Z]{3,7} /")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

#: Files by what they are, in the order in which their names are compared.
FILES = (
    ("note", re.compile(r"\.part\.json")),
    ("results", re.compile(r"results\.jsonl")),
    ("table", re.compile(r"results\.csv")),
    ("report", re.compile(r"report\.html")),
    ("part", re.compile(r"\.part$")),
    ("ledger", re.compile(r"ledger\.db")),
    ("video", re.compile(r"\.mp4$")),
    ("sidecar", re.compile(r"(\.json|\.new)$")),
    ("folder", re.compile(r"^videos$")),
)


def kind_of(path: object) -> str:
    """What a path is to the program; `other` where it does not matter."""
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    name = Path(text).name
    return next((kind for kind, pattern in FILES if pattern.search(name)), "other")


@dataclass
class Trap:
    """Kills this process at the `occurrence`-th moment called `name`."""

    name: str | None
    occurrence: int
    #: The run folder, in which a synced file is looked up.
    folder: Path
    #: Takes the rows whose create reply was durable while this process lived.
    witness: Path
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, name: str, times: int = 1) -> None:
        """Say that a moment has come, perhaps for several jobs at once."""
        if self.name not in (name, ANY):
            return
        with self.lock:
            self.count += times
            if self.count >= self.occurrence:
                die()

    def is_last(self, name: str) -> bool:
        """Whether the next moment of this name is the one to die at."""
        return self.name == name and self.count == self.occurrence - 1

    def saw(self, rows: list[int]) -> None:
        """Bear witness, in a way that outlives a kill."""
        if rows:
            with self.witness.open("ab", buffering=0) as file:
                file.write(b"".join(b"%d\n" % row for row in rows))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def install(trap: Trap) -> None:
    """Arm this process. There is no way back: it is meant to die."""
    watch_ledger(trap)
    watch_sockets(trap)
    watch_files(trap)


# --- the ledger's transactions ------------------------------------------------------------------


def watch_ledger(trap: Trap) -> None:
    sqlite3.connect = partial(sqlite3.connect, factory=partial(Connection, trap))


class Connection(sqlite3.Connection):
    """Tells of each commit which events it holds, however they were inserted.

    A temporary trigger reports every row of `events`: it belongs to this connection alone and
    never reaches the file.
    """

    def __init__(self, trap: Trap, database: str, *arguments: Any, **options: Any) -> None:
        trap.at("connect before")
        super().__init__(database, *arguments, **options)
        self._trap = trap
        self._events: list[tuple[str, int]] = []
        self._is_watched = False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        verb = statement.split(None, 1)[0].upper() if statement.strip() else ""
        if verb == "BEGIN":
            self._watch()
            self._events.clear()
        elif verb in ("COMMIT", "END"):
            return self._committing(lambda: super(Connection, self).execute(statement, *values))
        return super().execute(statement, *values)

    def commit(self) -> None:
        self._committing(super().commit)

    def _watch(self) -> None:
        if self._is_watched:
            return
        found = super().execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone()
        if found is None:
            return
        self.create_function("_happened", 2, self._happened)
        super().execute(
            "CREATE TEMP TRIGGER happened AFTER INSERT ON main.events"
            " BEGIN SELECT _happened(NEW.kind, NEW.row); END"
        )
        self._is_watched = True

    def _happened(self, kind: str, row: int) -> None:
        self._events.append((kind, row))

    def _committing(self, commit: Callable[[], Any]) -> Any:
        events = list(self._events)
        self._events.clear()
        replied = [row for kind, row in events if kind == "reply"]
        # A reply that is acted on is durable by then, or becomes so with what is done about it.
        accepted = [row for kind, row in events if kind == "accepted"]
        self._trap.saw([row for row in accepted if row not in replied])
        self._tell(events, "before")
        outcome = commit()
        self._trap.saw(replied)
        self._tell(events, "after")
        return outcome

    def _tell(self, events: list[tuple[str, int]], phase: str) -> None:
        kinds = [kind for kind, _ in events] or ["other"]
        for kind in dict.fromkeys(kinds):
            self._trap.at(f"commit {kind} {phase}", kinds.count(kind))


# --- requests -----------------------------------------------------------------------------------


@dataclass
class Exchange:
    """One request on a socket, as far as its bytes have gone out."""

    kind: str
    sent: bytearray = field(default_factory=bytearray)
    is_whole: bool = False

    def add(self, data: bytes) -> bool:
        """Take bytes that went out; true where the request has just become whole."""
        if self.is_whole:
            return False
        self.sent += data
        head, found, body = bytes(self.sent).partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        self.is_whole = bool(found) and len(body) >= (int(length[1]) if length else 0)
        return self.is_whole


class Wire:
    """What is written to and read from the sockets of this process."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._send, self._recv = socket.socket.send, socket.socket.recv
        #: The latest request on each socket, by its descriptor.
        self._exchanges: dict[int, Exchange] = {}

    def send(self, on: socket.socket, data: Any, *flags: int) -> int:
        beginning = bytes(data[:4096])
        if METHOD.match(beginning):
            self._begin(on, beginning, data)
        count = self._send(on, data, *flags)
        exchange = self._exchanges.get(on.fileno())
        if exchange is not None and exchange.add(bytes(data[:count])):
            self._trap.at(f"{exchange.kind} sent")
        return count

    def sendmsg(self, on: socket.socket, buffers: Any) -> int:
        return self.send(on, b"".join(bytes(buffer) for buffer in buffers))

    def recv(self, on: socket.socket, size: int, *flags: int) -> bytes:
        exchange = self._exchanges.get(on.fileno())
        if exchange is None:
            return self._recv(on, size, *flags)
        self._trap.at(f"{exchange.kind} answered")
        if exchange.kind == "download" and has_begun(self._trap.folder):
            self._trap.at("download under way")
        data = self._recv(on, size, *flags)
        self._trap.at(f"{exchange.kind} read")
        return data

    def other(self, *_: Any) -> None:
        raise NotImplementedError("the program uses sockets in a way that these seams do not know")

    def _begin(self, on: socket.socket, beginning: bytes, data: Any) -> None:
        kind = next((kind for kind, found in REQUESTS.items() if found.match(beginning)), "other")
        self._exchanges[on.fileno()] = Exchange(kind)
        self._trap.at(f"{kind} unsent")
        if self._trap.is_last(f"{kind} half sent"):
            self._send(on, data[: len(data) // 2])
        self._trap.at(f"{kind} half sent")


def watch_sockets(trap: Trap) -> None:
    wire = Wire(trap)
    seams = {"send": wire.send, "sendmsg": wire.sendmsg, "recv": wire.recv}
    for name, seam in {**seams, "sendall": wire.other, "recv_into": wire.other}.items():
        replace(socket.socket, name, method(seam))


def method(seam: Callable[..., Any]) -> Callable[..., Any]:
    """A bound method of ours as a method of the class that it is put into."""

    def call(self: object, *rest: Any) -> Any:
        return seam(self, *rest)

    return call


def has_begun(folder: Path) -> bool:
    """Whether a part in the run folder holds bytes, and is no file with a final name."""
    for part in (folder / "videos").rglob(".*.part"):
        status = part.stat(follow_symlinks=False)
        if status.st_size and status.st_nlink == 1:
            return True
    return False


# --- files --------------------------------------------------------------------------------------


def watch_files(trap: Trap) -> None:
    """Watch names and syncs of files of the run folder."""
    for name in ("link", "replace", "rename"):
        replace(os, name, partial(naming, trap, getattr(os, name)))
    for name in ("fsync", "fdatasync"):
        if hasattr(os, name):
            replace(os, name, partial(syncing, trap, getattr(os, name)))
    replace(os, "unlink", partial(dropping, trap, os.unlink))
    opening = partial(beginning, trap, io.open)
    replace(io, "open", opening)
    replace(builtins, "open", opening)


def naming(trap: Trap, name: Callable[..., None], old: Any, new: Any, **options: Any) -> None:
    kind = kind_of(new)
    trap.at(f"name {kind} before")
    name(old, new, **options)
    trap.at(f"name {kind} after")


def dropping(trap: Trap, drop: Callable[..., None], path: Any, **options: Any) -> None:
    trap.at(f"drop {kind_of(path)} before")
    drop(path, **options)


def syncing(trap: Trap, sync: Callable[[int], None], descriptor: int) -> None:
    kind = kind_of(path_of(descriptor, trap.folder))
    trap.at(f"sync {kind} before")
    sync(descriptor)
    trap.at(f"sync {kind} after")


def beginning(trap: Trap, opening: Callable[..., Any], file: Any, *rest: Any, **named: Any) -> Any:
    """A file is opened; if it is to be written, it is empty then."""
    opened = opening(file, *rest, **named)
    mode = rest[0] if rest else named.get("mode", "r")
    if "w" in mode or "x" in mode:
        trap.at(f"begin {kind_of(file)}")
    return opened


def path_of(descriptor: int, folder: Path) -> Path | None:
    """Where the open file lies in the run folder; None where it does not."""
    status = os.fstat(descriptor)
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if os.path.samestat(status, path.lstat()):
                return path
    return None


def replace(owner: Any, name: str, seam: Any) -> None:
    """Put a seam in place of something that has to be there."""
    if not hasattr(owner, name):
        raise AttributeError(f"there is no {name} to hook on")
    setattr(owner, name, seam)
