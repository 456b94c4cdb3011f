"""The journal: one JSON object a line, written out soon, and never in anybody's way."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from orchestrator.engine.clock import Clock
from orchestrator.engine.journal import FLUSH_AFTER, URGENT, Journal
from tests.engine.virtual import EPOCH

CLOCK = Clock(lambda: EPOCH + 1.25)


async def lines_of(*notes):
    stream = io.StringIO()
    journal = Journal(stream, CLOCK)
    for event, fields in notes:
        journal.note(event, **fields)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_line_tells_when_what_and_about_whom():
    assert await lines_of(("stored", {"key": "reveal", "files": ["videos/reveal.mp4"]})) == [
        {
            "at": "2026-05-11T00:00:01.250Z",
            "event": "stored",
            "key": "reveal",
            "files": ["videos/reveal.mp4"],
        }
    ]


async def test_what_is_not_known_is_left_out_and_nothing_is_not_unknown():
    (line,) = await lines_of(("accepted", {"key": "reveal", "task_id": None, "attempt": 0}))
    assert "task_id" not in line
    assert line["attempt"] == 0


async def test_texts_of_a_provider_cannot_break_a_line_or_reach_a_terminal():
    text = 'two\nlines, \x1b[31mred, "quoted" \u2028 and {"event": "stored"}'
    stream = io.StringIO()
    Journal(stream, CLOCK).note("trouble", message=text)
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert json.loads(stream.getvalue())["message"] == text


async def test_lines_keep_their_order():
    found = await lines_of(*((f"e{number}", {}) for number in range(50)))
    assert [line["event"] for line in found] == [f"e{number}" for number in range(50)]


async def test_lines_are_in_the_file_a_moment_later(tmp_path):
    path = tmp_path / "run.log"
    with path.open("a") as stream:
        journal = Journal(stream, CLOCK)
        for _ in range(2):
            before = len(path.read_text().splitlines())
            journal.note("one")
            journal.note("two")
            await anyio.sleep(2 * FLUSH_AFTER)
            assert len(path.read_text().splitlines()) == before + 2


@pytest.mark.parametrize("event", sorted(URGENT))
async def test_what_a_lost_ledger_is_made_again_from_is_in_the_file_at_once(tmp_path, event):
    path = tmp_path / "run.log"
    with path.open("a") as stream:
        journal = Journal(stream, CLOCK)
        for lines in (2, 4):
            journal.note("other")
            journal.note(event)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            assert len(path.read_text().splitlines()) == lines


async def test_a_log_that_is_closed_meanwhile_is_left_alone(tmp_path):
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    with (tmp_path / "run.log").open("a") as stream:
        Journal(stream, CLOCK).note("end")
    await anyio.sleep(2 * FLUSH_AFTER)
    assert complaints == []


async def test_a_disk_without_room_for_the_log_stops_nothing():
    stream = Path("/dev/full").open("w")  # noqa: ASYNC230, SIM115 - it is closed below
    journal = Journal(stream, CLOCK)
    try:
        for _ in range(50):
            journal.note("no_room", message="x" * 1000)
    finally:
        with suppress(OSError):
            stream.close()
