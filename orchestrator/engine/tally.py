"""What a run has come to, counted as it goes: for progress, for the end, for the exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.jobs import State


class Reason(StrEnum):
    """Why a run ends before every selected job is stored."""

    #: The ledger or the disk failed.
    STORAGE = "storage"
    CREDENTIALS = "credentials"
    #: The manifest's budget, `--max-credits` or the provider's balance.
    BUDGET = "budget"
    #: Creates ended for an account or a model, or tasks and downloads were left for the next run.
    UNFINISHED = "unfinished"
    #: A refusal with `on_refusal: stop`, or a signal.
    STOPPED = "stopped"


#: Exit codes by reason, the most important first; unknown and failed jobs come after them.
_CODES = (
    (Reason.STORAGE, 7),
    (Reason.CREDENTIALS, 6),
    (Reason.BUDGET, 5),
)

#: States of jobs that are paid for, or may be, and not yet on disk.
PENDING = (State.SUBMITTING, State.SUBMITTED, State.GENERATED)


@dataclass(slots=True)
class Tally:
    """Counts of the manifest's jobs by state, and what else a person wants to know."""

    counts: Counter[State] = field(default_factory=Counter)
    reasons: dict[Reason, list[str]] = field(default_factory=dict)
    #: Answers to creates that the ledger could not take: each is told in full at the end.
    rescued: list[str] = field(default_factory=list)
    #: Creates that are on the wire now.
    on_the_wire: int = 0
    #: Videos that are being downloaded now.
    downloading: int = 0
    #: Jobs this run brought to disk, and their bytes.
    stored_now: int = 0
    bytes_now: int = 0
    #: Creates that this run sent, resends included.
    sent: int = 0
    #: Exit code of the signal that stopped the run: 130 or 143.
    signal_code: int | None = None
    #: A second signal ended the run at once.
    is_cut: bool = False
    #: At the end: some selected job failed or is quarantined.
    in_trouble: bool = False
    #: At the end: failed jobs that a person gave up; another attempt is not proposed for them.
    given_up: int = 0
    #: At the end: some create of unknown outcome waits for a person, also of a former job.
    undecided: bool = False
    _told: set[tuple[Reason, str]] = field(default_factory=set)

    def move(self, old: State, new: State) -> None:
        """A job of the manifest went from one state to another."""
        self.counts[old] -= 1
        self.counts[new] += 1

    def because(self, reason: Reason, text: str) -> None:
        """Remember why something was left undone, each text once."""
        if (reason, text) not in self._told:
            self._told.add((reason, text))
            self.reasons.setdefault(reason, []).append(text)

    def exit_code(self) -> int:
        """Where several apply: 7, then a signal's, then 6, 5, 4, 3, 1."""
        if Reason.STORAGE in self.reasons:
            return 7
        if self.signal_code is not None:
            return self.signal_code
        for reason, code in _CODES:
            if reason in self.reasons:
                return code
        if self.undecided:
            return 4
        if self.reasons or any(self.counts[state] for state in PENDING):
            return 3
        return 1 if self.in_trouble else 0
