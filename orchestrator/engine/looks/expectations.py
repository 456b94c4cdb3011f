"""Expectations: how long tasks take, learned from those that have ended.

The logarithms of the times are kept as a running mean and variance, for each model and for each
set of options that its tasks were created with. Later tasks count more than early ones, so that a
service that becomes slower or faster is noticed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.catalog.spec import Model
    from orchestrator.jobs import Value
    from orchestrator.ledger.store import Ended

#: Tasks that have to have ended before anything is expected of others.
ENOUGH = 10
#: How many tasks back the past reaches: each further one counts for one in so many.
MEMORY = 70
#: How far from the mean of the logarithms a single task is believed to be.
FARTHEST = 2.0
#: How many times the median time of an earlier task is no longer believed.
FAR_OUT = 10
#: Shortest time that is told from none, in seconds.
SHORTEST = 0.05
#: Narrowest spread of the logarithms: the next task may take a little longer than all before.
NARROWEST = 0.05


@dataclass(slots=True)
class Spread:
    """Times of one kind of task, as a log-normal distribution."""

    #: How many tasks it was learned from.
    count: int = 0
    #: Of the natural logarithm of the seconds.
    mean: float = 0.0
    variance: float = 0.0

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm, never quite zero."""
        return max(math.sqrt(self.variance), NARROWEST)

    @property
    def expected(self) -> float:
        """Mean time, in seconds."""
        return math.exp(self.mean + self.sigma**2 / 2)

    def add(self, seconds: float) -> None:
        """Learn from one task."""
        self.count += 1
        weight = 1 / min(self.count, MEMORY)
        difference = math.log(max(seconds, SHORTEST)) - self.mean
        if self.count > ENOUGH:
            difference = max(-FARTHEST, min(difference, FARTHEST))
        self.mean += weight * difference
        self.variance = (1 - weight) * (self.variance + weight * difference**2)


class Expectations:
    """What is known of one account's tasks; `models` are its models by `provider/model`."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._options = {
            name: frozenset(param.key for param in model.params if param.type == "select")
            for name, model in models.items()
        }
        self._spreads: dict[str, Spread] = {}

    def kind(self, model_name: str, params: Mapping[str, Value] | None) -> str:
        """What tasks are compared by: the model, and its options where they are known."""
        options = self._options.get(model_name, ())
        chosen = sorted(f"{key}={params[key]}" for key in options if params and key in params)
        return " ".join((model_name, *chosen))

    def learn(self, kind: str, seconds: float) -> None:
        """Learn from a task that ended so many seconds after it was created."""
        for name in {kind, kind.partition(" ")[0]}:
            self._spreads.setdefault(name, Spread()).add(seconds)

    def remember(self, ended: Iterable[Ended]) -> None:
        """Learn from tasks of earlier runs, oldest first.

        A task whose end nobody saw before the next run seems to have taken for ever: it is left
        out.
        """
        times: dict[str, list[float]] = {}
        for one in ended:
            times.setdefault(self.kind(one.model_name, one.params), []).append(one.seconds)
        for kind, seconds in times.items():
            most = FAR_OUT * median(seconds)
            for one_time in seconds:
                if one_time <= most:
                    self.learn(kind, one_time)

    def spread(self, kind: str) -> Spread | None:
        """How long tasks of this kind take; of its model where too few are known, or None."""
        for name in (kind, kind.partition(" ")[0]):
            found = self._spreads.get(name)
            if found is not None and found.count >= ENOUGH:
                return found
        return None
