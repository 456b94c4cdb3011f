"""`orchestrator sandbox`: the emulated providers, on loopback until interrupted."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from orchestrator.cli.output import tell, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("sandbox")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port on 127.0.0.1; one that is free where it is left out.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What goes wrong, as a YAML file of faults.",
)
def sandbox(port: int, faults: Path | None) -> None:
    r"""Serve the emulated providers.

    \b
    Examples:
      orchestrator sandbox
      orchestrator sandbox --port 8700 --faults faults.yaml

    The first line of stdout is a JSON object with the base URL of each provider. Any key is
    taken but `invalid`. Ends at Ctrl-C. To run a manifest in a sandbox of its own, nothing has to
    be started: `orchestrator run MANIFEST --sandbox`.
    """
    anyio.run(_serve, port, faults)


async def _serve(port: int, faults: Path | None) -> None:
    from orchestrator.sandbox.server import serve

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def end_at_a_signal() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(end_at_a_signal)
            await serve(_announce, port=port, faults=faults)


def _announce(urls: Mapping[str, str]) -> None:
    from orchestrator.providers.registry import provider

    write_text(json.dumps(dict(urls)) + "\n")
    tell("The sandbox is serving; Ctrl-C ends it. To send a run here, in another shell:")
    for name, url in urls.items():
        settings = provider(name).settings
        tell(f"  export {settings.base_url_variable}={url} {settings.key_variable}=sandbox")
    tell("  orchestrator run MANIFEST --yes")
