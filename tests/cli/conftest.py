"""Calls of the command line as a user makes them, and run folders to call it on."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from orchestrator.__main__ import main
from orchestrator.jobs import State
from orchestrator.ledger.store import Admission, StoredFile
from tests.cli import model_service
from tests.ledger.material import inline, make_job, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: SHA-256 of `a video`.
VIDEO = b"a video"
VIDEO_SHA256 = "3dbe53a2de431feaea25139a6ea5eb705629d3fb419181298046d78d55acb055"

MANIFEST = """\
version: 1
campaign: spring
budget: {credits: {rivya: 200}}
jobs:
  - {id: teaser, prompt: a bottle, model: hailuo-pro}
  - {id: waves, prompt: dolphins, model: minimax-t2v}
  - id: grid
    prompt: "{{subject}}"
    model: happyhorse-1-0
    matrix: {subject: [cup, lamp]}
"""


@dataclass(frozen=True)
class Outcome:
    """How one call ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def orchestrate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Calls the program with these arguments."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["orchestrator", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(ended.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A sound manifest of four jobs, in a folder of its own."""
    path = tmp_path / "spring.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The run folder of `manifest`'s campaign: one job stored, one unknown, one given up, one new.

    The unknown job's text is a provider's, with what a terminal would act on.
    """
    folder = tmp_path / "runs" / "spring"
    with inline(folder) as ledger:
        keys = ("stored", "unknown", "given-up", "new")
        stored, unknown, given_up, _ = ledger.admit([Admission(make_job(key)) for key in keys])
        write(ledger, stored, "intent", State.SUBMITTING, estimated=3.0, charge=3.0)
        write(ledger, stored, "accepted", State.SUBMITTED, task_id="task_1", submitted_at=1000.0)
        write(ledger, stored, "generated", State.GENERATED, generated_at=1060.0, final=2.0)
        file = StoredFile("videos/stored.mp4", len(VIDEO), VIDEO_SHA256, 5.0, 1920, 1080)
        write(ledger, stored, "stored", State.STORED, files=[file], stored_at=1061.0)
        write(ledger, unknown, "intent", State.SUBMITTING, estimated=3.0, charge=3.0)
        write(
            ledger, unknown, "unknown", State.UNKNOWN, error_message="lost\x1b[2J \u202eon the way"
        )
        write(ledger, given_up, "intent", State.SUBMITTING, estimated=3.0, charge=3.0)
        write(ledger, given_up, "accepted", State.SUBMITTED, task_id="task_3", reserved=3.0)
        write(ledger, given_up, "gave_up", note={"needs_decision": True})
    videos = folder / "videos"
    videos.mkdir()
    (videos / "stored.mp4").write_bytes(VIDEO)
    (videos / "stored.json").write_text("{}")
    return folder


@pytest.fixture
def films(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a manifest, a key for Rivya and a state of its own; where commands start."""
    monkeypatch.setenv("RIVYA_API_KEY", model_service.KEY)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("RIVYA_BASE_URL", raising=False)
    for name in ("RIVYA_API_KEY_FILE", "ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_API_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    films = tmp_path / "films"
    films.mkdir()
    monkeypatch.chdir(films)
    (films / "spring.yaml").write_text(model_service.MANIFEST)
    return films


@pytest.fixture
def ask(orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls the program while Rivya tells this list; the service is gone afterwards."""

    async def serve_and_call(body: Any, arguments: tuple[object, ...], status: int) -> Outcome:
        async with model_service.listing(monkeypatch, body, status):
            return await anyio.to_thread.run_sync(lambda: orchestrate(*arguments))

    def call(body: Any, *arguments: object, status: int = 200) -> Outcome:
        return anyio.run(serve_and_call, body, arguments, status)

    return call
