"""Disks that fail and ledgers that are damaged, as a user meets them."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.engine.wire.evidence import kept_reply
from orchestrator.ledger import rescue
from orchestrator.ledger.repair.rebuild import rebuild
from orchestrator.ledger.store import Admission
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan
from orchestrator.providers.base import Accepted
from orchestrator.providers.registry import provider
from tests.whole.conftest import until

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ledger.repair.rebuild import Rebuilt
    from tests.whole.conftest import World

#: Bytes that any file may have where the room for emergencies still fits and the ledger does not.
LITTLE_ROOM = 300_000


def jobs(keyed: int, keyless: int, words: str = "") -> str:
    """Jobs at a provider that honours keys and at one that does not."""
    lines = [f"- {{id: k{n}, model: hailuo-pro, prompt: p{n}{words}}}\n" for n in range(keyed)]
    lines += [f"- {{id: n{n}, model: minimax-t2v, prompt: p{n}{words}}}\n" for n in range(keyless)]
    return "jobs:\n" + "".join(lines)


def limited(size: int) -> dict:
    """Options of a process that may make no file longer than that."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


async def rebuilt(here: World) -> Rebuilt:
    """The run's ledger made again, for the manifest as it is now."""
    manifest = load(here.folder / "manifest.yaml", shipped())

    def arrange(rows):
        entries = make_plan(manifest, shipped(), rows).entries
        return [Admission(entry.job, entry.row.row if entry.row else None) for entry in entries]

    def task_in(name: str, reply: str) -> str | None:
        outcome = provider(name).read_create(kept_reply(reply))
        return outcome.task_id if isinstance(outcome, Accepted) else None

    return await rebuild(here.run_folder, campaign="whole", arrange=arrange, task_in=task_in)


def paid(here: World) -> list[str]:
    """The prompt of every task that was paid for, by provider: what the provider itself knows."""
    return sorted(f"{task.provider} {task.request}" for task in here.sandbox.tasks.all())


def states(here: World) -> dict[str, str]:
    return {row["key"]: row["state"] for row in here.results()}


def damage(path: Path, first: int, pages: int) -> None:
    with path.open("r+b") as file:
        file.seek(first * 4096)
        file.write(os.urandom(pages * 4096))


# --- no room -------------------------------------------------------------------------------------


async def test_a_disk_too_full_for_an_emergency_sends_nothing(world):
    async with world() as here:
        here.write(jobs(2, 0))
        command = here.start("run", "manifest.yaml", "--yes", **limited(100_000))
        done = await here.finish(command)
        assert done.code == 7, done.err
        assert "Make room" in done.err
        assert here.sent("create") == 0
        assert (await here.run()).code == 0
        assert here.sent("create") == 2


async def test_a_ledger_that_finds_the_disk_full_stops_and_goes_on_when_there_is_room(world):
    async with world() as here:
        here.write(jobs(60, 30, " of a cup" * 20))
        few = ("--in-flight", "4")
        command = here.start("run", "manifest.yaml", "--yes", *few, **limited(LITTLE_ROOM))
        done = await here.finish(command)
        assert done.code == 7, done.err
        assert "the ledger cannot be written" in done.err
        assert 0 < len(paid(here)) < 90
        told = (here.run_folder / "run.log").read_text().count("not_in_the_ledger")
        kept = rescue.read(here.run_folder)
        assert len(kept) == told
        assert {answer.task_id for answer in kept} <= {task.id for task in here.sandbox.tasks.all()}
        assert all(answer.task_id in done.err for answer in kept)
        with closing(sqlite3.connect(here.run_folder / "ledger.db")) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        done = await here.run()
        assert done.code == 0, done.err
        assert len(paid(here)) == len(set(paid(here))) == 90, "nothing is paid for twice"
        assert set(states(here).values()) == {"stored"}, "every answer was kept"


# --- a ledger that is damaged --------------------------------------------------------------------


async def test_a_damaged_ledger_is_refused_kept_made_again_and_gone_on_with(world):
    async with world() as here:
        here.write(jobs(6, 3))
        done = await here.run("--limit", "8")
        assert done.code == 0, done.err
        ledger = here.run_folder / "ledger.db"
        damage(ledger, 4, 3)
        before = ledger.read_bytes()
        for _ in range(2):
            done = await here.run()
            assert done.code == 7
            assert "orchestrator rebuild" in done.err
        assert here.sent("create") == 8
        made = await rebuilt(here)
        assert made.kept.read_bytes() == before
        assert sorted(path.name for path in here.run_folder.glob("ledger.db*")) == [
            "ledger.db",
            made.kept.name,
        ]
        done = await here.run()
        assert done.code in (0, 4), done.err
        found = states(here)
        assert sum(state == "stored" for state in found.values()) >= 8
        assert len(paid(here)) <= 9
        assert (await here.call("verify", "manifest.yaml")).code == 0


@pytest.mark.parametrize("how", ["overwritten", "removed"])
async def test_of_a_ledger_that_is_lost_nothing_is_paid_for_again(world, how):
    async with world() as here:
        here.write(jobs(4, 2))
        assert (await here.run("--limit", "5")).code == 0
        ledger = here.run_folder / "ledger.db"
        if how == "removed":
            ledger.unlink()
        else:
            ledger.write_bytes(os.urandom(50_000))
        done = await here.run()
        assert done.code == 7, done.err
        assert "orchestrator rebuild" in done.err
        made = await rebuilt(here)
        assert made.unplaced == {}
        done = await here.run()
        assert done.code == 4, done.err
        assert here.sent("create") == 5
        assert sorted(states(here).values()) == ["stored"] * 5 + ["unknown"]
        done = await here.call("resolve", "manifest.yaml", "n1", "--resubmit")
        assert done.code == 0, done.err
        assert (await here.run()).code == 0
        assert here.sent("create") == 6


@pytest.mark.parametrize("log", [True, False], ids=["with its log", "without its log"])
async def test_a_run_that_was_killed_and_whose_ledger_is_damaged_pays_for_nothing_twice(world, log):
    async with world(pace=0.5) as here:
        here.write(jobs(12, 6))
        command = here.start("run", "manifest.yaml", "--yes", "--in-flight", "4")
        await until((here.run_folder / "run.log").exists)
        await until(lambda: (here.run_folder / "run.log").read_text().count('"accepted"') >= 8)
        os.kill(command.pid, signal.SIGKILL)
        await here.finish(command)
        before = paid(here)
        damage(here.run_folder / "ledger.db", 0, 2)
        (here.run_folder / "ledger.db-wal").unlink()
        if not log:
            (here.run_folder / "run.log").unlink()
        assert (await here.run()).code == 7
        made = await rebuilt(here)
        done = await here.run()
        assert done.code == 4, done.err
        assert paid(here) == before, "every create waits for a person"
        found = states(here)
        assert len(found) == 18
        assert set(found.values()) <= {"stored", "unknown"}
        known = {row["task_id"] for row in here.results()} | set(made.unplaced)
        lost = {task.id for task in here.sandbox.tasks.all()} - known
        unsure = sum(state == "unknown" for state in found.values())
        assert len(lost) <= unsure, "each task that nobody knows has a job that is listed"
        assert not (log and lost), "the log names every task that was answered"
