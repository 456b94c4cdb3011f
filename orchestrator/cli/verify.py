"""`orchestrator verify`: every stored video against the hash that the ledger has of it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.cli.options import Target
    from orchestrator.ledger.store import StoredFile

#: Seconds between two lines of progress, off a terminal and on one.
_PLAIN_EVERY = 30.0
_LIVE_EVERY = 0.25


@click.command("verify")
@options.run_argument
def verify(run: Path, run_dir: Path | None, sandbox: bool) -> None:
    r"""Hash every stored video again.

    \b
    Examples:
      orchestrator verify manifest.yaml
      orchestrator verify runs/spring-launch

    RUN is a manifest or a run folder. Prints each video that is missing or is not what was
    stored, and each that lacks the file that says where it came from; exits 1 where there is one.

    To mend a video, delete it or move it away, and run the manifest again: what its jobs
    lack is fetched again and not paid again, as long as the provider still has it. A sidecar
    that is missing is written again from the ledger, without asking the provider.
    """
    from orchestrator.cli.output import say, tell
    from orchestrator.ledger.sqlite.reading import read_ledger
    from orchestrator.report.figures import counted, size

    target = options.find_run(run, run_dir=run_dir, sandbox=sandbox)
    with read_ledger(target.folder) as ledger:
        files = [file for row in ledger.rows() for file in row.files]
    progress = _Progress(len(files))
    findings = 0
    try:
        for finding in _findings(target.folder, files, progress):
            progress.clear()
            say(finding)
            findings += 1
    finally:
        progress.clear()
    total = f"{counted(len(files), 'video')}, {size(progress.bytes)}"
    if findings:
        tell(f"{total}: {counted(findings, 'finding')}.")
        _tell_how_to_mend(target)
    else:
        tell(f"{total}: all as they were stored.")
    raise SystemExit(1 if findings else 0)


def _tell_how_to_mend(target: Target) -> None:
    from orchestrator.cli.output import near, tell

    tell(f"To mend a video, delete it or move it out of {near(target.folder)}. Then run again:")
    tell(f"  orchestrator run {target.typed if target.manifest else 'MANIFEST'}")
    tell("What the manifest's jobs lack is fetched again and not paid again, as long as the")
    tell("provider still has it.")


def _findings(folder: Path, files: Sequence[StoredFile], progress: _Progress) -> Iterator[str]:
    """What is wrong with each video, as lines that begin with its path."""
    for file in files:
        yield from (f"{file.path}: {finding}" for finding in check_file(folder, file))
        progress.hashed(file.bytes)


def check_file(folder: Path, file: StoredFile) -> Iterator[str]:
    """What is wrong with one stored video, and with its sidecar where the video is there.

    Raises DiskError where the disk does not let them be seen.
    """
    from orchestrator.storage.paths import regular_size, relative

    path = folder / relative(file.path)
    length = regular_size(path)
    if length is None and not os.path.lexists(path):
        yield "missing"
        return
    if length is None:
        yield "not a regular file"
    elif length != file.bytes:
        yield f"changed: {length:,} bytes, stored were {file.bytes:,}"
    elif (finding := _content(path, file)) is not None:
        yield finding
    elif regular_size(path.with_suffix(".json")) is None:
        yield "its sidecar (.json) is missing; the video is whole, and a run writes it again"


def _content(path: Path, file: StoredFile) -> str | None:
    from orchestrator.storage.paths import hash_file

    try:
        digest = hash_file(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if digest == file.sha256 else "changed: its SHA-256 is not that of what was stored"


@dataclass(slots=True)
class _Progress:
    """How far the hashing is, on stderr."""

    total: int
    done: int = 0
    bytes: int = 0
    _live: bool = field(init=False)
    _latest: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        from orchestrator.cli.output import shows_colour

        self._live = shows_colour(sys.stderr)

    def hashed(self, count: int) -> None:
        """One more video of so many bytes is done."""
        from orchestrator.report.figures import size

        self.done += 1
        self.bytes += count
        now = time.monotonic()
        if now - self._latest >= (_LIVE_EVERY if self._live else _PLAIN_EVERY):
            self._latest = now
            line = f"{self.done:,} of {self.total:,} videos hashed, {size(self.bytes)}"
            click.echo(f"\r{line}\x1b[K" if self._live else line, err=True, nl=not self._live)

    def clear(self) -> None:
        """Take the live line away, so that a finding has a line of its own."""
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
