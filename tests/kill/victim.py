"""The processes that die: `python -m tests.kill.victim DESCRIPTOR…` forks them from one parent.

The parent imports the whole program once and stays single-threaded. It forks one lane for each
socket that it was given; a lane reads orders from its socket, a line of JSON each, forks a process
that runs the program's command line as a user's shell would, waits for its end and answers.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orchestrator
from orchestrator.catalog.tables import shipped
from orchestrator.manifest import check as manifest
from tests.kill.seams import Trap, install

#: What the program, and what it uses, imports only while it runs.
LATE = (
    "aiofiles", "anyio._backends._asyncio", "anyio._core._signals", "encodings.idna", "jinja2",
    "jsonschema", "jsonschema.validators",
)  # fmt: skip
#: One job of each provider, for what is made once out of the tables.
SAMPLE = """\
version: 1
campaign: sample
jobs:
- {id: a, model: hailuo-pro, prompt: a}
- {id: b, model: minimax-t2v, prompt: b}
"""


def load() -> None:
    """Import all of the program, and read what it reads at every start."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        import_module(module.name)
    for name in LATE:
        import_module(name)
    with TemporaryDirectory() as folder:
        sample = Path(folder, "sample.yaml")
        sample.write_text(SAMPLE, encoding="utf-8")
        manifest.load(sample, shipped())


def serve(connection: socket.socket) -> None:
    """Carry out orders until the other end is closed."""
    with connection, connection.makefile("rb") as orders:
        for line in orders:
            connection.sendall(json.dumps(carry_out(json.loads(line))).encode() + b"\n")


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """Fork a victim, wait for its end, and kill it where it is due or overdue."""
    began = time.monotonic()
    alive, is_alive = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(alive)
        os._exit(be_victim(order))
    # Whatever ends the victim closes the pipe; until it is waited for its number is its own.
    os.close(is_alive)
    seconds = order["kill_after"] if order["kill_after"] is not None else order["patience"]
    is_over, _, _ = select.select([alive], [], [], seconds)
    if not is_over:
        os.kill(child, signal.SIGKILL)
    os.close(alive)
    _, status = os.waitpid(child, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "overdue": not is_over and order["kill_after"] is None,
        "seconds": time.monotonic() - began,
    }


def be_victim(order: dict[str, Any]) -> int:
    """Become the process that the order describes; the exit code, if it lives to tell one."""
    try:
        settle_in(order)
        run = Trap(order["point"], order["occurrence"], Path(order["run"]), Path(order["witness"]))
        install(run)
        import_module("orchestrator.__main__").main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - a seam that failed is told by exit code and stderr
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 98


def settle_in(order: dict[str, Any]) -> None:
    """Take over the order's folder, environment, arguments and streams."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["orchestrator", *order["arguments"]]
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)


def main(descriptors: list[str]) -> None:
    load()
    gc.collect()
    gc.freeze()
    connections = [socket.socket(fileno=int(descriptor)) for descriptor in descriptors]
    lanes = []
    for connection in connections:
        lane = os.fork()
        if lane == 0:
            for other in connections:
                if other is not connection:
                    other.close()
            serve(connection)
            os._exit(0)
        lanes.append(lane)
    for connection in connections:
        connection.close()
    for lane in lanes:
        os.waitpid(lane, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
