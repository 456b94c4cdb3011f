"""Whole runs under seeded faults and crashes, against the world's own table of paid tasks.

A seed decides everything: the jobs, the faults, where the process dies. After each run, and at the
end of each story, the invariants are checked against the oracle.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import dataclass

import anyio
import pytest

from orchestrator.jobs import State
from orchestrator.manifest.model import Budget as Caps
from tests.engine.campaigns import Simulation, manifest, spec
from tests.engine.virtual import Crash
from tests.engine.world import Faults, World

#: `make soak` sets more.
SEEDS = int(os.environ.get("ORCHESTRATOR_SEEDS", "200"))
#: Seeds of one test, so that a failure names its neighbourhood and the tests can run apart.
CHUNK = 25
#: Runs in which the process may die; after them the world is kind.
CRASHING_RUNS = 4


@dataclass
class DyingLedger:
    """Dies before or after the commit of a chosen event: what a kill -9 leaves behind."""

    ledger: object
    countdown: int
    after: bool
    dead: bool = False

    def __getattr__(self, name):
        return getattr(self.ledger, name)

    def record(self, *events):
        if self.dead:
            raise Crash
        self.countdown -= 1
        if self.countdown > 0:
            return self.ledger.record(*events)
        self.dead = True
        if self.after:
            self.ledger.record(*events)
        raise Crash


def faults_of(dice: random.Random) -> Faults:
    def some(most: float) -> float:
        return dice.choice([0.0, 0.0, dice.uniform(0, most)])

    faults = Faults(
        not_sent=some(0.3),
        lost_before=some(0.2),
        lost_after=some(0.2),
        server_error_before=some(0.2),
        server_error_after=some(0.2),
        throttled=some(0.3),
        rejected=some(0.3),
        refused=some(0.1),
        poll_trouble=some(0.3),
        task_fails=some(0.3),
        download_trouble=some(0.5),
        download_expired=some(0.3),
        download_invalid=some(0.1),
        drift=dice.choice([None, None, 60.0]),
    )
    if dice.random() < 0.2:
        faults.outage = (dice.uniform(0, 300), dice.uniform(300, 2000))
    if dice.random() < 0.2:
        faults.storm = (dice.uniform(0, 300), dice.uniform(300, 2000))
    return faults


def tell(seed: int) -> Simulation:
    """One story: a few runs that die or are stopped, then one in a kind world."""
    dice = random.Random(seed)
    world = World(seed=seed, faults=faults_of(dice))
    simulation = Simulation(world)
    jobs = [
        spec(n, dice.choice(["rivya", "acedatacloud"]), retries=dice.choice([0, 0, 2]))
        for n in range(dice.randrange(1, 30))
    ]
    caps = {
        "rivya": dice.choice([None, 57.0 * dice.randrange(1, 30)]),
        "acedatacloud": dice.choice([None, float(dice.randrange(1, 30))]),
    }
    drift = max(0.0, (world.faults.drift or 57.0) - 57.0) * len(jobs)
    most = {name: cap + drift for name, cap in caps.items() if cap is not None}
    in_flight, rate = dice.choice([1, 3, 10]), dice.choice([6, 60, 600])
    what = manifest(
        jobs,
        caps=Caps({name: cap for name, cap in caps.items() if cap is not None}),
        prices={"acedatacloud": 1.0},
        in_flight=in_flight,
        creates_per_minute=rate,
        probe_after=30.0,
    )
    loses = losing(world.faults)
    ledger = simulation.ledger
    for _ in range(dice.randrange(CRASHING_RUNS)):
        events = dice.randrange(1, dice.choice([40, 200]))
        simulation.ledger = DyingLedger(ledger, events, dice.random() < 0.5)
        die(simulation, what, dice)
        simulation.ledger = ledger
        simulation.now += dice.choice([0.0, 0.0, 5.0, 1000.0, 5000.0])
        check(simulation, most)
    world.faults = Faults()
    simulation.run(what)
    simulation.run(what)
    check(simulation, most)
    check_end(simulation, capped=bool(most))
    check_rates(simulation, rate)
    if not loses:
        assert all(most <= in_flight for most in world.most_open.values()), "a slot was freed early"
    return simulation


def losing(faults: Faults) -> bool:
    """Whether tasks may be made that nobody hears of: they run without a slot after a while."""
    return bool(faults.lost_after or faults.server_error_after)


def die(simulation: Simulation, what, dice: random.Random) -> None:
    """A run that dies at an event, or is stopped by signals, or comes to its end."""

    async def interrupt(campaign):
        await anyio.sleep(dice.uniform(0, 600))
        campaign.signalled(130)
        await anyio.sleep(dice.uniform(0, 20))
        campaign.signalled(130)

    try:
        simulation.run(what, beside=interrupt if dice.random() < 0.5 else None)
    except BaseExceptionGroup as group:
        crashes, others = group.split(Crash)
        if others is not None:
            raise others from None
        assert crashes is not None


def check(simulation: Simulation, most: dict[str, float]) -> None:
    """The invariants that hold at every moment at which the process can be dead."""
    world, ledger = simulation.world, simulation.ledger
    rows = list(ledger.rows())
    attempts = {row.row: ledger.attempts(row.row) for row in rows}
    known = {
        attempt.task_id: row
        for row in rows
        for attempt in attempts[row.row]
        if attempt.task_id is not None
    }
    keys = {attempt.idempotency_key: row for row in rows for attempt in attempts[row.row]}
    repeated = Counter(task.key for task in world.tasks.values() if task.key is not None)
    assert set(repeated.values()) <= {1}, "a key was used again after the provider forgot it"
    bodies = Counter(task.body for task in world.tasks.values() if task.provider == "acedatacloud")
    for task in world.tasks.values():
        if task.provider == "rivya":
            assert task.key in keys, "a paid task whose key the ledger has never seen"
            assert task.id in known or keys[task.key].state in OPEN, f"{task.id} is lost"
        else:
            prompt = json.loads(task.body)["prompt"]
            (holder,) = [row for row in rows if row.job["prompt"] == prompt]
            assert task.id in known or holder.state in OPEN, f"{task.id} is lost"
    for row in rows:
        if row.provider == "acedatacloud":
            body = attempts[row.row][0].body if attempts[row.row] else None
            assert bodies[body] <= len(attempts[row.row]), "a create without a key was repeated"
        if row.state is State.STORED:
            assert row.files, "a stored job without a file"
            assert all(file.path in world.files for file in row.files)
        assert len(attempts[row.row]) <= row.job["retries"] + 1, "more attempts than were allowed"
        if row.state is State.FAILED:
            assert row.attempt.error_code in FAILURES, "the provider said nothing of a failure"
    spend = ledger.spend()
    for name, cap in most.items():
        paid = [task for task in world.tasks.values() if task.provider == name and task.cost]
        cost = len(paid) if name == "acedatacloud" else sum(task.cost for task in paid)
        assert cost <= cap, "more was spent than the cap"
        assert name not in spend or spend[name].charge <= cap, "more is counted than the cap"


#: The only words of failure that the world knows.
FAILURES = {"validation_failed", "forbidden", "generation_failed", "api_error"}


#: States in which a paid task may still be without its id in the ledger.
OPEN = (State.SUBMITTING, State.UNKNOWN)


def check_rates(simulation: Simulation, rate: int) -> None:
    """The create rate holds in every window, over all runs, where the creates arrive."""
    for provider in ("rivya", "acedatacloud"):
        times = sorted(simulation.creates(provider))
        for index, at in enumerate(times[rate:]):
            assert at - times[index] >= 60.0, "more creates in a minute than the limit"


def check_end(simulation: Simulation, *, capped: bool) -> None:
    """In a kind world everything ends: nothing is left half done."""
    states = set(simulation.states().values())
    ends = {State.STORED, State.FAILED, State.UNKNOWN, State.QUARANTINED}
    assert states <= (ends | {State.PLANNED} if capped else ends), states
    paid = {task.id for task in simulation.world.tasks.values() if task.outcome == "succeeded"}
    collected = {
        row.attempt.task_id
        for row in simulation.ledger.rows()
        if row.attempt and row.state in (State.STORED, State.QUARANTINED)
    }
    unknown = sum(row.state is State.UNKNOWN for row in simulation.ledger.rows())
    assert len(paid - collected) <= unknown, "a paid video was neither collected nor listed"


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_story_loses_or_repeats_a_paid_task(first):
    for seed in range(first, min(first + CHUNK, SEEDS)):
        try:
            tell(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
