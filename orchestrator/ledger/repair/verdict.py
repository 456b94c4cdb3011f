"""What becomes of a job in a ledger that is made again: decided so that nothing is paid twice.

What is known for certain stays as it is. A task that is known is looked at again, which is free.
Where a create may have been sent and nothing tells what came of it, the job is `unknown`, and a
person decides. The same goes for a job of which nothing tells that it was sent: the part of the
ledger that did may be what was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger.repair.salvage import Evidence, merged
from orchestrator.ledger.store import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.ledger.repair.salvage import Trace
    from orchestrator.ledger.store import StoredFile

#: The kind of event that a job begins with in a ledger which was made again.
REBUILT = "rebuilt"

#: What `unknown` jobs say of themselves, for `resolve` to show.
_UNTOLD = {
    "error_code": "ledger_rebuilt",
    "error_message": "the ledger was damaged, and what is left does not tell whether this was sent",
}

#: States of a paid task that need not be asked for once more.
_SETTLED = frozenset({State.GENERATED, State.QUARANTINED})

#: What went wrong with a job of such a state, where nothing says more.
_CLASSES = {State.FAILED: "failed", State.QUARANTINED: "invalid_media"}

#: The columns that hold when something happened to an attempt, the latest first.
_MOMENTS = ("stored_at", "generated_at", "submitted_at", "last_sent_at", "first_sent_at")

#: The task that a kept reply of a provider names; None where it names none.
TaskIn = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be known of a job beside its traces."""

    provider: str
    #: What one attempt is expected to cost; None is unknown.
    estimate: float | None
    #: Its files, as far as any source names some.
    files: tuple[StoredFile, ...]
    task_in: TaskIn
    #: The log names every create (see `recall.ended_in_order`).
    log_is_whole: bool
    #: Seconds since the epoch.
    now: float


def attempts_of(trace: Trace, facts: Facts) -> tuple[Evidence, ...]:
    """The job's attempts as the ledger is to have them; none where it was provably never sent.

    That takes two witnesses: its own row in the ledger, and a log that is whole.
    """
    last = max(trace.evidence, default=0)
    never_sent = trace.state is State.PLANNED and facts.log_is_whole
    if last == 0 and never_sent:
        return ()
    told = [
        merged(trace.evidence.get(number, [Evidence(State.UNKNOWN, {})]))
        for number in range(1, max(last, 1) + 1)
    ]
    attempts = [_former(evidence) for evidence in told[:-1]]
    attempts.append(_latest(told[-1], facts, never_sent=never_sent))
    return tuple(_completed(evidence, facts) for evidence in attempts)


def history(
    row: int, attempts: Sequence[Evidence], files: Sequence[StoredFile], now: float
) -> list[tuple[float, Event]]:
    """The events that lead a new row to these attempts, each with its time."""
    events = []
    for number, one in enumerate(attempts, 1):
        began = one.fields.get("first_sent_at") or now
        ended = max([one.fields.get(name) or began for name in _MOMENTS])
        again = number > 1
        opening = Event(row, REBUILT, State.SUBMITTING, new_attempt=again, fields=one.fields)
        events.append((began, opening))
        if one.state is State.STORED:
            generated = one.fields.get("generated_at") or ended
            events.append((generated, Event(row, REBUILT, State.GENERATED)))
            events.append((ended, Event(row, REBUILT, State.STORED, files=files)))
        else:
            events.append((ended, Event(row, REBUILT, one.state)))
    return events


def unsent(row: int, estimate: float | None, now: float) -> list[tuple[float, Event]]:
    """The events for a job of the manifest that nothing tells anything of."""
    fields = {**_UNTOLD, "estimated": estimate, "charge": estimate, "first_sent_at": now}
    return history(row, [Evidence(State.UNKNOWN, fields)], (), now)


def _former(evidence: Evidence) -> Evidence:
    """An attempt that another one followed, which only a failure or a person allows."""
    state = State.FAILED if evidence.state is State.FAILED else State.UNKNOWN
    return Evidence(state, evidence.fields)


def _latest(evidence: Evidence, facts: Facts, *, never_sent: bool) -> Evidence:
    state, fields = evidence.state, dict(evidence.fields)
    is_known = (
        (state is State.STORED and facts.files)
        or state is State.FAILED
        or (state is State.PLANNED and never_sent)
        or (state in _SETTLED and fields.get("task_id"))
    )
    if is_known:
        return evidence
    if fields.get("task_id") is None and fields.get("reply") is not None:
        fields["task_id"] = facts.task_in(facts.provider, fields["reply"])
    if fields.get("task_id"):
        return Evidence(State.SUBMITTED, fields)
    if state is State.PLANNED:
        # What was given back cost nothing; what may have been sent since then did.
        fields.pop("charge", None)
    return Evidence(State.UNKNOWN, {**_UNTOLD, **fields})


def _completed(evidence: Evidence, facts: Facts) -> Evidence:
    """The attempt with what it counts for: where that is not known, as much as it may have cost."""
    state, fields = evidence.state, dict(evidence.fields)
    fields.setdefault("estimated", facts.estimate)
    fields.setdefault("error_class", _CLASSES.get(state))
    if fields.get("charge") is None:
        fields["charge"] = _charge(state, fields)
    if state is not State.FAILED and fields.get("first_sent_at") is None:
        times = [fields[name] for name in reversed(_MOMENTS) if fields.get(name)]
        fields["first_sent_at"] = min(times, default=facts.now)
    return Evidence(state, {name: value for name, value in fields.items() if value is not None})


def _charge(state: State, fields: Mapping[str, Any]) -> float | None:
    if state is State.PLANNED or fields.get("error_class") == "rejected":
        return 0.0
    amounts = (fields.get(name) for name in ("final", "reserved", "estimated"))
    charge: float | None = next((amount for amount in amounts if amount is not None), None)
    return charge
