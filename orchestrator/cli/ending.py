"""What came of a run, in a few lines at its end: the verdict, why, and what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from orchestrator.cli.progress import others
from orchestrator.engine.tally import Reason
from orchestrator.jobs import State
from orchestrator.providers.replies import clean
from orchestrator.report.figures import counted, size, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.engine.tally import Tally

#: How many jobs one reason names.
MOST_TEXTS = 5

#: What to do about each reason for which a run ends early.
_NEXT_STEPS = {
    Reason.STORAGE: "Mend that, then run the same command again: what is paid for is fetched.",
    Reason.CREDENTIALS: "Check the keys (`orchestrator doctor`), then run the same command again.",
    Reason.BUDGET: "Raise the budget or top up the balance, then run the same command again.",
    Reason.UNFINISHED: "Run the same command again: it goes on there and pays for nothing twice.",
    Reason.STOPPED: "Run the same command again: it resumes and pays for nothing twice.",
}


def final_lines(
    tally: Tally, folder: Path, elapsed: float, *, has_report: bool = True
) -> list[str]:
    """The end of a run in a few lines: the verdict, why, what to do next, where the results lie."""
    lines = [_verdict(tally, elapsed)]
    lines += [f"  {clean(text)}" for text in tally.rescued]
    for reason, texts in tally.reasons.items():
        lines += [f"  {clean(text)}" for text in texts[:MOST_TEXTS]]
        if len(texts) > MOST_TEXTS:
            lines.append(f"  and {len(texts) - MOST_TEXTS:,} more: the report lists every job")
        lines.append(f"    {_NEXT_STEPS[reason]}")
    lines += _left_over(tally, folder)
    lines.append(f"Videos and results: {_shown(folder)}")
    if has_report:
        lines.append(f"Report: {_shown(folder / 'report.html')}")
    return lines


def _verdict(tally: Tally, elapsed: float) -> str:
    total = sum(tally.counts.values())
    parts = [f"{tally.counts[State.STORED]:,} of {counted(total, 'video')} stored"]
    parts += [f"{count:,} {state}" for state, count in others(tally.counts)]
    if tally.stored_now:
        parts.append(f"{size(tally.bytes_now)} brought to disk now")
    return f"{', '.join(parts)}, in {span(elapsed)}."


def _left_over(tally: Tally, folder: Path) -> Iterator[str]:
    """The next step for each kind of job that did not work out."""
    unknown, quarantined = tally.counts[State.UNKNOWN], tally.counts[State.QUARANTINED]
    failed = tally.counts[State.FAILED] - tally.given_up
    if unknown:
        wait = "waits" if unknown == 1 else "wait"
        yield f"{counted(unknown, 'job')} may or may not have been paid for and {wait} for you:"
        yield f"    orchestrator resolve {_shown(folder)}"
    if failed:
        yield f"{counted(failed, 'job')} failed; the report says why. For new attempts, which cost:"
        yield "    the same command with --select state:failed"
    if tally.given_up:
        was = "was" if tally.given_up == 1 else "were"
        yield f"{counted(tally.given_up, 'job')} {was} given up with `resolve --abandon`."
    if quarantined:
        yield f"{counted(quarantined, 'video')} did not verify. To look again, at no cost:"
        yield "    the same command"


def _shown(path: Path) -> str:
    """A path ready to be pasted into a shell, without what a terminal would act on."""
    return "".join(char if char.isprintable() else "\ufffd" for char in shlex.quote(str(path)))
