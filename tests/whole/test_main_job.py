"""Manifest to plan to run to videos to ledger, as a user sees it."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from pathlib import Path

from tests.whole.conftest import until

MANIFESTS = Path(__file__).parents[2] / "manifests"

TWO_JOBS = """
jobs:
- {id: a, model: hailuo-pro, prompt: one}
- {id: b, model: minimax-t2v, prompt: two}
"""
TROUBLE = """
- {on: create, nth: 1, do: {status: 500}}
- {on: poll, times: 2, do: reset}
"""


async def test_all_six_models_make_videos_and_the_ledger_says_so(world):
    async with world(pace=0.05) as here:
        shutil.copytree(MANIFESTS, here.folder / "manifests")
        manifest = "manifests/quickstart.yaml"
        done = await here.call("run", manifest, "--yes", "--run-dir", "out")
        assert done.code == 0, done.err
        assert done.out == ""
        lines = (here.folder / "out/results.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert {row["model"] for row in rows} == {
            "hailuo-pro", "happyhorse-1-0", "sora-2-pro",
            "minimax-t2v", "minimax-i2v", "minimax-i2v-director",
        }  # fmt: skip
        for row in rows:
            assert row["state"] == "stored"
            for file in row["files"]:
                content = (here.folder / "out" / file["path"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert (here.folder / "out/results.csv").read_text().count("\n") > len(rows)
        assert "stored" in (here.folder / "out/report.html").read_text()


async def test_plan_shows_exactly_the_bodies_that_run_sends(world):
    async with world() as here:
        shutil.copytree(MANIFESTS, here.folder / "manifests")
        manifest = "manifests/quickstart.yaml"
        plan = await here.call("plan", manifest, "--json", "--requests")
        planned = [request["body"] for request in plan.json["requests"]]
        assert here.sent("create") == 0
        assert (await here.call("run", manifest, "--yes")).code == 0
        sent = [_as_planned(body) for body in here.bodies()]
        assert sorted(map(json.dumps, map(_sorted, sent))) == sorted(
            json.dumps(_sorted(_without_urls(body))) for body in planned
        )


def _as_planned(body: dict) -> dict:
    """A sent body without what only an upload brings."""
    for item in body.get("params", {}).get("referenceMediaItems", ()):
        item.pop("durationToken", None)
        item.pop("durationSeconds", None)
    return _without_urls(body)


def _without_urls(body: dict) -> dict:
    for item in body.get("params", {}).get("referenceMediaItems", ()):
        item.pop("url")
    return body


def _sorted(value):
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


async def test_a_second_run_sends_no_create_and_an_edit_sends_one(world):
    async with world() as here:
        here.write(TWO_JOBS)
        assert (await here.run()).code == 0
        assert (await here.run()).code == 0
        assert here.sent("create") == 2
        here.write(TWO_JOBS.replace("one", "ONE"))
        assert (await here.run()).code == 0
        assert here.sent("create") == 3
        videos = here.run_folder / "videos"
        assert len(list((videos / "superseded").glob("a.*.mp4"))) == 1
        assert (videos / "a.mp4").exists()
        assert len(here.results()) == 3


async def test_rewriting_a_manifest_pays_for_nothing_twice(world):
    async with world() as here:
        (here.folder / "rows.csv").write_text("id,thing\nx,cup\ny,lamp\n")
        jobs = """
defaults: {model: hailuo-pro}
jobs:
- {id: teaser, prompt: a teaser}
- id: grid
  prompt: "{{thing}} in {{style}}"
  matrix: {thing: [cup, lamp], style: [noir, pastel]}
- {id: rows, prompt: "a {{thing}}", rows: rows.csv}
"""
        here.write(jobs)
        assert (await here.run()).code == 0
        assert here.sent("create") == 7
        (here.folder / "rows.csv").write_text("id,thing\nnew,vase\ny,lamp\nx,cup\n")
        here.write("""
defaults: {model: hailuo-pro}
jobs:
- {id: rows, prompt: "a {{thing}}", rows: rows.csv}
- id: grid
  prompt: "{{thing}} in {{style}}"
  matrix: {style: [pastel, noir], thing: [lamp, cup]}
