"""`orchestrator sandbox`: the emulated providers, on loopback until interrupted."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from orchestrator.cli import catalogue
from orchestrator.cli.output import tell, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Catalog


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
    help="What goes wrong, as a YAML file of the form above.",
)
@catalogue.option
def sandbox(port: int, faults: Path | None) -> None:
    r"""Serve the emulated providers.

    \b
    Examples:
      orchestrator sandbox
      orchestrator sandbox --port 8700 --faults faults.yaml

    The first line of stdout is a JSON object with the base URL of each provider. Any key is
    taken but `invalid`. Ends at Ctrl-C. To run a manifest in a sandbox of its own, nothing has to
    be started: `orchestrator run MANIFEST --sandbox`.

    A faults file is YAML and says what goes wrong:

    \b
      pace: 0                  # times every latency; 0 ends each task at once
      video_bytes: 65536       # each video is filled up to so many
      balance: {rivya: 500}    # credits in the wallet
      limits: {rivya: {in_flight: 5, creates_per_minute: 30}}   # else 429
      faults:                  # of these, the first that fits is played
        - {on: create, provider: rivya, nth: 2, do: {status: 500}}
        - {on: download, match: lamp, per: task, times: 1, do: {cut: 1000}}
        - {on: task, chance: 0.1, do: {fail: generation_failed}}

    `on` is create, poll, upload, download, balance or task. provider, model and match (a part of
    the prompt) narrow it; nth, times, every, after and chance say which of the requests that fit,
    counted over all or `per: task`. `do` is a word, or one with its value. On a request:

    \b
      {status: 503}       an HTTP status; with code, message, body, retry_after
      {hang: 30}          no answer for so many seconds, then a reset
      {cut: 1000}         so many bytes of the answer, then the connection ends
      {slow: 100}         so many bytes a second
      {redirect: 307}     a redirect status, with `to` as its target
      {gzip: 1000000}     compressed; with a number, so many zeros
      {garbage: text}     text, list, nan, duplicate, surrogate, deep or endless
      reset, html, empty  no answer; a page; an answer without a body

    With `made: true` a create or an upload is done before that. On a download also:

    \b
      {wrong_range: 1}    begins so many bytes late
      {lie: 10}           a length that is so many bytes too high
      truncated, expired, changed, ignore_range, no_length, endless, no_etag

    On a task, when it is made:

    \b
      {fail: CODE}        it fails; with message, and `bare: true` for a bare text
      {latency: 3}        seconds until it ends
      {missing: 5}        seconds for which its id is not known
      {flap: [WORD]}      the status words of its first polls
      {word: WORD}        the status word while it runs
      {spell: WORD}       the status word of success
      {urls: 3}           so many videos
      {credits: 90}       so many final credits
      {reserve: 90}       so many reserved credits
      refused, channel_down, never, hiccup, sync, no_url, duplicate

    A wrong file is refused, with what may stand there.
    """
    anyio.run(_serve, port, faults, catalogue.catalog_for(Path()))


async def _serve(port: int, faults: Path | None, catalog: Catalog) -> None:
    from orchestrator.sandbox.server import serve

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def end_at_a_signal() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(end_at_a_signal)
            await serve(_announce, port=port, faults=faults, catalog=catalog)


def _announce(urls: Mapping[str, str]) -> None:
    from orchestrator.providers.registry import provider

    write_text(json.dumps(dict(urls)) + "\n")
    tell("The sandbox is serving; Ctrl-C ends it. To send a run here, in another shell:")
    for name, url in urls.items():
        settings = provider(name).settings
        tell(f"  export {settings.base_url_variable}={url} {settings.key_variable}=sandbox")
    tell(f"  orchestrator run MANIFEST {shlex.join(['--yes', *catalogue.typed()])}")
