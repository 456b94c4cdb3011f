"""Manifests of many jobs, read and checked, against a bare `yaml.load`: a section of the page."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.large_manifest import large_manifest
from benchmarks.loading_one import WAYS
from benchmarks.page import measured, table
from benchmarks.validation import FEW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def loading(folder: Path, sizes: Mapping[int, int]) -> str:
    """The section; `sizes` says how many turns each number of jobs gets."""
    rows = []
    for jobs, turns in sizes.items():
        path = folder / f"manifest-{jobs}.yaml"
        path.write_text(large_manifest(jobs, distinct=FEW, errors=0)[0], "utf-8")
        found = in_turns(path, turns)
        ratio = statistics.median(
            mine["seconds"] / bare["seconds"]
            for mine, bare in zip(found["load"], found["yaml"], strict=True)
        )
        size = f"{jobs:,} jobs, {path.stat().st_size / 1e6:.1f} MB"
        rows.append((size, *(_cell(found[way]) for way in WAYS), f"{ratio:.2f}", str(turns)))
    head = ("", "`validate`", "load and check", "`yaml.load`", "of `yaml.load`", "turns")
    return f"""## Manifests

Seconds of the CPU and the most memory, each in a process of its own. `validate` is the whole
command with the start of Python; the others are the work alone, with what it imports. The jobs have
{FEW:,} distinct sets of parameters. The ratio is that of loading and checking to PyYAML's
`CSafeLoader`, which builds the values of the same text and checks nothing.

{table(head, rows)}
"""


def in_turns(path: Path, turns: int) -> dict[str, list[dict[str, float]]]:
    """Each way to read a manifest, once a turn."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way, taken in found.items():
            taken.append(measured("loading_one", way, path))
    return found


def _cell(taken: list[dict[str, float]]) -> str:
    seconds = statistics.median(one["seconds"] for one in taken)
    return f"{seconds:.2f} s, {statistics.median(one['peak'] for one in taken):,.0f} MiB"
