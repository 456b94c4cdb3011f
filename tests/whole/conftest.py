"""The whole program as a user runs it: real commands, real HTTP, the sandbox as the world."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

#: Limits that let a campaign in the sandbox run as fast as it can.
FAST = """
limits:
  rivya: {in_flight: 50, creates_per_minute: 60000, polls_per_second: 1000, poll_after: 0s,
          poll_every: 50ms, probe_after: 1s}
  acedatacloud: {in_flight: 50, creates_per_minute: 60000, polls_per_second: 1000, poll_after: 0s,
                 poll_every: 50ms, probe_after: 1s}
"""


async def until(condition, seconds: float = 20.0) -> None:
    """Wait for something that another process does."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process sets no event
            await anyio.sleep(0.01)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    """A sandbox that serves, a folder with a manifest, and commands in it."""

    sandbox: Sandbox
    folder: Path
    environment: dict[str, str]
    commands: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, text: str, name: str = "manifest.yaml", *, fast: bool = True) -> Path:
        """Write a manifest; `version`, `campaign` and quick limits are added."""
        path = self.folder / name
        head = "version: 1\ncampaign: whole\n" + (FAST if fast else "")
        path.write_text(head + text, encoding="utf-8")
        return path

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command without waiting for its end."""
        command = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.commands.append(command)
        return command

    async def finish(self, command: subprocess.Popen[str]) -> Done:
        """Wait for a command's end while the sandbox goes on serving."""
        out, err = await anyio.to_thread.run_sync(command.communicate)
        assert command.returncode is not None
        return Done(command.returncode, out, err)

    async def call(self, *arguments: str) -> Done:
        """Run a command to its end."""
        return await self.finish(self.start(*arguments))

    async def run(self, *arguments: str) -> Done:
        """`orchestrator run manifest.yaml --yes …`."""
        return await self.call("run", "manifest.yaml", "--yes", *arguments)

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs" / "whole"

    def results(self) -> list[dict[str, Any]]:
        lines = (self.run_folder / "results.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of all tasks that were paid for, in order."""
        return [task.request for task in self.sandbox.tasks.all()]

    def sent(self, on: str) -> int:
        """How many requests of a kind (`create`, `upload` …) arrived."""
        return sum(request.on == on for request in self.sandbox.requests)

    def kill(self) -> None:
        for command in self.commands:
            if command.poll() is None:
                os.kill(command.pid, signal.SIGKILL)
                command.wait()
            for stream in (command.stdout, command.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture
def world(tmp_path):
    """`async with world(faults="…", pace=0) as here`."""

    @asynccontextmanager
    async def made(faults: str = "", **options: Any):
        options.setdefault("pace", 0)
        sandbox = Sandbox(None, faults=parse(faults), **options)
        async with sandbox as urls:
            environment = {
                **{
                    name: value for name, value in os.environ.items() if "proxy" not in name.lower()
                },
                "RIVYA_API_KEY": "rvya_sk_canary",
                "RIVYA_BASE_URL": urls["rivya"],
                "ACEDATACLOUD_API_TOKEN": "ace_canary",
                "ACEDATACLOUD_API_BASE_URL": urls["acedatacloud"],
                "PYTHONWARNINGS": "error",
            }
            here = World(sandbox, tmp_path, environment)
            try:
                yield here
            finally:
                here.kill()

    return made
