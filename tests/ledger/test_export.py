from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import DiskError, UsageError
from orchestrator.jobs import Reference, State
from orchestrator.ledger.export import (
    FIELDS,
    cell,
    results,
    timestamp,
    write_csv,
    write_jsonl,
    write_parquet,
)
from orchestrator.ledger.store import Admission, StoredFile
from tests.ledger.material import admit, in_memory, make_job, walk, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

MAY_11 = 1778457600.0
REFERENCES = (
    Reference("image", path="/films/bottle.png", sha256="1" * 64, size=3, mime_type="image/png"),
    Reference("video", url="https://cdn.example.com/a.mp4?X-Amz-Signature=s", duration_seconds=0.0),
)


@pytest.fixture
def documents() -> Iterator[list[dict[str, Any]]]:
    """A job stored at its second attempt, one that was refused, one that was never sent."""
    with in_memory() as ledger:
        stored, refused, _ = ledger.admit(
            [
                Admission(make_job("reveal/2", tags=("hero",), references=REFERENCES)),
                Admission(make_job("refused", prompt="=HYPERLINK(1)")),
                Admission(make_job("later", prompt="für \ud83c später\nund dann")),
            ]
        )
        write(ledger, stored, "intent", State.SUBMITTING, estimated=3.0)
        write(ledger, stored, "failed", State.FAILED, error_class="failed", final=1.0)
        write(
            ledger, stored, "retry", State.SUBMITTING,
            new_attempt=True, idempotency_key="key", estimated=3.0, reserved=3.0,
        )  # fmt: skip
        write(ledger, stored, "accepted", State.SUBMITTED, task_id="task", submitted_at=MAY_11)
        write(
            ledger, stored, "generated", State.GENERATED,
            urls=("https://cdn.example.com/v.mp4",), generated_at=MAY_11 + 60.5,
        )  # fmt: skip
        file = StoredFile("videos/reveal/2.mp4", 1234, "0" * 64, 5.5, 1920, 1080)
        write(ledger, stored, "stored", State.STORED, files=[file], stored_at=MAY_11 + 61)
        write(ledger, refused, "intent", State.SUBMITTING)
        write(
            ledger, refused, "rejected", State.FAILED,
            error_class="refused", error_code="nsfw", error_message="no",
        )  # fmt: skip
        yield list(results(ledger))


def test_a_stored_job_has_its_latest_attempt_and_the_credits_of_all(
    documents: list[dict[str, Any]],
) -> None:
    assert documents[0] == {
        "key": "reveal/2",
        "id": "reveal",
        "tags": ["hero"],
        "fingerprint": make_job("reveal/2").fingerprint,
        "campaign": "spring",
        "provider": "rivya",
        "model": "sora-2-pro",
        "prompt": "a film of reveal/2",
        "params": {"n_frames": "10", "size": "high"},
        "references": [
            {
                "kind": "image",
                "path": "/films/bottle.png",
                "sha256": "1" * 64,
                "size": 3,
                "mime_type": "image/png",
            },
            {"kind": "video", "url": "https://cdn.example.com/a.mp4", "duration_seconds": 0.0},
        ],
        "state": "stored",
        "task_id": "task",
        "idempotency_key": "key",
        "attempt": 2,
        "estimated_credits": 6.0,
        "reserved_credits": 3.0,
        "final_credits": 1.0,
        "urls": ["https://cdn.example.com/v.mp4"],
        "files": [
            {
                "path": "videos/reveal/2.mp4",
                "bytes": 1234,
                "sha256": "0" * 64,
                "duration_s": 5.5,
                "width": 1920,
                "height": 1080,
            }
        ],
        "error": None,
        "submitted_at": "2026-05-11T00:00:00.000Z",
        "generated_at": "2026-05-11T00:01:00.500Z",
        "stored_at": "2026-05-11T00:01:01.000Z",
    }


