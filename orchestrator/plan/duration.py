"""How long a plan takes: the lower bound of its schedule, from latencies measured or assumed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.ledger.store import Ended
    from orchestrator.plan.plan import Plan

#: Latency of a generation where nothing was measured yet: log-normal, 95 % below 240 s.
ASSUMED_MEDIAN = 90.0
ASSUMED_SIGMA = 0.6
#: Fewer completions than this say too little about a model.
ENOUGH = 5
#: One-sided 90 % point of the normal distribution.
_Z90 = 1.2816


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a run takes, in seconds, and what that was reckoned from."""

    p50: float
    p90: float
    basis: str


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal latency in seconds."""

    median: float
    sigma: float

    @property
    def mean(self) -> float:
        """The expected latency."""
        return self.median * math.exp(self.sigma**2 / 2)

    @property
    def variance(self) -> float:
        """The latency's variance."""
        return self.mean**2 * (math.exp(self.sigma**2) - 1)

    def longest(self, jobs: int, probability: float) -> float:
        """What the longest of so many latencies stays below with this probability."""
        quantile = NormalDist().inv_cdf(probability ** (1 / jobs))
        return self.median * math.exp(self.sigma * quantile)


def measured(ended: Iterable[Ended]) -> dict[str, list[float]]:
    """Seconds that tasks took, by `provider/model`."""
    seconds: dict[str, list[float]] = {}
    for one in ended:
        seconds.setdefault(one.model_name, []).append(max(one.seconds, 0.001))
    return seconds


def forecast(plan: Plan, ended: Iterable[Ended]) -> Duration:
    """How long the creates of a plan take with the manifest's limits, and tasks like those.

    The lower bound of the schedule (create rate, slots, longest job), each provider by itself;
    p90 adds the spread of the latencies' sum. Downloads and waiting between looks are not in it.
    """
    samples = measured(ended)
    p50 = p90 = 0.0
    for provider in plan.providers():
        models = [
            f"{entry.job.provider}/{entry.job.model}"
            for entry in plan.to_run
            if entry.job.provider == provider
        ]
        if models:
            low, high = _account(plan, provider, [_latency(samples.get(name)) for name in models])
            p50, p90 = max(p50, low), max(p90, high)
    known = sum(len(found) for found in samples.values() if len(found) >= ENOUGH)
    basis = (
        f"the latest {known} completions in this ledger"
        if known
        else f"assumed: half of all videos within {ASSUMED_MEDIAN:.0f} s, 95 % within 240 s"
    )
    return Duration(round(p50, 1), round(p90, 1), basis)


def _latency(seconds: Sequence[float] | None) -> Latency:
    if seconds is None or len(seconds) < ENOUGH:
        return Latency(ASSUMED_MEDIAN, ASSUMED_SIGMA)
    logs = [math.log(value) for value in seconds]
    middle = median(logs)
    spread = math.sqrt(sum((value - middle) ** 2 for value in logs) / len(logs))
    return Latency(math.exp(middle), spread)


def _account(plan: Plan, provider: str, latencies: Sequence[Latency]) -> tuple[float, float]:
    limits = plan.manifest.limits[provider]
    jobs = len(latencies)
    by_rate = max(jobs - limits.creates_per_minute, 0) / limits.creates_per_minute * 60
    slots = min(limits.in_flight, jobs)
    by_slots = sum(latency.mean for latency in latencies) / slots
    spread = _Z90 * math.sqrt(sum(latency.variance for latency in latencies)) / slots
    slowest = max(latencies, key=lambda latency: latency.longest(jobs, 0.9))
    return (
        max(by_rate + slowest.median, by_slots, slowest.longest(jobs, 0.5)),
        max(by_rate + slowest.longest(1, 0.9), by_slots + spread, slowest.longest(jobs, 0.9)),
    )
