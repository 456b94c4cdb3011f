"""The morning report: one HTML file in the run folder that needs nothing but its videos."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from orchestrator.errors import DiskError
from orchestrator.ledger.store import Credits
from orchestrator.plan.cost import amount
from orchestrator.report.facts import JobFacts, gather, job_facts
from orchestrator.report.figures import counted, span
from orchestrator.report.troubles import troubles
from orchestrator.storage.paths import sync_folder, write_new

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.sqlite.reading import ReadableLedger
    from orchestrator.ledger.store import Spend
    from orchestrator.report.facts import Facts
    from orchestrator.report.troubles import Trouble

#: The report's name in the run folder, and what it is called while it is being written.
REPORT_FILE = "report.html"
_DRAFT = ".report.html.part"

_TEMPLATE = "report.html.j2"

#: Up to so many videos the page shows their first frames, which reads a little of each file.
FRAMES_MOST = 48

#: Rows whose credits are asked for at once.
_TOGETHER = 500


def write_report(ledger: ReadableLedger, folder: Path, *, now: datetime | None = None) -> Path:
    """Write a run folder's report, whole or not at all, and return its path.

    `now` is the time that the page says it was written at. Raises DiskError.
    """
    page = render(*read(ledger, folder), written_at=now or datetime.now(UTC))
    path, draft = folder / REPORT_FILE, folder / _DRAFT
    try:
        write_new(draft, page.encode("utf-8", "replace"))
        os.replace(draft, path)  # noqa: PTH105 - the name reads as what it does
        sync_folder(folder)
    except OSError as error:
        raise DiskError(
            f"the report {path} cannot be written: {error.strerror}. Make room, or mend the"
            " permissions, and run `orchestrator report` again."
        ) from error
    return path


def read(ledger: ReadableLedger, folder: Path) -> tuple[Facts, tuple[Trouble, ...]]:
    """What the report of a run folder says, read from its ledger."""
    jobs = list(_jobs(ledger))
    spend = ledger.spend()
    facts = gather(ledger.campaign, jobs, spend, _first_create(ledger, spend))
    return facts, troubles(jobs, folder)


def _jobs(ledger: ReadableLedger) -> Iterator[JobFacts]:
    rows, took = iter(ledger.rows()), ledger.took()
    while some := list(islice(rows, _TOGETHER)):
        spent = ledger.credits([row.row for row in some])
        for row in some:
            yield job_facts(row, spent.get(row.row, Credits()), took.get(row.row))


def _first_create(ledger: ReadableLedger, spend: Mapping[str, Spend]) -> float | None:
    """When the first create left, in seconds since the epoch."""
    firsts = [sent[0] for provider in spend if (sent := ledger.creates(provider, 0.0))]
    return min(firsts, default=None)


def render(facts: Facts, found: tuple[Trouble, ...], *, written_at: datetime) -> str:
    """The page. Everything that comes from outside is escaped by the template engine."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": _amount, "counted": counted, "span": _span}
    return environment.get_template(_TEMPLATE).render(
        facts=facts,
        frames_most=FRAMES_MOST,
        troubles=found,
        written_at=written_at.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC"),
    )


def _amount(credits_: float | None) -> str:
    """An amount of credits; None is said, never shown as 0."""
    return "unknown" if credits_ is None else amount(credits_)


def _span(seconds: float | None) -> str:
    """A duration, or a dash where nothing was measured."""
    return "–" if seconds is None else span(seconds)  # noqa: RUF001 - a dash in a table
