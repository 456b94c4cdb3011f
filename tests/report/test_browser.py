"""The report in a real browser: whatever texts a ledger holds, nothing runs and nothing leaves."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from orchestrator.report.page import write_report
from tests.report.hostile import TEXTS, ledger_of_texts

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for found in map(shutil.which, NAMES) if found), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH (apt-get install chromium)"
)

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-dev-shm-usage", "--virtual-time-budget=2000",
)  # fmt: skip


@contextmanager
def witness():
    """A server on loopback and the list of paths that were asked of it."""
    asked: list[str] = []

    class Witness(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Witness)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def opened(page: Path, profile: Path) -> str:
    """The page's document after a browser has had it for two seconds of its time."""
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def texts_for(origin: str) -> tuple[str, ...]:
    return tuple(text.replace("{origin}", origin) for text in TEXTS)


def test_a_page_without_the_reports_care_does_run_these_texts(tmp_path):
    with witness() as (origin, asked):
        page = tmp_path / "page.html"
        harmless = "refresh", "base"
        bodies = [text for text in texts_for(origin) if not any(word in text for word in harmless)]
        page.write_text("<title>page</title>" + "".join(bodies), "utf-8", "replace")
        document = opened(page, tmp_path / "profile")
    assert "/image.png" in asked
    assert "<title>owned</title>" in document


def test_hostile_texts_run_nothing_and_ask_for_nothing(tmp_path):
    with witness() as (origin, asked):
        page = write_report(ledger_of_texts(texts_for(origin)), tmp_path)
        document = opened(page, tmp_path / "profile")
    assert "<title>spring: 12 of 24 videos stored, 12 failed</title>" in document
    assert asked == []


def test_even_unescaped_text_runs_nothing_and_loads_nothing(tmp_path):
    with witness() as (origin, asked):
        page = write_report(ledger_of_texts(("tame",)), tmp_path)
        raw = "".join(text for text in texts_for(origin) if "refresh" not in text)
        whole = page.read_text("utf-8").replace("</main>", f"{raw}</main>")
        page.write_text(whole, "utf-8", "replace")
        document = opened(page, tmp_path / "profile")
    assert "<title>spring: 1 of 2 videos stored, 1 failed</title>" in document
    assert asked == []
