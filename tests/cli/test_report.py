from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome


def test_the_report_is_written_again_and_its_path_printed(
    orchestrate: Callable[..., Outcome], run_folder: Path
) -> None:
    outcome = orchestrate("report", run_folder)
    assert (outcome.code, outcome.err) == (0, "")
    page = Path(outcome.out.strip())
    assert page == run_folder / "report.html"
    assert "spring" in page.read_text()
