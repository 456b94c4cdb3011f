"""Secrets that are told nobody, and texts and addresses of others that do nothing."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from referencing.exceptions import Unresolvable

from orchestrator.catalog.tables import shipped
from orchestrator.errors import ManifestError
from orchestrator.jobs import State
from orchestrator.ledger.export import results, write_csv, write_jsonl
from orchestrator.manifest.check import load
from orchestrator.manifest.structure import validator_for
from orchestrator.providers.acedatacloud import AceDataCloud
from orchestrator.providers.base import Reply
from orchestrator.providers.rivya import Rivya
from orchestrator.report.page import write_report
from tests.engine import campaigns as simulated
from tests.engine.campaigns import Simulation, manifest, spec
from tests.engine.world import Wire
from tests.report.hostile import Elements
from tests.storage.host import Host
from tests.whole.conftest import until

MANIFESTS = Path(__file__).parents[2] / "manifests"

# --- keys and signatures ------------------------------------------------------------------------

SIGNED = "https://cdn.example.com/frame.png?X-Amz-Signature=canary-signature&Expires=1"
CAMPAIGN = f"""
jobs:
- {{id: a, model: hailuo-pro, prompt: one, references: [bottle.png, "{SIGNED}"]}}
- {{id: b, model: minimax-t2v, prompt: two}}
- {{id: c, model: sora-2-pro, prompt: three}}
- {{id: d, model: minimax-t2v, prompt: four}}
"""
TROUBLE = """
- {on: create, provider: acedatacloud, nth: 2, do: reset}
- {on: create, provider: rivya, nth: 1, do: {status: 500, made: true}}
- {on: upload, nth: 1, do: {status: 503}}
- {on: poll, times: 2, do: {status: 401, code: rate_limited}}
- {on: download, nth: 3, do: html}
"""
#: Commands on `manifest.yaml` that say something of a run.
COMMANDS = [
    ["status"], ["status", "--json"], ["resolve"], ["report"], ["export", "--format", "jsonl"],
    ["export", "--format", "jsonl,csv"], ["verify"], ["plan", "--json"], ["validate"], ["doctor"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "commands"),
    [("environment", COMMANDS), (".env", [["doctor"]]), ("file", [["doctor"]])],
    ids=["environment", "dotenv", "file"],
)
async def test_no_key_and_no_signature_is_in_anything_that_is_written_or_said(
    place, commands, world
):
    async with world(TROUBLE, pace=0.05) as here:
        keys = {"RIVYA_API_KEY": "rvya_canary", "ACEDATACLOUD_API_TOKEN": "ace_canary"}
        put_keys(here, keys, place)
        shutil.copy(MANIFESTS / "media/bottle.png", here.folder / "bottle.png")
        here.environment["ORCHESTRATOR_TRACEBACK"] = "1"
        here.write(CAMPAIGN)
        command = here.start("run", "manifest.yaml", "--yes", "--json", "--grace", "0")
        await until(lambda: here.sent("create") >= 2)
        said = [seen_by_others(command.pid)]
        command.send_signal(signal.SIGINT)
        calls = [await here.finish(command), await here.run("--json")]
        for name, *options in commands:
            calls.append(await here.call(name, "manifest.yaml", *options))
        said += [text for done in calls for text in (done.out, done.err)]
        for text in said:
            assert "canary" not in text
            assert "Signature=" not in text
        assert_nothing_written_holds_them(here)
        assert replies_kept(here.run_folder)
        assert not here.sandbox.leaks


def seen_by_others(process):
    """A program's command line, which everybody on the machine may read."""
    return Path(f"/proc/{process}/cmdline").read_text()


def assert_nothing_written_holds_them(here):
    """No file of the run has a key; none but the ledger, which has each create, a signature."""
    own = {".env", "rivya.key", "ace.key", "manifest.yaml"}
    written = [p for p in here.folder.rglob("*") if p.is_file() and p.name not in own]
    assert len(written) > 10
    for path in written:
        content = path.read_bytes()
        assert b"rvya_canary" not in content, path
        assert b"ace_canary" not in content, path
        assert path.name.startswith("ledger.db") or b"Signature=" not in content, path


def put_keys(here, keys, place):
    """Have the program find its keys in one of the places where they may be."""
    for name in keys:
        here.environment.pop(name)
    if place == "environment":
        here.environment.update(keys)
    elif place == "file":
        for name, key in keys.items():
            path = here.folder / f"{key.partition('_')[0].replace('rvya', 'rivya')}.key"
            path.write_text(f"{key}\n")
            here.environment[f"{name}_FILE"] = str(path)
    else:
        lines = [f"{name}={key}\n" for name, key in keys.items()]
        (here.folder / ".env").write_text("".join(lines))


