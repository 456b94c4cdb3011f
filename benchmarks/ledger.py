"""The ledger's durable events a second: a section of the page."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.page import measured, table

if TYPE_CHECKING:
    from pathlib import Path

WRITERS = (1, 16, 64, 256)
#: What a plain program appends and syncs, in bytes.
RECORD = 4096


def appends(path: Path, seconds: float) -> float:
    """Records a second that are appended to one file, each synced before the next."""
    began, count = time.perf_counter(), 0
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() < began + seconds:
            file.write(bytes(RECORD))
            os.fsync(file.fileno())
            count += 1
    return count / (time.perf_counter() - began)


def ledger_events(folder: Path, turns: int, seconds: float) -> str:
    """The section."""
    inside = folder / "ledgers"
    inside.mkdir()
    plain: list[float] = []
    taken: dict[int, list[dict[str, float]]] = {writers: [] for writers in WRITERS}
    for turn in range(turns):
        os.sync()
        plain.append(appends(inside / f"plain-{turn}", seconds / 4))
        for writers, found in taken.items():
            run = inside / f"{writers}-{turn}"
            found.append(measured("ledger_events", run, writers, seconds))
    rows = [_row(writers, found, plain) for writers, found in taken.items()]
    head = ("writers", "events/s", "of a plain append", "a writer waits for a step")
    return f"""## Ledger

Durable events a second, on this disk. Each writer takes jobs through their life (intent; reply and
accepted in one step; generated; stored) and waits for each step. What waits together is synced
together. A plain program that appends {RECORD // 1024} KiB and syncs, again and again, comes to
{statistics.median(plain):,.0f} a second. Turns of {seconds:g} s, {turns} of them.

{table(head, rows)}
"""


def _row(writers: int, found: list[dict[str, float]], plain: list[float]) -> tuple[str, ...]:
    rates = [one["events"] / one["seconds"] for one in found]
    ratios = [rate / appended for rate, appended in zip(rates, plain, strict=True)]
    waits = [writers * one["seconds"] / one["steps"] * 1000 for one in found]
    return (
        f"{writers}",
        f"{statistics.median(rates):,.0f}",
        f"{statistics.median(ratios):.1f}",
        f"{statistics.median(waits):.1f} ms",
    )
