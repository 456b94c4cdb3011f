"""A model that nobody shipped: from its saved page to a stored video, by what a user types."""

from __future__ import annotations

import json

from tests.catalog.importing.material import PAGES

PAGE = str(PAGES / "german-markdown.md")
JOBS = """
jobs:
  - {id: own, prompt: a cup, model: ray-3, params: {duration: 5s, shift: 1.5}}
  - {id: shipped, prompt: a cup, model: hailuo-pro}
"""


async def test_an_imported_model_runs_at_once_in_the_built_in_sandbox(world):
    async with world() as here:
        assert (await here.call("models", "import", PAGE, "--out", "models/ray-3.yaml")).code == 0
        here.write(JOBS.replace("  - {id: shipped, prompt: a cup, model: hailuo-pro}\n", ""))
        assert (await here.call("validate", "manifest.yaml")).code == 0
        plan = await here.call("plan", "manifest.yaml", "--json", "--sandbox")
        assert plan.json["cost"][0]["amount"] == 90
        done = await here.call("run", "manifest.yaml", "--sandbox", "--json")
        assert (done.code, done.json["counts"]["stored"]) == (0, 1)
        folder = here.folder / "runs" / "whole-sandbox"
        sidecar = json.loads((folder / "videos" / "own.json").read_text("utf-8"))
        assert sidecar["params"]["shift"] == 1.5
        assert (folder / "videos" / "own.mp4").read_bytes()[4:8] == b"ftyp"
        assert (await here.call("verify", "manifest.yaml", "--sandbox")).code == 0


async def test_a_sandbox_that_serves_other_programs_knows_the_same_tables(world):
    async with world() as here:
        tables = ("--models", "tables")
        assert (await here.call("models", "import", PAGE, "--out", "tables/ray-3.yaml")).code == 0
        serving = here.start("sandbox", *tables)
        here.environment["RIVYA_BASE_URL"] = json.loads(serving.stdout.readline())["rivya"]
        here.write(JOBS)
        done = await here.run("--limit", "1", "--json", *tables)
        assert (done.code, done.json["counts"]["stored"]) == (0, 1)
        serving.terminate()
        told = (await here.finish(serving)).err
        assert "orchestrator run MANIFEST --yes --models tables" in told


async def test_a_plan_with_an_own_price_is_saved_and_run_as_it_was_saved(world):
    async with world() as here:
        models = here.folder / "models"
        page = PAGES / "hailuo-pro.txt"
        await here.call("models", "import", str(page), "--out", "models/hailuo-pro.yaml")
        table = models / "hailuo-pro.yaml"
        table.write_text(table.read_text("utf-8").replace("price: 57", "price: 60"), "utf-8")
        here.write("jobs: [{id: a, prompt: a cup, model: hailuo-pro}]\n")
        plan = await here.call("plan", "manifest.yaml", "--json", "--save", "plan.json")
        assert plan.json["cost"][0]["amount"] == 60
        done = await here.call("run", "--plan", "plan.json", "--yes")
        assert done.code == 0
        assert [row["estimated_credits"] for row in here.results()] == [60]


async def test_a_saved_plan_refuses_to_run_where_a_price_changed(world):
    async with world() as here:
        models = here.folder / "models"
        page = PAGES / "hailuo-pro.txt"
        await here.call("models", "import", str(page), "--out", "models/hailuo-pro.yaml")
        here.write("jobs: [{id: a, prompt: a cup, model: hailuo-pro}]\n")
        await here.call("plan", "manifest.yaml", "--save", "plan.json")
        table = models / "hailuo-pro.yaml"
        table.write_text(table.read_text("utf-8").replace("price: 57", "price: 5700"), "utf-8")
        done = await here.call("run", "--plan", "plan.json", "--yes")
        assert done.code == 2
        said = "the price of rivya/hailuo-pro was 57 when the plan was saved, and is 5700"
        assert said in done.err
        assert here.sent("create") == 0


async def test_a_mistake_in_a_table_points_at_its_line_and_sends_nothing(world):
    async with world() as here:
        assert (await here.call("models", "import", PAGE, "--out", "models/ray-3.yaml")).code == 0
        table = here.folder / "models" / "ray-3.yaml"
        text = table.read_text("utf-8").replace("price: 90", "prise: 90")
        table.write_text(text, "utf-8")
        here.write(JOBS)
        line = text.splitlines().index("prise: 90") + 1
        problem = f"models/ray-3.yaml:{line}:1: `prise` is not known here (did you mean `price`?)"
        assert (await here.call("validate", "manifest.yaml")).out.splitlines() == [problem]
        done = await here.run()
        assert (done.code, done.out) == (2, "")
        assert done.err.splitlines()[0] == problem
        assert here.sent("create") == 0
