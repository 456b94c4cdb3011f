"""Runs that are cut off, and what the next one finds."""

from __future__ import annotations

import os
import signal

import anyio

from tests.whole.conftest import until


def jobs(number: int, model: str = "hailuo-pro") -> str:
    lines = (f"- {{id: j{n}, model: {model}, prompt: p{n}}}\n" for n in range(number))
    return "jobs:\n" + "".join(lines)


async def test_a_killed_run_goes_on_and_pays_for_nothing_twice(world):
    async with world(pace=0.2) as here:
        here.write(
            jobs(12) + jobs(6, "minimax-t2v").replace("jobs:\n", "").replace("id: j", "id: m")
        )
        command = here.start("run", "manifest.yaml", "--yes")
        await until(lambda: len(here.sandbox.tasks.all()) >= 5)
        os.kill(command.pid, signal.SIGKILL)
        await here.finish(command)
        done = await here.run()
        unknown = sum(row["state"] == "unknown" for row in here.results())
        assert done.code == (4 if unknown else 0), done.err
        assert len(here.sandbox.tasks.all()) <= 18
        stored = {row["task_id"] for row in here.results() if row["state"] == "stored"}
        assert len(stored) == 18 - unknown


async def test_the_first_signal_saves_and_the_second_ends_within_a_second(world):
    async with world(pace=20) as here:
        here.write(jobs(5))
        command = here.start("run", "manifest.yaml", "--yes", "--grace", "60")
        await until(lambda: len(here.sandbox.tasks.all()) == 5)
        command.send_signal(signal.SIGTERM)
        await anyio.sleep(0.3)
        assert command.poll() is None, "the first signal gives polls their grace"
        began = anyio.current_time()
        command.send_signal(signal.SIGTERM)
        done = await here.finish(command)
        assert done.code == 143
        assert anyio.current_time() - began < 1.0
        assert (here.run_folder / "results.jsonl").exists()


async def test_a_hangup_stops_a_run_that_can_go_on(world):
    async with world(pace=0.5) as here:
        here.write(jobs(5))
        command = here.start("run", "manifest.yaml", "--yes", "--grace", "0")
        await until(lambda: len(here.sandbox.tasks.all()) == 5)
        command.send_signal(signal.SIGHUP)
        done = await here.finish(command)
        assert done.code == 129
        assert "orchestrator run" in done.err
        assert (await here.run()).code == 0
        assert here.sent("create") == 5


async def test_a_second_run_on_the_same_ledger_is_refused_and_names_the_holder(world):
    async with world(pace=5) as here:
        here.write(jobs(1))
        command = here.start("run", "manifest.yaml", "--yes")
        await until(lambda: len(here.sandbox.tasks.all()) == 1)
        second = await here.run()
        assert second.code == 7
        assert str(command.pid) in second.err
        assert (await here.call("status", "manifest.yaml", "--json")).json["counts"][
            "submitted"
        ] == 1


async def test_without_a_network_a_run_waits_and_sends_once_it_is_there(world):
    async with world() as here:
        here.write(jobs(2))
        base = here.environment["RIVYA_BASE_URL"]
        here.environment["RIVYA_BASE_URL"] = "http://127.0.0.1:9/rivya"
        command = here.start("run", "manifest.yaml", "--yes", "--grace", "0")
        await until((here.run_folder / "run.log").exists)
        await until(lambda: "trouble" in (here.run_folder / "run.log").read_text())
        command.send_signal(signal.SIGINT)
        assert (await here.finish(command)).code == 130
        here.environment["RIVYA_BASE_URL"] = base
        assert (await here.run()).code == 0
        assert here.sent("create") == 2