def replies_kept(run_folder):
    """The raw replies in the ledger: none of them keeps the query of a URL."""
    connection = sqlite3.connect(run_folder / "ledger.db")
    try:
        replies = [row[0] for row in connection.execute("SELECT reply FROM attempts") if row[0]]
    finally:
        connection.close()
    assert all("Signature=" not in reply and "Expires=" not in reply for reply in replies)
    return replies


@pytest.mark.parametrize("key", ["canary\nX-Other: 1", "canary\x7f", "canary \u00e9"])
async def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key, world):
    async with world() as here:
        here.environment["RIVYA_API_KEY"] = key
        here.environment["ORCHESTRATOR_TRACEBACK"] = "1"
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n")
        done = await here.run()
        assert done.code == 6
        assert "canary" not in done.out + done.err
        assert not here.sandbox.requests


# --- texts that others write --------------------------------------------------------------------

PIECES = [
    "\x1b[31m", "\x1b]0;owned\x07", "\x1b]8;;http://evil.example\x1b\\", "\x9b2J", "\r\n", "\r",
    "\n", "\x00", "\x08" * 5, "\u202e", "\u2066", "\u2028", "\u2029", "\ufeff", "\ud800", "\udfff",
    "\U000e0041", "<script>alert(1)</script>", "</script>", "javascript:alert(1)",
    "<svg onload=x>", "{{7*7}}", "{% raw %}", "[bold red]", "[/]", "[link=http://evil.example]",
    "=1+1", "@SUM(A1)", "+1", "-1", "%s%n", "${HOME}", "`id`", "'\"", "\\", "a" * 3000,
    "\u0301" * 50, "\U0001f4a3", "",
]  # fmt: skip
#: Texts that a spreadsheet would run, and how they begin.
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\uff1d1"]
FORMULA_BEGINS = set("=+-@\uff1d")
#: What may stand nowhere that a person or a terminal reads.
ACTING = {"\x1b", "\x9b", "\x07", "\x08", "\x00", "\r", "\u202e", "\u2066", "\u2028", "\u2029"}


def hostile_texts(count):
    dice = random.Random(48)
    return ["".join(dice.choices(PIECES, k=dice.randrange(1, 5))) for _ in range(count)]


@pytest.mark.parametrize("provider", [Rivya(), AceDataCloud()], ids=lambda found: found.name)
def test_ten_thousand_hostile_texts_become_plain_lines(provider):
    for text in hostile_texts(10_000):
        error = {"error": {"code": text, "message": text, "requestId": text}, "trace_id": text}
        reply = Reply(400, {"retry-after": text, "date": text}, json.dumps(error).encode())
        fault = provider.read_create(reply).fault
        told = {"id": "t", "task_id": "t", "status": text, "success": False, "error": text}
        inner = {"id": "t", "finished_at": 1, "response": {**told, "data": [{"state": text}]}}
        look = provider.read_poll(["t"], Reply(200, {}, json.dumps({**told, **inner}).encode()))
        view = look["t"] if isinstance(look, dict) else look
        for said in (fault.code, fault.message, fault.trace, getattr(view, "odd", None)):
            assert said is None or (said.isprintable() and len(said) <= 500), text


class Rude(Wire):
    """Refuses every create, with another text each time."""

    texts = iter(())

    async def create(self, request, *, on_sent=None):
        on_sent()
        text = next(self.texts)
        error = {"code": "validation_failed", "message": text, "requestId": text}
        return Reply(400, {}, json.dumps({"error": error}).encode())


def test_hostile_texts_of_a_provider_reach_no_log_no_table_and_no_page_alive(tmp_path, monkeypatch):
    count = 1000
    monkeypatch.setattr(simulated, "Wire", Rude)
    monkeypatch.setattr(Rude, "texts", iter(hostile_texts(count)))
    simulation = Simulation()
    jobs = [spec(n, prompt=f"{FORMULAS[n % len(FORMULAS)]} {n}") for n in range(count)]
    tally = simulation.run(manifest(jobs, in_flight=count, creates_per_minute=1e6))
    assert tally.counts[State.FAILED] == count
    for line in simulation.log.getvalue().splitlines():
        assert not ACTING & set(line)
        json.loads(line)
    write_jsonl(tmp_path / "results.jsonl", results(simulation.ledger))
    write_csv(tmp_path / "results.csv", results(simulation.ledger))
    lines = (tmp_path / "results.jsonl").read_text("utf-8").split("\n")
    assert len([json.loads(line) for line in lines if line]) == count
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in FORMULA_BEGINS and len(cell) > 1]
    assert sum(cell.startswith("'") for cell in cells) == count
    assert not ACTING & set("".join(cells))
    page = Elements(write_report(simulation.ledger, tmp_path).read_text("utf-8"))
    assert page.tags.count("script") == 0
    assert not [value for name, value in page.attributes if name.startswith("on")]
    assert not [value for _, value in page.attributes if "javascript:" in value]
    assert not ACTING & set(page.text)


