"""The campaign: one run from the plan to the last video, across all accounts.

Each account has three stages, submit, watch and collect; jobs wander through them, and the run is
over when no job is open any more, or when a signal says so.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestrator.engine.arrange import is_in_the_way, misnamed, rename_files
from orchestrator.engine.recovery import Recovery
from orchestrator.engine.stages import open_stages
from orchestrator.engine.tally import Reason, Tally
from orchestrator.errors import StorageError
from orchestrator.jobs import State
from orchestrator.ledger.store import Admission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.engine.account import Account
    from orchestrator.engine.collect import Store
    from orchestrator.engine.run import Run
    from orchestrator.engine.stages import Access
    from orchestrator.ledger.store import Row
    from orchestrator.plan.plan import Plan


class Campaign:
    """One run of a plan. `signalled` may be called from a signal handler's task, at any time."""

    def __init__(
        self, run: Run, plan: Plan, store: Store, accesses: Sequence[Access], grace: float
    ) -> None:
        self._run = run
        self._plan = plan
        self._store = store
        self._stages = {
            access.provider.name: open_stages(run, store, access) for access in accesses
        }
        self._grace = grace
        self._signals = 0
        self._stop = anyio.Event()

    @property
    def tally(self) -> Tally:
        """Counts as they stand now."""
        return self._run.tally

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts of this run."""
        return tuple(stages.account for stages in self._stages.values())

    async def run(self) -> Tally:
        """Run to the end: every job stored or settled, or the run stopped and saved."""
        async with self._run.tasks as tasks:
            await self._resume()
            for stages in self._stages.values():
                tasks.start_soon(stages.submitter.run)
                tasks.start_soon(stages.watcher.run)
            await self._end()
            tasks.cancel_scope.cancel()
        self._keep_bounds()
        self._sum_up()
        return self._run.tally

    def _keep_bounds(self) -> None:
        """Remember what the accounts took, for later runs."""
        with suppress(StorageError):
            for account in self.accounts:
                found = account.bounds.document(self._run.clock.wall())
                if found:
                    self._run.ledger.remember(f"bounds.{account.provider.name}", json.dumps(found))

    def _sum_up(self) -> None:
        """Say what the exit code rests on: selected jobs, and all that needs a decision."""
        tally, ledger = self._run.tally, self._run.ledger
        if tally.counts[State.FAILED] or tally.counts[State.QUARANTINED]:
            selected = {entry.job.spec.identity for entry in self._plan.entries if entry.selected}
            for row in ledger.rows(current=True):
                if row.state in (State.FAILED, State.QUARANTINED):
                    tally.in_trouble |= row.identity in selected
                    tally.given_up += row.is_given_up
        tally.undecided = any(row.state is State.UNKNOWN for row in ledger.undecided())

    def signalled(self, exit_code: int) -> None:
        """A signal came: the first stops creates and saves, the second cuts everything."""
        self._signals += 1
        if self._signals == 1:
            self._run.tally.signal_code = exit_code
            self._run.stop(Reason.STOPPED, "stopped by a signal")
            self._stop.set()
        else:
            self._run.tally.is_cut = True
            self._run.tasks.cancel_scope.cancel()

    async def _end(self) -> None:
        """Wait until nothing is open; after a signal, for creates on the wire and the grace."""
        async with anyio.create_task_group() as either:

            async def finished() -> None:
                await self._run.idle()
                either.cancel_scope.cancel()

            either.start_soon(finished)
            await self._stop.wait()
            await self._run.wire_is_clear()
            with anyio.move_on_after(self._grace):
                await self._run.idle()
            either.cancel_scope.cancel()

    def _admit(self) -> Sequence[int]:
        """Make the manifest's jobs the ledger's current rows, and count where all rows stand."""
        admissions = [
            Admission(entry.job, entry.row.row if entry.row else None)
            for entry in self._plan.entries
        ]
        numbers = self._run.ledger.admit(admissions)
        self._run.tally.counts.update(self._run.ledger.counts())
        return numbers

    async def _resume(self) -> None:
        """Take up every row where it stands: what is paid first, then what is to be created."""
        numbers = self._admit()
        await rename_files(self._run, self._store, self._out_of_place())
        recovery = Recovery(self._run, self._store, self._stages)
        await recovery.take_up(self._plan.entries, numbers)

    def _out_of_place(self) -> list[Row]:
        """The manifest's rows whose files have names of others; those others are noted."""
        keys = frozenset(entry.job.key for entry in self._plan.entries)
        found = []
        for row in self._run.ledger.begun():
            if is_in_the_way(row, keys):
                self._run.former[row.key] = row
            elif row.position is not None and misnamed(row):
                found.append(row)
        return found
