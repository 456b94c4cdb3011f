"""A faults file: which requests and tasks go wrong, and how.

    seed: 7                       # for `chance`; default 0
    pace: 0                       # times every latency; 0 ends every task at once; default 1
    video_bytes: 65536            # each video is filled up to so many; default 0
    balance: {rivya: 500}         # credits in the wallet; without a price, generations
    limits:                       # answered with 429, and recorded
      rivya: {in_flight: 5, creates_per_minute: 30, polls_per_second: 2, retry_after: 3}
    faults:                       # the first rule that applies is played
      - {on: create, provider: rivya, nth: 2, do: {status: 500, made: true}}
      - {on: download, match: lamp, per: task, times: 1, do: {cut: 1000}}
      - {on: task, chance: 0.1, do: {fail: generation_failed, message: out of luck}}

A list in place of the mapping is its `faults`. A rule fits a request by `on`, `provider`, `model`
and `match` (a part of the prompt). Of the requests that fit, counted over all or with `per: task`
for each task, it is played on the `nth` (a number or a list), the first `times`, every `every`-th,
those `after` so many, or by `chance`; where several are given, all must hold. Counts begin anew
with each start of the sandbox. What `do` can be stands in `actions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.sandbox.tasks import PLAIN, Outcome, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.sandbox.actions import Fault


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule may look at: the task that a request is about, or will make."""

    provider: str
    model: str | None = None
    prompt: str | None = None
    #: What `per: task` counts by: a task's id, or the create's key or body.
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a faults file. None fits everything."""

    on: str
    do: Fault
    provider: str | None = None
    model: str | None = None
    match: str | None = None
    nth: tuple[int, ...] | None = None
    times: int | None = None
    every: int | None = None
    after: int | None = None
    chance: float | None = None
    per_task: bool = False

    def fits(self, on: str, subject: Subject) -> bool:
        """Whether a request about this subject counts."""
        return (
            self.on == on
            and self.provider in (None, subject.provider)
            and self.model in (None, subject.model)
            and (self.match is None or self.match in (subject.prompt or ""))
        )

    def applies(self, number: int, draw: float) -> bool:
        """Whether the fitting request `number` (from 1) is played; `draw` lies in 0 to 1."""
        return (
            (self.nth is None or number in self.nth)
            and (self.times is None or number <= self.times + (self.after or 0))
            and (self.every is None or number % self.every == 0)
            and (self.after is None or number > self.after)
            and (self.chance is None or draw < self.chance)
        )


@dataclass(frozen=True, slots=True)
class Faults:
    """A whole faults file."""

    rules: tuple[Rule, ...] = ()
    #: Credits of a provider's wallet; a provider without an entry never runs out.
    balance: Mapping[str, float] = field(default_factory=dict)
    #: Limits by provider and name, see `limits`.
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pace: float = 1.0
    #: Bytes that each video has at least.
    video_bytes: int = 0
    seed: int = 0


class Script:
    """Plays a faults file: counts what fits each rule and says what goes wrong."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._counts: dict[tuple[int, str], int] = {}
        self._places = {rule.on for rule in faults.rules}

    def watches(self, on: str) -> bool:
        """Whether any rule looks at this place: where none does, no subject is needed."""
        return on in self._places

    def draw(self, on: str, subjects: Sequence[Subject]) -> Fault | None:
        """What goes wrong with a request about these tasks: the first rule that applies."""
        for index, rule in enumerate(self._faults.rules):
            fitting = next((s for s in subjects if rule.fits(on, s)), None)
            if fitting is not None and self._applies(index, rule, fitting):
                return rule.do
        return None

    def draw_all(self, subject: Subject) -> list[Fault]:
        """What goes wrong with a task that is being made: every rule that applies."""
        return [
            rule.do
            for index, rule in enumerate(self._faults.rules)
            if rule.fits("task", subject) and self._applies(index, rule, subject)
        ]

    def _applies(self, index: int, rule: Rule, subject: Subject) -> bool:
        name = subject.name if rule.per_task else ""
        number = self._counts[index, name] = self._counts.get((index, name), 0) + 1
        draw = share(f"{self._faults.seed}/{index}/{name}/{number}") if rule.chance else 1.0
        return rule.applies(number, draw)


#: How each service says that the content is refused, and that a model has no channel.
REFUSALS = {
    "rivya": ("content_refused", "The prompt was refused by the content policy"),
    "acedatacloud": ("forbidden", "The content was refused"),
}
CHANNEL_DOWN = {
    "rivya": ("generation_failed", "The model is not available"),
    "acedatacloud": ("api_error", "no channel available for this model"),
}
FAILURES = {"rivya": "generation_failed", "acedatacloud": "api_error"}


@dataclass(frozen=True, slots=True)
class Future:
    """What the rules decide for a task that is being made."""

    outcome: Outcome = PLAIN
    #: Seconds until it ends, None where no rule says.
    latency: float | None = None
    never: bool = False
    reserve: float | None = None
    duplicate: bool = False


def future(provider: str, faults: Sequence[Fault]) -> Future:
    """The sum of what `draw_all` found."""
    by_action = {fault.action: fault for fault in reversed(faults)}
    arguments = {action: fault.argument for action, fault in by_action.items()}
    return Future(
        outcome=_outcome(provider, by_action),
        latency=arguments.get("latency"),
        never="never" in by_action,
        reserve=arguments.get("reserve"),
        duplicate="duplicate" in by_action,
    )


def _outcome(provider: str, faults: Mapping[str, Fault]) -> Outcome:
    if not faults:
        return PLAIN
    arguments = {action: fault.argument for action, fault in faults.items()}
    code, message = _failure(provider, faults)
    fail = faults.get("fail")
    return Outcome(
        failure=code,
        message=message,
        bare=fail is not None and bool(fail.options.get("bare", False)),
        final=arguments.get("credits"),
        urls=0 if "no_url" in faults else arguments.get("urls", 1),
        missing=arguments.get("missing", 0.0),
        flap=arguments.get("flap", ()),
        word=arguments.get("word"),
        success_word=arguments.get("spell"),
        hiccup="hiccup" in faults,
        sync="sync" in faults,
    )


def _failure(provider: str, faults: Mapping[str, Fault]) -> tuple[str | None, str | None]:
    if "refused" in faults:
        return REFUSALS[provider]
    if "channel_down" in faults:
        return CHANNEL_DOWN[provider]
    if "fail" in faults:
        fail = faults["fail"]
        code = fail.argument or FAILURES[provider]
        return code, fail.options.get("message", "The generation failed")
    return None, None