async def test_a_terminal_is_told_nothing_that_it_would_act_on(world):
    said = json.dumps("\x1b]0;owned\x07\x1b[31mred\r\nnext [bold]x[/] \u202e")
    faults = f"""
- {{on: create, match: one, do: {{status: 400, code: validation_failed, message: {said}}}}}
- {{on: create, match: two, do: {{status: 402, message: {said}}}}}
- {{on: task, match: three, do: {{fail: generation_failed, message: {said}}}}}
"""
    async with world(faults) as here:
        here.write(
            "jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n"
            "- {id: b, model: minimax-t2v, prompt: three}\n"
            "- {id: c, model: hailuo-pro, prompt: two}\n"
        )
        done = [await here.run("--json"), await here.call("status", "manifest.yaml")]
        done += [await here.call("resolve", "manifest.yaml")]
        for text in [part for one in done for part in (one.out, one.err)]:
            assert not ACTING & set(text)
        assert "[bold]x[/]" in (here.run_folder / "results.jsonl").read_text("utf-8")


def test_texts_of_a_manifest_are_sent_as_they_are_and_never_run(tmp_path):
    """Plain substitution knows no expressions: they are unknown variables, or plain text."""

    def manifest_of(prompt):
        path = tmp_path / "manifest.yaml"
        path.write_text(
            "version: 1\ncampaign: c\nvars: {x: '{{y}} {{7*7}}'}\njobs:\n"
            f"- {{id: a, model: hailuo-pro, prompt: {json.dumps(prompt)}}}\n"
        )
        return load(path, shipped())

    for expression in ("{{'a'*9e8}}", "{{x.__class__}}", "{{7*7}}", "{{cycler.__init__}}"):
        with pytest.raises(ManifestError):
            manifest_of(expression)
    for text in ("{% for i in range(10**10) %}x{% endfor %}", "${x}", "{x}", "%(x)s", "#{x}"):
        assert manifest_of(text).jobs[0].prompt == text
    assert manifest_of("{{x}}").jobs[0].prompt == "{{y}} {{7*7}}"
    assert manifest_of("a {{x}}").jobs[0].prompt == "a {{y}} {{7*7}}"


# --- addresses in schemas -----------------------------------------------------------------------


async def test_no_schema_is_fetched_whoever_names_it(world):
    async with Host(b"{}") as canary, world() as here:
        where = canary.url.partition("?")[0]
        nested = {"properties": {"a": {"$ref": where}}}
        plain = [{"$ref": where}, {"$dynamicRef": where}]
        for schema in (*plain, nested, {"$schema": where} | nested):
            with pytest.raises(Unresolvable):
                list(validator_for(schema).iter_errors({"a": 1}))
        reference = {"$ref": where, "$schema": where, "$id": where}
        path = here.write(
            f"jobs:\n- {{id: a, model: hailuo-pro, prompt: p, params: {json.dumps(reference)}}}\n"
        )
        path.write_text(f"# yaml-language-server: $schema={where}\n{path.read_text()}")
        for command in (["validate"], ["plan"], ["run", "--yes"]):
            assert (await here.call(command[0], "manifest.yaml", *command[1:])).code == 2
        assert canary.connections == 0
        assert not here.sandbox.requests


@pytest.mark.parametrize(
    "do",
    [
        "{status: 401, message: 'no such key: rvya_canary'}",
        "{status: 400, code: validation_failed, message: 'Authorization: Bearer rvya_canary'}",
        "{status: 500, body: 'Bearer rvya_canary'}",
    ],
)
async def test_a_key_that_its_provider_repeats_is_neither_kept_nor_told(do, world):
    async with world(f"- {{on: create, nth: 1, do: {do}}}") as here:
        here.environment["RIVYA_API_KEY"] = "rvya_canary"
        here.write("jobs:\n- {id: a, model: hailuo-pro, prompt: one}\n")
        done = await here.run("--json")
        assert "canary" not in done.out + done.err
        for path in here.run_folder.rglob("*"):
            assert not path.is_file() or b"canary" not in path.read_bytes(), path
