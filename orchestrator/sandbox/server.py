"""Serves the emulated providers on one loopback port, for a block of code or until cancelled."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from orchestrator.catalog.tables import shipped
from orchestrator.errors import UsageError
from orchestrator.sandbox import acedatacloud, cdn, rivya
from orchestrator.sandbox.database import connect
from orchestrator.sandbox.desk import recorded
from orchestrator.sandbox.faults import Faults, Script
from orchestrator.sandbox.faults_file import load
from orchestrator.sandbox.limits import Limits
from orchestrator.sandbox.log import Log
from orchestrator.sandbox.media import Shelf
from orchestrator.sandbox.tasks import Tasks
from orchestrator.sandbox.uploads import Uploads
from orchestrator.sandbox.world import WORLD, World

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from orchestrator.catalog.spec import Catalog
    from orchestrator.sandbox.log import Request, Violation

HOST = "127.0.0.1"

#: Seconds that cancelled requests get to end when the sandbox stops.
SHUTDOWN_SECONDS = 0.5

#: The largest JSON body that is read, in bytes. Uploads are read piece by piece.
LARGEST_BODY = 8 * 1024 * 1024


class Sandbox:
    """The emulated providers, as a context manager that gives their base URLs.

        async with Sandbox(run_folder) as urls:
            urls["rivya"]          # http://127.0.0.1:N/rivya
            urls["acedatacloud"]   # http://127.0.0.1:N/acedatacloud

    `state` is the folder of the durable tasks (None: in memory), `port` 0 takes a free one.
    `pace` times every latency and goes before the faults' own; 0 ends every task at once.
    Entering raises UsageError where the port is taken and DiskError where `state` cannot be
    written.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        port: int = 0,
        faults: Faults | None = None,
        pace: float | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self._state = state
        self._port = port
        self._faults = faults or Faults()
        self._pace = self._faults.pace if pace is None else pace
        self._catalog = catalog
        self._log = Log()
        self._tasks: Tasks | None = None
        self._exit = AsyncExitStack()

    @property
    def requests(self) -> deque[Request]:
        """The requests that came in, the oldest first."""
        return self._log.requests

    @property
    def violations(self) -> deque[Violation]:
        """The requests above an emulated limit."""
        return self._log.violations

    @property
    def leaks(self) -> deque[str]:
        """The result paths that were asked for with a credential."""
        return self._log.leaks

    @property
    def tasks(self) -> Tasks:
        """The paid tasks, while the sandbox serves."""
        assert self._tasks is not None, "the sandbox is not serving"
        return self._tasks

    async def __aenter__(self) -> Mapping[str, str]:
        async with AsyncExitStack() as stack:
            connection = connect(self._state)
            stack.callback(connection.close)
            self._tasks = Tasks(connection)
            world = self._world(self._tasks, Uploads(connection))
            world.origin = await self._serve(world, stack)
            self._exit = stack.pop_all()
        return {name: f"{world.origin}/{name}" for name in (rivya.NAME, acedatacloud.NAME)}

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tasks = None
        with anyio.CancelScope(shield=True):
            await self._exit.aclose()

    def _world(self, tasks: Tasks, uploads: Uploads) -> World:
        return World(
            catalog=self._catalog or shipped(),
            tasks=tasks,
            uploads=uploads,
            script=Script(self._faults),
            limits=Limits(self._faults.limits, self._log),
            log=self._log,
            shelf=Shelf(),
            pace=self._pace,
            balance=self._faults.balance,
            video_bytes=self._faults.video_bytes,
        )

    async def _serve(self, world: World, stack: AsyncExitStack) -> str:
        """Listen, and say where."""
        runner = web.AppRunner(
            application(world), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {self._port} on {HOST} cannot be used: {error}; "
                "name another one, or none to take any that is free"
            ) from error
        stack.callback(world.stop)
        port = runner.addresses[0][1]
        return f"http://{HOST}:{port}"


def application(world: World) -> web.Application:
    """All routes over one world."""
    app = web.Application(middlewares=[recorded], client_max_size=LARGEST_BODY)
    app[WORLD] = world
    app.add_routes(cdn.routes())
    app.add_routes(rivya.routes(f"/{rivya.NAME}"))
    app.add_routes(acedatacloud.routes(f"/{acedatacloud.NAME}"))
    return app


async def serve(
    announce: Callable[[Mapping[str, str]], None],
    *,
    port: int = 0,
    faults: Path | None = None,
    state: Path | None = None,
    catalog: Catalog | None = None,
) -> None:
    """Serve until cancelled; `announce` is called once with the base URLs.

    `catalog` holds the models that are emulated; None stands for those that are shipped.

    Raises UsageError for a wrong faults file or a taken port.
    """
    script = load(faults) if faults else None
    async with Sandbox(state, port=port, faults=script, catalog=catalog) as urls:
        announce(urls)
        await anyio.sleep_forever()
