"""A manifest after it was read and checked, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.jobs import JobSpec, Problem


@dataclass(frozen=True, slots=True)
class Limits:
    """What one provider's account is asked for at most. Durations are seconds.

    Defaults are safe guesses where nothing is documented; `stated` names the keys that stand in
    the manifest.
    """

    in_flight: int = 10
    creates_per_minute: float = 60.0
    polls_per_second: float = 2.0
    #: The first look at a new task.
    poll_after: float = 3.0
    #: The longest time between two looks at a task.
    poll_every: float = 10.0
    #: Concurrent downloads.
    downloads: int = 4
    create_timeout: float = 600.0
    give_up_after: float = 6 * 3600.0
    pause_after_unknown: int = 3
    probe_after: float = 300.0
    stated: frozenset[str] = frozenset()


#: Limits of providers that differ from the defaults (AceDataCloud advises a first
#: look after 5 to 10 s, then every 10 to 30 s, below one poll a second in all).
PROVIDER_LIMITS: Mapping[str, Limits] = {
    "acedatacloud": Limits(polls_per_second=0.9, poll_after=8.0, poll_every=15.0),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """Hard caps over the run folder's whole life."""

    #: Provider to most credits; a provider that is not named is not capped.
    credits: Mapping[str, float] = field(default_factory=dict)
    #: Most create attempts; None is no cap.
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a manifest says, checked; the jobs are expanded and in the manifest's order."""

    #: Absolute path of the file.
    path: Path
    campaign: str
    #: The campaign's seed, from which parameters named `seed` are derived.
    seed: int
    budget: Budget
    #: By provider, for every provider of the catalogue.
    limits: Mapping[str, Limits]
    #: Absolute path of the folder that holds run folders.
    runs: Path
    #: Prices the manifest states, by `provider` or `provider/model`.
    prices: Mapping[str, float]
    jobs: tuple[JobSpec, ...]
    warnings: tuple[Problem, ...] = ()
