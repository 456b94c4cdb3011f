"""One campaign that dies: run and killed, run again, and judged after every death.

The sequence is always the same: `run` with a kill armed, as often as the case has kills; `run`
unarmed; then, for some, `status` and a last `run`, which may send nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.tables import shipped
from orchestrator.errors import OrchestratorError
from tests.kill.verdict import Finding, Judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kill.lanes import Ended, Lane
    from tests.kill.provider import Provider

#: The kinds of provider: one honours an idempotency key, one has none.
KEYED, KEYLESS = "rivya", "acedatacloud"
MODELS = {KEYED: "hailuo-pro", KEYLESS: "minimax-t2v"}
CAMPAIGN = "kill"
KILLED = -9

MANIFEST = """\
version: 1
campaign: {campaign}
budget: {{credits: {{{kind}: {budget}}}, jobs: {number}}}
prices: {{{kind}: {price}}}
limits:
  {kind}: {{in_flight: {in_flight}, creates_per_minute: 60000, polls_per_second: 1000,
    poll_after: 0s, poll_every: 20ms, probe_after: 1s}}
jobs:
"""


@dataclass(frozen=True)
class Job:
    """One job: how long its task takes, in seconds, and how much longer its video is."""

    id: str
    latency: float
    padding: int

    def prompt(self, case: str) -> str:
        return f"{case} {self.id} bytes={self.padding} after={self.latency} end"


@dataclass(frozen=True)
class Kill:
    """One death: at a moment of the program, or after so many seconds."""

    moment: str | None = None
    occurrence: int = 1
    after: float | None = None
    #: The run may end before.
    may_miss: bool = False


@dataclass(frozen=True)
class Case:
    """One campaign and its deaths."""

    kind: str
    jobs: tuple[Job, ...]
    kills: tuple[Kill, ...]
    in_flight: int
    #: Jobs, at the manifest's end, that its budget does not cover.
    unaffordable: int
    #: Whether `status` and a further run, which may send nothing, come after the end.
    goes_on: bool

    @property
    def budget(self) -> float:
        """Credits that fit the jobs that are affordable, and not one create more."""
        return price(self.kind) * (len(self.jobs) - self.unaffordable)


@dataclass
class Outcome:
    """What one campaign came to."""

    kills: int = 0
    tasks: int = 0
    listed: int = 0
    findings: list[Finding] = field(default_factory=list)


def price(kind: str) -> float:
    """Credits of one job: the provider's, or 1 where it tells none."""
    return shipped().models[f"{kind}/{MODELS[kind]}"].price or 1.0


def manifest(case: Case, name: str) -> str:
    """The campaign's manifest."""
    head = MANIFEST.format(
        campaign=CAMPAIGN,
        kind=case.kind,
        price=price(case.kind),
        budget=case.budget,
        number=len(case.jobs),
        in_flight=case.in_flight,
    )
    lines = (
        f"- {{id: {job.id}, model: {MODELS[case.kind]}, prompt: '{job.prompt(name)}'}}\n"
        for job in case.jobs
    )
    return head + "".join(lines)


def play(case: Case, name: str, lane: Lane, provider: Provider, folder: Path) -> Outcome:
    """Run a campaign from death to death to its end. Its folder stays where anything was found."""
    here = folder / name
    here.mkdir(parents=True)
    (here / "manifest.yaml").write_text(manifest(case, name), encoding="utf-8")
    outcome = Outcome()
    try:
        for finding in _live_and_die(case, outcome, Process(here, lane, provider), name):
            outcome.findings.append(finding)
    except (OrchestratorError, sqlite3.Error, OSError, LookupError, ValueError) as error:
        outcome.findings.append(Finding("ledger", f"it cannot be judged: {error!r}"))
    if not outcome.findings:
        shutil.rmtree(here)
    return outcome


@dataclass(frozen=True)
class Process:
    """Starts the program in one folder."""

    folder: Path
    lane: Lane
    provider: Provider

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs" / CAMPAIGN

    def __call__(self, *arguments: str, **order: Any) -> Ended:
        return self.lane.run(
            arguments=arguments,
            environment=self._environment(),
            folder=str(self.folder),
            run=str(self.run_folder),
            witness=str(self.folder / "witness"),
            out=str(self.folder / "out"),
            err=str(self.folder / "err"),
            **order,
        )

    def document(self) -> dict[str, Any]:
        """The JSON document that the last process printed; empty where it printed none."""
        found: dict[str, Any] = json.loads((self.folder / "out").read_text("utf-8") or "{}")
        return found

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "RIVYA_API_KEY": "rvya_sk_canary",
            "RIVYA_BASE_URL": self.provider.urls[KEYED],
            "ACEDATACLOUD_API_TOKEN": "ace_canary",
            "ACEDATACLOUD_API_BASE_URL": self.provider.urls[KEYLESS],
            "ORCHESTRATOR_TRACEBACK": "1",
        }


def _live_and_die(case: Case, outcome: Outcome, start: Process, name: str) -> Iterator[Finding]:
    run = ("run", "manifest.yaml", "--yes", "--progress", "none")
    provider = start.provider
    judge = Judge(case, name, start.folder, start.run_folder, provider, provider.latest())
    for kill in case.kills:
        ended = start(*run, point=kill.moment, occurrence=kill.occurrence, kill_after=kill.after)
        outcome.kills += ended.code == KILLED
        if ended.overdue or (ended.code != KILLED and not kill.may_miss):
            yield Finding("seam", f"{kill} never came: the run ended with {ended}")
        elif ended.code not in (KILLED, 0, 4, 5):
            yield Finding("exit", f"a run that was not killed ended with {ended}")
        yield from judge.after_a_death()
    ended = start(*run, "--json")
    document = start.document()
    yield from judge.at_the_end(ended, document)
    tasks = judge.tasks()
    outcome.tasks, outcome.listed = len(tasks), len(document.get("needs_decision", ()))
    if case.goes_on:
        status = start("status", "manifest.yaml", "--json")
        if status.code or start.document() != document:
            yield Finding("exit", f"status ended with {status} and says something else")
        again = start(*run)
        more = Counter(judge.tasks()) - Counter(tasks)
        if again.code != ended.code or more:
            yield Finding("repeat", f"a further run ended with {again} and paid for {more}")
