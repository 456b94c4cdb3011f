"""Where a manifest's run is, without reading its jobs.

Commands that only look at a run need its folder and nothing else of the manifest: they neither
wait for a hundred thousand jobs, nor stop at a mistake in the next campaign that is being written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.manifest.builder import SourceError
from orchestrator.manifest.source import parse, read_text

if TYPE_CHECKING:
    from pathlib import Path

#: A key of the manifest itself, in block style.
_KEY = re.compile(r"^([A-Za-z_]\w*)[ \t]*:(?=\s)", re.MULTILINE)
#: A name that is safe to be looked for as a folder (see `manifest.schema.json`).
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

#: Keys that a manifest may have, and what else may begin a line of it in block style: a comment, an
#: item, the end of a flow collection, a document's marks.
_KEYS = frozenset(
    (
        "version",
        "campaign",
        "seed",
        "budget",
        "limits",
        "vars",
        "defaults",
        "jobs",
        "runs",
        "prices",
    )
)
_ODD = re.compile(r"^(?![A-Za-z_]\w*[ \t]*:\s|[#\-\s\]})]|\.\.\.|\Z)", re.MULTILINE)

DEFAULT_RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Heading:
    """What names a run folder."""

    campaign: str
    #: The folder of all run folders, absolute.
    runs: Path


def read_heading(path: Path) -> Heading | None:
    """The heading of the manifest at `path`; None where the whole of it has to be read to tell."""
    try:
        text = read_text(path, str(path))
        blocks = _blocks(text)
        wanted = "".join(blocks.get(name, "") for name in ("campaign", "runs"))
        source = parse(wanted, str(path))
    except (SourceError, ValueError):
        return None
    said = source.value
    if source.problems or not isinstance(said, dict):
        return None
    campaign, runs = said.get("campaign"), said.get("runs", DEFAULT_RUNS)
    if not isinstance(campaign, str) or not isinstance(runs, str):
        return None
    if not _CAMPAIGN.fullmatch(campaign):
        return None
    return Heading(campaign, runs_of(path, runs))


def runs_of(path: Path, runs: str) -> Path:
    """The absolute folder that `runs` of the manifest at `path` stands for."""
    return (path.absolute().parent / runs).resolve()


def _blocks(text: str) -> dict[str, str]:
    """The text of each of the manifest's own keys.

    Raises ValueError where one comes twice, or a line may be a key in another spelling.
    """
    odd = _ODD.search(text)
    if odd is not None:
        raise ValueError(text[odd.start() :][:80])
    starts = list(_KEY.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    blocks: dict[str, str] = {}
    for match, end in zip(starts, ends, strict=True):
        if match[1] in blocks or match[1] not in _KEYS:
            raise ValueError(match[1])
        blocks[match[1]] = text[match.start() : end]
    return blocks
