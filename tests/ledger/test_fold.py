"""The ledger's tables against two witnesses: the fold over its events, and a model of its own."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.errors import LedgerError
from orchestrator.jobs import State
from orchestrator.ledger.fold import Folded, fold
from orchestrator.ledger.store import Admission, Event, StoredFile
from tests.ledger.material import finish, inline, make_job

#: From state to state within an attempt, and by a new attempt, written out once more by hand.
ALLOWED = {
    "planned": "submitting",
    "submitting": "planned submitted generated failed unknown quarantined",
    "submitted": "generated failed quarantined",
    "generated": "stored quarantined failed",
    "quarantined": "stored generated failed",
    "unknown": "submitted generated failed",
    "stored": "",
    "failed": "",
}
FRESH = {"planned", "failed", "unknown"}

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "charge": st.none() | st.floats(0, 100),
        "estimated": st.floats(0, 100),
        "error_class": st.sampled_from([None, "failed", "rejected", "abandoned"]),
        "body": st.binary(max_size=5),
        "urls": st.lists(st.text(max_size=3), max_size=2).map(tuple),
        "error_message": st.text(max_size=5),
        "looks": st.integers(0, 3),
    },
)
FILES = st.none() | st.lists(
    st.builds(
        StoredFile,
        path=st.text(max_size=5),
        bytes=st.integers(0, 2**40),
        sha256=st.just("0" * 64),
        duration_s=st.none() | st.floats(0, 60),
    ),
    max_size=2,
)


@dataclass
class Modelled:
    """A row as the model knows it."""

    key: str
    position: int | None
    state: str = "planned"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    files: tuple[StoredFile, ...] = ()


class LedgerMachine(RuleBasedStateMachine):
    """Random admissions, events and restarts on a real file."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "0"
        self.ledger = inline(self.folder)
        self.model: dict[int, Modelled] = {}
        self.events = 0
        #: By row and attempt: the task that the provider named, and the state that was final.
        self.tasks: dict[tuple[int, int], str] = {}
        self.final: dict[tuple[int, int], str] = {}

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.root)

    @rule(names=st.lists(st.sampled_from("abcdef"), unique=True), prefix=st.sampled_from("xy"))
    def admit(self, names: list[str], prefix: str) -> None:
        """A manifest with jobs of these contents, all named anew by the prefix."""
        by_content = {row.key[1:]: number for number, row in self.model.items()}
        jobs = [make_job(f"{prefix}{name}", content=name) for name in names]
        takeovers = [by_content.get(name) for name in names]
        rows = self.ledger.admit(
            [Admission(job, row) for job, row in zip(jobs, takeovers, strict=True)]
        )
        for row in self.model.values():
            row.position = None
        for position, (number, job) in enumerate(zip(rows, jobs, strict=True)):
            known = self.model.get(number)
            if known is None:
                self.model[number] = Modelled(job.key, position)
                continue
            self.events += known.key != job.key
            known.key, known.position = job.key, position
        self.model = {
            number: row
            for number, row in self.model.items()
            if row.position is not None or row.attempts
        }

    @precondition(lambda self: self.model)
    @rule(
        data=st.data(),
        state=st.none() | st.sampled_from(State),
        new_attempt=st.booleans(),
        fields=FIELDS,
        files=FILES,
    )
    def record(
        self,
        data: st.DataObject,
        state: State | None,
        new_attempt: bool,
        fields: dict[str, Any],
        files: list[StoredFile] | None,
    ) -> None:
        """Any event on any row, legal or not."""
        number = data.draw(st.sampled_from(sorted(self.model)))
        self.attempt_to_record(Event(number, "event", state, new_attempt, fields, files))

    @precondition(lambda self: self.model)
    @rule(data=st.data(), fields=FIELDS)
    def advance(self, data: st.DataObject, fields: dict[str, Any]) -> None:
        """A legal step, as random ones seldom are."""
        number = data.draw(st.sampled_from(sorted(self.model)))
        row = self.model[number]
        new_attempt = row.state in FRESH and data.draw(st.booleans())
        following = "submitting" if new_attempt else data.draw(
            st.sampled_from(ALLOWED[row.state].split() or [None])
        )  # fmt: skip
        state = None if following is None else State(following)
        if state is State.SUBMITTED:
            fields = {**fields, "task_id": f"task-{number}-{len(row.attempts)}"}
        self.attempt_to_record(Event(number, "event", state, new_attempt, fields))

    @precondition(lambda self: any(row.attempts for row in self.model.values()))
    @rule(data=st.data())
    def name_another_task(self, data: st.DataObject) -> None:
        """A second task for an attempt that has one is refused."""
        numbers = sorted(number for number, row in self.model.items() if row.attempts)
        number = data.draw(st.sampled_from(numbers))
        self.attempt_to_record(Event(number, "event", fields={"task_id": "another"}))

    def attempt_to_record(self, event: Event) -> None:
        row = self.model[event.row]
        if not self.is_legal(row, event) or self.renames_task(row, event):
            with pytest.raises(LedgerError):
                finish(self.ledger.record(event))
            return
        finish(self.ledger.record(event))
        self.events += 1
        if event.new_attempt or (event.state is State.SUBMITTING and not row.attempts):
            row.attempts.append({"number": len(row.attempts) + 1})
        if event.fields:
            row.attempts[-1].update(event.fields)
        row.state = event.state.value if event.state else row.state
        row.files = row.files if event.files is None else tuple(event.files)
        attempt = event.row, len(row.attempts)
        if "task_id" in event.fields:
            self.tasks[attempt] = event.fields["task_id"]
        if event.state is not None and not ALLOWED[event.state.value]:
            self.final[attempt] = event.state.value

    @staticmethod
    def renames_task(row: Modelled, event: Event) -> bool:
        known = row.attempts[-1].get("task_id") if row.attempts and not event.new_attempt else None
        return known is not None and event.fields.get("task_id", known) != known

    @staticmethod
    def is_legal(row: Modelled, event: Event) -> bool:
        if event.new_attempt:
            return event.state in ("submitting", "failed") and row.state in FRESH
        if event.state is not None and event.state.value not in ALLOWED[row.state].split():
            return False
        has_attempt = bool(row.attempts) or event.state == "submitting"
        return has_attempt or not (event.fields or event.files)

    @rule()
    def restart(self) -> None:
        """Close the file and open it again."""
        self.ledger.close()
        self.ledger = inline(self.folder)

    @rule()
    def crash(self) -> None:
        """Go on with the files as a killed process leaves them: with the log, and not closed."""
        left = self.root / str(len(list(self.root.iterdir())))
        left.mkdir()
        for path in self.folder.glob("ledger.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, left)
        self.ledger.close()
        self.folder = left
        self.ledger = inline(self.folder)

    @invariant()
    def what_the_money_hangs_on_never_changes(self) -> None:
        """Task ids are kept, final states stay, and no attempt begins where none may."""
        found = {
            (row, number): (task_id, state)
            for row, number, task_id, state in self.ledger.fetch(
                "SELECT row, number, task_id, state FROM attempts"
            )
        }
        attempts = {
            (number, attempt["number"])
            for number, row in self.model.items()
            for attempt in row.attempts
        }
        assert found.keys() == attempts
        for attempt, task in self.tasks.items():
            assert found[attempt][0] == task
        for attempt, state in self.final.items():
            assert found[attempt][1] == state

    @invariant()
    def tables_equal_the_model(self) -> None:
        """Rows, attempts and files are what the model says, current ones first and in order."""
        found = list(self.ledger.rows())
        ordered = sorted(
            self.model,
            key=lambda number: (
                self.model[number].position is None,
                self.model[number].position or 0,
                number,
            ),
        )
        assert [row.row for row in found] == ordered
        for row in found:
            known = self.model[row.row]
            assert (row.key, row.position, row.state) == (known.key, known.position, known.state)
            assert row.files == known.files
            attempts = self.ledger.attempts(row.row)
            assert len(attempts) == len(known.attempts)
            for attempt, fields in zip(attempts, known.attempts, strict=True):
                assert {name: getattr(attempt, name) for name in fields} == fields

    @invariant()
    def tables_equal_the_fold_over_the_events(self) -> None:
        """What the events come to is what the tables say."""
        logged = list(self.ledger.events())
        assert len(logged) == self.events
        folded = fold(entry.event for entry in logged)
        for row in self.ledger.rows():
            expected = folded.get(row.row, Folded())
            assert row.state == expected.state
            assert row.files == expected.files
            assert row.needs_decision == expected.needs_decision
            assert tuple(self.ledger.attempts(row.row)) == expected.attempts

    @invariant()
    def spend_counts_every_attempt_once(self) -> None:
        """Charges add up, and only attempts that may have cost something are unpriced."""
        attempts = [attempt for row in self.model.values() for attempt in row.attempts]
        sent = [attempt for attempt in attempts if attempt.get("first_sent_at") is not None]
        assert self.ledger.attempts_made() == len(sent)
        spend = self.ledger.spend().get("rivya")
        assert (spend is None) == (not attempts)
        if spend is not None:
            charges = [attempt.get("charge") for attempt in attempts]
            assert spend.charge == pytest.approx(sum(charge or 0 for charge in charges))
            assert spend.unpriced <= charges.count(None)


LedgerMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedger = LedgerMachine.TestCase


def test_the_fold_refuses_what_the_ledger_refuses() -> None:
    with pytest.raises(LedgerError, match="from planned to stored"):
        fold([Event(1, "stored", State.STORED)])
    with pytest.raises(LedgerError, match="no attempt"):
        fold([Event(1, "drift", fields={"charge": 1.0})])
