"""What must hold after a death and at the end, by the provider's own table."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import State
from orchestrator.ledger.fold import fold
from orchestrator.ledger.sqlite.reading import read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.sqlite.ledger import SqliteLedger
    from orchestrator.ledger.store import Row
    from tests.kill.campaign import Case
    from tests.kill.lanes import Ended
    from tests.kill.provider import PaidTask, Provider

#: All that a run folder may hold at the end, beside a video and its sidecar for each stored job.
KNOWN_FILES = re.compile(
    r"ledger\.db(-wal|-shm)?|run\.lock|run\.log|results\.(jsonl|csv)|report\.html"
)
#: Kinds of findings, in the order in which they are counted.
KINDS = (
    "lost", "double", "repeat", "unlisted", "file", "ledger", "leftover", "results", "budget",
    "exit", "seam",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that must not be; `what` is one of `KINDS`."""

    what: str
    text: str


@dataclass
class Judge:
    """Judges one campaign."""

    case: Case
    name: str
    #: Where the manifest is, with what the processes said.
    folder: Path
    run_folder: Path
    provider: Provider
    #: The number of the provider's last task before this campaign.
    before: int

    @cached_property
    def _keys(self) -> dict[str, str]:
        """Job by prompt."""
        return {job.prompt(self.name): job.id for job in self.case.jobs}

    def tasks(self) -> list[PaidTask]:
        """What the provider was paid for so far."""
        return self.provider.tasks(self.name, self.before)

    def _by_job(self) -> dict[str, list[PaidTask]]:
        """What the provider was paid for, by job."""
        found: dict[str, list[PaidTask]] = {job.id: [] for job in self.case.jobs}
        for task in self.tasks():
            found[self._keys[task.prompt]].append(task)
        return found

    # --- after a death ----------------------------------------------------------------------

    def after_a_death(self) -> Iterator[Finding]:
        """What stands under a final name is whole, at every moment."""
        if (self.run_folder / "videos").exists():
            tasks = self._by_job()
            for path in (self.run_folder / "videos").glob("*.mp4"):
                served = {task.sha256 for task in tasks.get(path.stem, ())}
                if _sha256(path) not in served:
                    yield Finding("file", f"after a death {path.name} is not what was served")
            for path in (self.run_folder / "videos").glob("[!.]*.json"):
                yield from _parsed(path, json.loads)
        yield from _parsed(self.run_folder / "results.jsonl", _lines)

    # --- at the end -------------------------------------------------------------------------

    def at_the_end(self, ended: Ended, status: Mapping[str, Any]) -> Iterator[Finding]:
        """Everything else, once a run was left alone."""
        tasks = self._by_job()
        if not (self.run_folder / "ledger.db").exists():
            yield Finding("ledger", f"there is no ledger, and the last run ended with {ended}")
            return
        with read_ledger(self.run_folder) as ledger:
            rows = {row.key: row for row in ledger.rows()}
            listed = {item["key"] for item in status.get("needs_decision", ())}
            yield from self._exit(ended, rows)
            yield from self._money(tasks, rows, listed, ledger)
            yield from self._budget(tasks, ledger)
            yield from self._ledger(rows, ledger)
        yield from self._files(tasks, rows)
        yield from self._results(rows)

    def _exit(self, ended: Ended, rows: Mapping[str, Row]) -> Iterator[Finding]:
        unknown = any(row.state is State.UNKNOWN for row in rows.values())
        if ended.code != (5 if self.case.unaffordable else 4 if unknown else 0):
            said = (self.folder / "err").read_text("utf-8", "replace")[-600:]
            yield Finding("exit", f"the last run ended with {ended}: {said}")

    def _money(
        self,
        tasks: Mapping[str, list[PaidTask]],
        rows: Mapping[str, Row],
        listed: set[str],
        ledger: SqliteLedger,
    ) -> Iterator[Finding]:
        if rows.keys() != tasks.keys():
            yield Finding("ledger", f"the ledger has the jobs {sorted(rows)}")
            return
        for key, row in rows.items():
            known = {attempt.task_id for attempt in ledger.attempts(row.row)} - {None}
            made = {task.id for task in tasks[key]}
            is_open = row.state is State.UNKNOWN and self.case.kind == "acedatacloud"
            if made - known and not is_open:
                yield Finding("lost", f"{key}: {made - known} is not in the ledger ({row.state})")
            if known - made:
                yield Finding("ledger", f"{key}: nobody made {known - made}")
            if len(made) > 1:
                what = "double" if self.case.kind == "rivya" else "repeat"
                yield Finding(what, f"{key}: paid {len(made)} times in {row.attempt}")
            if (row.state is State.UNKNOWN) != (key in listed):
                yield Finding("unlisted", f"{key} is {row.state}, and listed are {listed}")
            if not is_open and row.state is not self._end(key):
                yield Finding("lost", f"{key} ends {row.state}")
        yield from self._testimony(rows)

    def _end(self, key: str) -> State:
        """The state that a job has to reach: the budget covers all but the last ones."""
        jobs = [job.id for job in self.case.jobs]
        affordable = jobs[: len(jobs) - self.case.unaffordable]
        return State.STORED if key in affordable else State.PLANNED

    def _testimony(self, rows: Mapping[str, Row]) -> Iterator[Finding]:
        """A reply that was durable, or was acted on, leaves no doubt about its task."""
        witness = self.folder / "witness"
        said = set(witness.read_text().split()) if witness.exists() else set()
        for row in rows.values():
            if str(row.row) in said and row.state is State.UNKNOWN:
                yield Finding("lost", f"{row.key} is unknown, though its reply was there")

    def _budget(
        self, tasks: Mapping[str, list[PaidTask]], ledger: SqliteLedger
    ) -> Iterator[Finding]:
        paid = sum(task.credits for made in tasks.values() for task in made)
        known = sum(spend.charge for spend in ledger.spend().values())
        if max(paid, known) > self.case.budget:
            text = f"{paid} paid, {known} in the ledger, and the cap is {self.case.budget}"
            yield Finding("budget", text)

    def _ledger(self, rows: Mapping[str, Row], ledger: SqliteLedger) -> Iterator[Finding]:
        path = self.run_folder / "ledger.db"
        with closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchall()
        if answer != [("ok",)]:
            yield Finding("ledger", f"integrity_check: {answer}")
        folded = fold(logged.event for logged in ledger.events())
        for row in rows.values():
            found = folded.get(row.row)
            if found is not None and (row.state, row.attempt) != (found.state, found.attempts[-1]):
                yield Finding("ledger", f"{row.key}: the events say {found}, the row says {row}")
        ended: set[int] = set()
        for logged in ledger.events():
            if logged.event.row in ended and logged.event.state is not None:
                yield Finding("ledger", f"a final state changed: {logged}")
            if logged.event.state in (State.STORED, State.FAILED):
                ended.add(logged.event.row)

    def _files(
        self, tasks: Mapping[str, list[PaidTask]], rows: Mapping[str, Row]
    ) -> Iterator[Finding]:
        expected = set()
        for key, row in rows.items():
            served = {task.id: task.sha256 for task in tasks[key]}
            if row.state is State.STORED and len(row.files) != 1:
                yield Finding("file", f"{key} has {len(row.files)} files")
            for file in row.files:
                path = self.run_folder / file.path
                found = _sha256(path) if path.exists() else None
                if not found == file.sha256 == served.get(row.attempt.task_id):
                    yield Finding("file", f"{file.path} is not what the ledger says or was served")
                expected |= {file.path, file.path.removesuffix(".mp4") + ".json"}
                yield from self._sidecar(path.with_suffix(".json"), row)
        present = {
            str(path.relative_to(self.run_folder))
            for path in self.run_folder.rglob("*")
            if not path.is_dir()
        }
        left = {path for path in present - expected if not KNOWN_FILES.fullmatch(path)}
        if left:
            yield Finding("leftover", f"left behind: {sorted(left)}")

    def _sidecar(self, path: Path, row: Row) -> Iterator[Finding]:
        if not path.exists():
            yield Finding("file", f"{path.name} is missing")
            return
        document = json.loads(path.read_text("utf-8"))
        if (document["task_id"], document["file"]["sha256"]) != (
            row.attempt.task_id,
            row.files[0].sha256,
        ):
            yield Finding("file", f"{path.name} tells of another video")

    def _results(self, rows: Mapping[str, Row]) -> Iterator[Finding]:
        missing = {"results.jsonl", "results.csv"} - {
            path.name for path in self.run_folder.iterdir()
        }
        if missing:
            yield Finding("results", f"there is no {missing}")
            return
        found = _lines((self.run_folder / "results.jsonl").read_text("utf-8"))
        in_results = Counter(
            (
                item["key"], item["state"], item["task_id"],
                *((file["path"], file["sha256"]) for file in item["files"]),
            )
            for item in found
        )  # fmt: skip
        in_ledger = Counter(
            (
                row.key, row.state.value, row.attempt.task_id if row.attempt else None,
                *((file.path, file.sha256) for file in row.files),
            )
            for row in rows.values()
        )  # fmt: skip
        if in_results != in_ledger:
            yield Finding("results", f"results.jsonl says {in_results}, the ledger {in_ledger}")
        with (self.run_folder / "results.csv").open(encoding="utf-8", newline="") as file:
            table = [(line["key"], line["state"]) for line in csv.DictReader(file)]
        if table != [(item["key"], item["state"]) for item in found]:
            yield Finding("results", f"results.csv says {table}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _parsed(path: Path, read: Any) -> Iterator[Finding]:
    if path.exists():
        try:
            read(path.read_text("utf-8"))
        except ValueError as error:
            yield Finding("results", f"after a death {path.name} is torn: {error}")