def test_a_failed_job_has_its_error_and_a_planned_one_has_nothing_of_an_attempt(
    documents: list[dict[str, Any]],
) -> None:
    refused, planned = documents[1:]
    assert refused["error"] == {"class": "refused", "code": "nsfw", "message": "no"}
    assert (planned["state"], planned["attempt"], planned["error"]) == ("planned", None, None)
    assert planned["estimated_credits"] is None
    assert [list(document) for document in documents] == [list(FIELDS)] * 3


def test_former_jobs_come_after_the_current_ones() -> None:
    with in_memory() as ledger:
        (former,) = admit(ledger, "former")
        walk(ledger, former, State.SUBMITTING)
        admit(ledger, *(f"job-{number}" for number in range(700)))
        keys = [document["key"] for document in results(ledger)]
    assert keys == [*(f"job-{number}" for number in range(700)), "former"]


def test_jsonl_reads_back_as_it_was(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_jsonl(path, documents)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == documents
    assert "für" in lines[2]
    assert list(tmp_path.iterdir()) == [path]


def test_csv_has_a_header_numbers_and_nested_values_as_json(
    documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    write_csv(path, documents)
    with path.open(encoding="utf-8", newline="") as file:
        stored, refused, planned = csv.DictReader(file)
    assert tuple(stored) == FIELDS
    assert json.loads(stored["files"]) == documents[0]["files"]
    assert json.loads(refused["error"]) == documents[1]["error"]
    assert (stored["attempt"], stored["final_credits"]) == ("2", "1.0")
    assert (planned["attempt"], planned["task_id"], planned["error"]) == ("", "", "")
    assert refused["prompt"] == "'=HYPERLINK(1)"
    assert planned["prompt"] == "für \\ud83c später\nund dann"


@pytest.mark.parametrize("start", ["", " ", "\t", "\r", "\n", " \t\r", "\u00a0", "\x00"])
@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str, sign: str) -> None:
    assert cell(f"{start}{sign}1+1") == f"'{start}{sign}1+1"


@pytest.mark.parametrize("value", ["a=b", "1", "'=", "", "[-1]", -1, -0.5, 3])
def test_other_values_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


@given(st.text())
def test_no_cell_ever_begins_like_a_formula(text: str) -> None:
    written = str(cell(text))
    assert written.lstrip()[:1] not in {"=", "+", "-", "@"}
    assert written in (text, f"'{text}")


def test_times_are_utc_with_milliseconds() -> None:
    assert timestamp(MAY_11) == "2026-05-11T00:00:00.000Z"
    assert timestamp(None) is None


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("as it was")

    def broken() -> Iterator[dict[str, Any]]:
        yield {"key": "a"}
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError):
        write_jsonl(path, broken())
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write_to", [write_jsonl, write_csv])
def test_a_folder_that_is_not_there_is_an_error_with_a_next_step(tmp_path: Path, write_to) -> None:
    with pytest.raises(DiskError, match="Make room, or mend"):
        write_to(tmp_path / "missing" / "results", [])


def test_parquet_without_its_library_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'overnight-orchestrator\[parquet\]'"):
        write_parquet(tmp_path / "results.parquet", [])


def test_parquet_reads_back_as_it_was(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "results.parquet"
    write_parquet(path, documents[:2])
    stored, refused = parquet.read_table(path).to_pylist()
    assert tuple(stored) == FIELDS
    assert stored["files"] == documents[0]["files"]
    assert json.loads(stored["params"]) == documents[0]["params"]
    assert stored["submitted_at"].timestamp() == MAY_11
    assert refused["error"] == documents[1]["error"]
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_writer_that_died_is_removed_and_that_of_one_at_work_is_not(
    tmp_path: Path,
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = tmp_path / f".results.jsonl.{process.pid}.part"
    at_work = tmp_path / f".results.jsonl.{os.getppid()}.part"
    another = tmp_path / ".other.jsonl.1.part"
    for draft in (dead, at_work, another):
        draft.write_text("{")
    write_jsonl(tmp_path / "results.jsonl", [{"key": "a"}])
    assert not dead.exists()
    assert at_work.exists()
    assert another.exists()
