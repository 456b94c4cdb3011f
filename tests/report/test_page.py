from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import DiskError
from orchestrator.jobs import State
from orchestrator.ledger.sqlite.reading import read_ledger
from orchestrator.report.page import read, render, write_report
from tests.ledger.material import admit, inline, make_job, walk
from tests.report.hostile import TEXTS, Elements, ledger_of_texts
from tests.report.material import everything, fail, jobs_of, ledger_of, store

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


def page_of(ledger):
    return render(*read(ledger, Path("runs/spring")), written_at=NOW)


def test_the_verdict_comes_first_and_in_the_title():
    page = page_of(everything())
    verdict = "3 of 13 videos stored, 4 failed"
    assert verdict in Elements(page).text.split("Waiting for you")[0]
    assert f"<h1>{verdict}" in page
    assert re.search(f"<title>spring: {verdict}", page)


def test_a_page_for_no_jobs_says_that_nothing_was_spent():
    elements = Elements(page_of(ledger_of()))
    assert "There are no jobs here yet" in elements.text
    assert "nothing was spent" in elements.text
    assert not {"video", "table", "nav"} & set(elements.tags)


def test_a_page_for_one_job_has_its_player_and_nothing_missing():
    ledger = ledger_of(make_job("reveal"))
    store(ledger, 1, "videos/reveal.mp4")
    elements = Elements(page_of(ledger))
    assert elements.tags.count("video") == 1
    assert ("src", "videos/reveal.mp4") in elements.attributes
    assert ("href", "videos/reveal.json") in elements.attributes
    assert "What is missing" not in elements.text
    assert "Slowest generation" not in elements.text


def test_a_page_for_5000_jobs_stays_light():
    ledger = ledger_of(*jobs_of(5000))
    for row in range(1, 5001):
        if row % 10:
            store(ledger, row, f"videos/job-{row - 1}.mp4")
        else:
            fail(ledger, row, "failed", f"reason {row}")
    page = page_of(ledger)
    elements = Elements(page)
    assert elements.tags.count("video") == 300
    assert "The first 300 of 4,500 videos" in elements.text
    assert "450 further jobs with other reasons" in elements.text
    assert len(page) < 400_000


def test_a_few_videos_show_their_first_frame():
    elements = Elements(page_of(everything()))
    assert elements.attributes.count(("preload", "metadata")) == elements.tags.count("video") == 3
    assert elements.attributes.count(("loading", "lazy")) == 3


def test_of_many_videos_none_is_loaded_before_somebody_plays_it():
    ledger = ledger_of(*jobs_of(60))
    for row in range(1, 61):
        store(ledger, row, f"videos/job-{row}.mp4")
    elements = Elements(page_of(ledger))
    assert elements.attributes.count(("preload", "none")) == elements.tags.count("video") == 60


def test_the_page_may_load_nothing_but_its_videos():
    assert (
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'\""
    ) in page_of(ledger_of())


def test_what_is_unknown_is_said_and_never_shown_as_0():
    ledger = ledger_of(make_job("film", provider="acedatacloud", model="minimax-t2v"))
    store(ledger, 1, "videos/film.mp4", final=None)
    text = Elements(page_of(ledger)).text
    assert "acedatacloud: cost unknown" in text
    assert not re.search(r"\b0 credits", text)


def test_hostile_text_stays_text():
    tame = Elements(page_of(ledger_of_texts(("tame",) * len(TEXTS))))
    page = page_of(ledger_of_texts(TEXTS))
    hostile = Elements(page)
    assert set(hostile.tags) == set(tame.tags)
    assert hostile.tags.count("script") == hostile.tags.count("iframe") == 0
    assert hostile.tags.count("meta") == tame.tags.count("meta")
    assert {name for name, _ in hostile.attributes} == {name for name, _ in tame.attributes}
    assert TEXTS[0] in hostile.text
    assert not set("\x1b\x07\u202e\u2066\ud800") & set(page)


def test_every_address_of_a_hostile_page_lies_in_the_run_folder():
    elements = Elements(page_of(ledger_of_texts(TEXTS)))
    addresses = {value for name, value in elements.attributes if name in ("href", "src")}
    assert len(addresses) > 2 * len(TEXTS)
    for address in addresses:
        assert re.match(r"videos/[^:]*$|#[a-z]+$", address)


def test_the_report_is_written_whole_beside_the_ledger_that_a_run_holds(tmp_path):
    with inline(tmp_path) as ledger:
        admit(ledger, "reveal")
        with read_ledger(tmp_path) as reader:
            path = write_report(reader, tmp_path, now=NOW)
    assert path == tmp_path / "report.html"
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>")
    assert "21 November 2026, 06:30 UTC" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not (tmp_path / ".report.html.part").exists()


def test_a_report_is_replaced_and_never_written_into(tmp_path):
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text("mine")
    (tmp_path / "report.html").symlink_to(elsewhere)
    write_report(everything(), tmp_path)
    assert elsewhere.read_text() == "mine"
    assert "3 of 13" in (tmp_path / "report.html").read_text()


def test_a_report_while_a_create_is_on_the_wire_is_written_too(tmp_path):
    with inline(tmp_path) as ledger:
        (row,) = admit(ledger, "reveal")
        walk(ledger, row, State.SUBMITTING)
        assert "1 on the wire" in write_report(ledger, tmp_path).read_text()


def test_a_disk_that_takes_no_report_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(DiskError, match="run `orchestrator report` again"):
        write_report(ledger_of(), tmp_path)


@contextmanager
def nobody():
    """Root may write everywhere, so it becomes somebody else for a while."""
    me = os.geteuid()
    os.seteuid(65534 if me == 0 else me)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_without_permission_is_an_error_with_a_next_step():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with nobody(), pytest.raises(DiskError, match="mend the permissions"):
            write_report(ledger_of(), folder)
        folder.chmod(0o700)
