from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def test_videos_that_are_as_they_were_stored_pass(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("verify", run_folder)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "1 video, 7 bytes: all as they were stored.\n"


def lost(video: Path) -> None:
    video.unlink()


def shortened(video: Path) -> None:
    video.write_bytes(b"a vid")


def altered(video: Path) -> None:
    video.write_bytes(b"A video")


def linked(video: Path) -> None:
    video.rename(video.with_name("moved.mp4"))
    video.symlink_to("moved.mp4")


def orphaned(video: Path) -> None:
    video.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lost, "missing"),
        (shortened, "changed: 5 bytes, stored were 7"),
        (altered, "changed: its SHA-256 is not that of what was stored"),
        (linked, "not a regular file"),
        (orphaned, "its sidecar (.json) is missing; the video is whole, and a run writes it again"),
    ],
)
def test_each_finding_is_named_and_exits_1(
    orchestrate: Callable[..., Outcome],
    run_folder: Path,
    damage: Callable[[Path], None],
    finding: str,
) -> None:
    damage(run_folder / "videos" / "stored.mp4")
    outcome = orchestrate("verify", run_folder)
    assert outcome.code == 1
    assert outcome.out == f"videos/stored.mp4: {finding}\n"
    assert "1 finding" in outcome.err


def test_a_video_that_is_gone_with_its_sidecar_is_one_finding(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    lost(run_folder / "videos" / "stored.mp4")
    orphaned(run_folder / "videos" / "stored.mp4")
    assert orchestrate("verify", run_folder).out == "videos/stored.mp4: missing\n"


def test_findings_come_with_what_mends_them(
    orchestrate: Callable[..., Outcome],
    run_folder: Path,
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    altered(run_folder / "videos" / "stored.mp4")
    monkeypatch.chdir(manifest.parent)
    assert orchestrate("verify", "spring.yaml").err.splitlines() == [
        "1 video, 7 bytes: 1 finding.",
        "To mend a video, delete it or move it out of runs/spring. Then run again:",
        "  orchestrator run spring.yaml",
        "What the manifest's jobs lack is fetched again and not paid again, as long as the",
        "provider still has it.",
    ]
    assert "  orchestrator run MANIFEST\n" in orchestrate("verify", run_folder).err
