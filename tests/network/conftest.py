from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import anyio
import pytest

from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.server import Sandbox
from tests.engine.campaigns import manifest, spec
from tests.network.campaigns import QUICK, Folder, folder
from tests.network.proxy import Proxy


@dataclass
class Place:
    """A sandbox, a proxy before it, and a run folder that knows the proxy alone."""

    sandbox: Sandbox
    proxy: Proxy
    here: Folder

    async def run(self, what, **options):
        """Run a manifest and give its tally."""
        return await self.here.run(what, **options)

    def paid(self, number=0):
        """The tasks that the provider made for a job: what it will bill."""
        tasks = self.sandbox.tasks.all()
        return [task for task in tasks if task.prompt == f"prompt {number}"]

    def creates(self, number=0):
        """The creates that went out for a job."""
        text = f'"prompt {number}"'.encode()
        return [asked for asked in self.proxy.of("create") if text in asked.body]


def one(number, provider, **limits):
    """A manifest of the job `job<number>` alone."""
    return manifest([spec(number, provider)], **{**QUICK, **limits})


@pytest.fixture
def place(tmp_path):
    """`async with place(script, faults="…") as there`; `beside` shares the sandbox of another."""
    numbers = count()

    @asynccontextmanager
    async def made(script=None, *, faults="", beside=None, pace=0.0):
        if beside is not None:
            urls = beside.proxy.behind
            async with Proxy(urls, script) as proxy:
                with folder(tmp_path / f"run{next(numbers)}", proxy.urls) as here:
                    yield Place(beside.sandbox, proxy, here)
            return
        sandbox = Sandbox(faults=parse(faults), pace=pace)
        async with sandbox as urls, Proxy(urls, script) as proxy:
            with folder(tmp_path / f"run{next(numbers)}", proxy.urls) as here:
                yield Place(sandbox, proxy, here)

    return made


#: Campaigns that run side by side.
ABREAST = 40


async def in_each_story(stories, work):
    """Run `work` for each story, many at once, and say which ones went wrong."""
    at_once = anyio.CapacityLimiter(ABREAST)
    wrong = []

    async def tell(story):
        async with at_once:
            try:
                await work(story)
            except Exception as error:  # noqa: BLE001 - told at the end
                error.add_note(f"story {story}")
                wrong.append(error)

    async with anyio.create_task_group() as tasks:
        for story in stories:
            tasks.start_soon(tell, story)
    if wrong:
        raise ExceptionGroup(f"{len(wrong)} stories went wrong", wrong)


async def until(condition, pause=0.1):
    """Wait, for an hour of the clock at most, until something has happened."""
    with anyio.fail_after(3600):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await anyio.sleep(pause)