- {id: renamed, prompt: a teaser, takes: 2}
""")
        assert (await here.run()).code == 0
        assert here.sent("create") == 7 + 1 + 1, "the new row and the second take"
        videos = here.run_folder / "videos"
        assert (videos / "grid/noir-cup.mp4").exists()
        assert not (videos / "grid/cup-noir.mp4").exists()
        assert (videos / "renamed/1.mp4").exists()
        assert (await here.call("verify", "manifest.yaml")).code == 0


async def test_a_removed_video_is_fetched_again_without_paying(world):
    async with world() as here:
        here.write("jobs:\n- {id: a, model: sora-2-pro, prompt: one}\n")
        await here.run()
        video = here.run_folder / "videos/a.mp4"
        before = video.read_bytes()
        video.unlink()
        assert (await here.call("verify", "manifest.yaml")).code == 1
        assert (await here.run()).code == 0
        assert video.read_bytes() == before
        assert here.sent("create") == 1


def documents(folder):
    return {path: json.loads(path.read_text()) for path in folder.rglob("*.json")}


async def test_a_sidecar_that_is_gone_is_written_again_and_nobody_is_asked(world):
    async with world() as here:
        here.write(
            "jobs:\n- {id: a, model: sora-2-pro, prompt: one, tags: [hero]}\n"
            "- {id: b, model: minimax-t2v, prompt: two}\n"
        )
        await here.run()
        here.write("jobs:\n- {id: a, model: sora-2-pro, prompt: uno}\n")
        await here.run()
        folder = here.run_folder / "videos"
        before = documents(folder)
        assert len(before) == 3, "of b, and of a before and after it was edited"
        asked = len(here.sandbox.requests)
        for path in before:
            path.unlink()
        assert (await here.call("verify", "manifest.yaml")).out.count("is missing") == 3
        assert (await here.run()).code == 0
        # What was moved is told of where it is now.
        edited = next(path for path in before if path.parent.name == "superseded")
        before[edited]["file"]["path"] = f"videos/superseded/{edited.stem}.mp4"
        assert documents(folder) == before
        assert len(here.sandbox.requests) == asked
        assert (await here.call("verify", "manifest.yaml")).code == 0


async def test_a_damaged_video_is_set_aside_and_the_good_one_has_its_name_again(world):
    async with world() as here:
        here.write("jobs:\n- {id: a, model: sora-2-pro, prompt: one}\n")
        await here.run()
        video = here.run_folder / "videos/a.mp4"
        before = video.read_bytes()
        video.write_bytes(before[:1000])
        assert (await here.run()).code == 0
        assert video.read_bytes() == before
        assert not (here.run_folder / "videos/a.2.mp4").exists()
        assert (await here.call("verify", "manifest.yaml")).code == 0


async def test_a_reference_of_many_jobs_is_uploaded_once_also_over_two_runs(world):
    async with world() as here:
        shutil.copy(MANIFESTS / "media/bottle.png", here.folder / "bottle.png")
        shutil.copy(MANIFESTS / "media/bottle.png", here.folder / "twin.png")
        many = "jobs:\n" + "".join(
            f"- {{id: j{n}, model: hailuo-pro, prompt: p{n}, references: [{name}]}}\n"
            for n, name in enumerate(["bottle.png", "twin.png"] * 5)
        )
        here.write(many)
        assert (await here.run()).code == 0
        assert here.sent("upload") == 1
        here.write(many + "- {id: more, model: hailuo-pro, prompt: more, references: [twin.png]}\n")
        assert (await here.run()).code == 0
        assert here.sent("upload") == 1


async def test_a_saved_plan_is_applied_and_refused_when_anything_changed(world):
    async with world() as here:
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n")
        assert (await here.call("plan", "manifest.yaml", "--save", "plan.json")).code == 0
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: two}\n")
        refused = await here.call("run", "--plan", "plan.json", "--yes")
        assert refused.code == 2
        assert "1 changed (a)" in refused.err
        assert here.sent("create") == 0
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n")
        assert (await here.call("run", "--plan", "plan.json", "--yes")).code == 0
        assert here.sent("create") == 1


async def test_spending_needs_a_word_off_a_terminal(world):
    async with world() as here:
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n")
        done = await here.call("run", "manifest.yaml")
        assert done.code == 2
        assert "57 credits at rivya" in done.err
        assert here.sent("create") == 0
        assert not here.run_folder.exists()


async def test_a_synchronous_answer_of_acedatacloud_is_taken_as_it_comes(world):
    async with world("faults:\n- {on: task, provider: acedatacloud, do: sync}\n") as here:
        here.write("jobs:\n- {id: a, model: minimax-t2v, prompt: one}\n")
        done = await here.run()
        assert done.code == 0, done.err
        assert here.sent("poll") == 0


async def test_secrets_are_nowhere_in_what_is_written(world):
    async with world(TROUBLE) as here:
        here.write(TWO_JOBS)
        done = await here.run("--json")
        written = [path.read_bytes() for path in here.run_folder.rglob("*") if path.is_file()]
        for content in (*written, done.out.encode(), done.err.encode()):
            assert b"canary" not in content
            assert b"Signature=" not in content


async def test_jobs_of_unknown_price_are_named_before_the_first_create(world):
    async with world() as here:
        here.write(TWO_JOBS + "budget: {credits: {acedatacloud: 10}}\n")
        done = await here.run()
        assert done.code == 5
        assert "acedatacloud: b stay planned: their price is not known" in done.err.splitlines()[0]
        assert here.sent("create") == 1


async def test_the_command_that_goes_on_creates_no_more_than_the_call_did(world):
    async with world(pace=50) as here:
        here.write(TWO_JOBS)
        command = here.start(
            "run", "manifest.yaml", "--select", "id:a", "--max-credits", "rivya=60", "--grace", "0"
        )
        await until(lambda: here.sent("create") == 1)
        command.send_signal(signal.SIGINT)
        done = await here.finish(command)
        assert done.code == 130
        line = "orchestrator run manifest.yaml --select id:a --max-credits rivya=60"
        assert f"To go on: {line}" in done.err


async def test_a_wrong_key_stops_creates_and_fails_no_job(world):
    async with world() as here:
        shutil.copy(MANIFESTS / "media/bottle.png", here.folder / "bottle.png")
        here.write(
            "jobs:\n- {id: a, model: hailuo-pro, prompt: one, references: [bottle.png]}\n"
            "- {id: b, model: hailuo-pro, prompt: two}\n"
        )
        key = here.environment["RIVYA_API_KEY"]
        here.environment["RIVYA_API_KEY"] = "invalid"
        assert (await here.run()).code == 6
        assert {row["state"] for row in here.results()} == {"planned"}
        here.environment["RIVYA_API_KEY"] = key
        assert (await here.run()).code == 0
