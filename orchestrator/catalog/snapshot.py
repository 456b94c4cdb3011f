"""What a provider's list of models said when it was last asked, kept so that no call has to ask.

It is kept for each provider and origin, below the folder where programs of this user keep their
state: `$XDG_STATE_HOME/orchestrator`, else `~/.local/state/orchestrator`. Nothing is lost with it
but warnings.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.listing import Listing

#: The version of the file. A file of another one counts as none.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A list as it was: its models by id, each with the provider's word for its availability."""

    provider: str
    #: Which service was asked, as the ledger names it.
    origin: str
    #: When it was asked, in UTC.
    asked: datetime
    models: Mapping[str, str | None]
    #: Whether a model that is missing was missing from the list.
    whole: bool


def state_folder(environment: Mapping[str, str]) -> Path | None:
    """Where snapshots are kept; None where this user has no home."""
    stated = Path(environment.get("XDG_STATE_HOME", ""))
    if stated.is_absolute():
        return stated / "orchestrator"
    try:
        return Path.home() / ".local" / "state" / "orchestrator"
    except RuntimeError:
        return None


def keep(folder: Path, snapshot: Snapshot) -> None:
    """Write a snapshot in place of the one before. Raises OSError."""
    document = {
        "schema_version": _VERSION,
        "provider": snapshot.provider,
        "origin": snapshot.origin,
        "asked": snapshot.asked.isoformat(timespec="seconds"),
        "whole": snapshot.whole,
        "models": dict(snapshot.models),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder, snapshot.provider, snapshot.origin)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def taken(provider: str, origin: str, listing: Listing, asked: datetime) -> Snapshot:
    """The snapshot of a list."""
    models = {listed.model: listed.availability for listed in listing.models}
    return Snapshot(provider, origin, asked.astimezone(UTC), models, listing.cut is None)


def recall(folder: Path, provider: str, origin: str) -> Snapshot | None:
    """The last snapshot of a provider's list at this origin; None where there is none to read."""
    try:
        document = json.loads(_path(folder, provider, origin).read_bytes())
        asked = datetime.fromisoformat(document["asked"]).astimezone(UTC)
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    match document:
        case {
            "schema_version": 1,
            "provider": name,
            "origin": place,
            "whole": bool(whole),
            "models": dict(models),
        } if (name, place) == (provider, origin):
            words = {key: word if isinstance(word, str) else None for key, word in models.items()}
            return Snapshot(provider, origin, asked, words, whole)
    return None


def _path(folder: Path, provider: str, origin: str) -> Path:
    place = re.sub(r"[^A-Za-z0-9.]+", "-", origin.partition("://")[2])
    return folder / f"models-{provider}-{place}.json"
