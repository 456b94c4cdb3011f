"""Which jobs a call may create: `--select` and `--limit`."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.jobs import State

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from orchestrator.jobs import JobSpec

FIELDS = ("id", "tag", "model", "state")


@dataclass(frozen=True, slots=True)
class Selection:
    """Expressions of one field widen the selection, different fields narrow it."""

    expressions: tuple[tuple[str, str], ...] = ()
    #: Of the jobs that the expressions allow, the first so many in the manifest's order.
    limit: int | None = None

    def chosen(
        self, jobs: Sequence[tuple[JobSpec, State]], given_up: Container[str] = ()
    ) -> list[bool]:
        """For each job, in order, whether it is selected; `given_up` holds keys."""
        allowed = [
            self.allows(spec, state) and not (spec.key in given_up and self.passes_over(spec))
            for spec, state in jobs
        ]
        if self.limit is None:
            return allowed
        left = self.limit
        for index, is_allowed in enumerate(allowed):
            allowed[index] = is_allowed and left > 0
            left -= is_allowed
        return allowed

    def names_state(self, state: State) -> bool:
        """Whether jobs of this state were asked for by name."""
        return ("state", state.value) in self.expressions

    def passes_over(self, spec: JobSpec) -> bool:
        """Whether failed jobs were asked for, but not this one by its own id or key.

        So a job that a person gave up is left out: a pattern does not mean it, a name does.
        """
        named = any(("id", name) in self.expressions for name in (spec.id, spec.key))
        return self.names_state(State.FAILED) and not named

    def allows(self, spec: JobSpec, state: State) -> bool:
        """Whether the expressions fit a job; neither the limit nor a decision is asked."""
        by_field: dict[str, bool] = {}
        for field, pattern in self.expressions:
            by_field[field] = by_field.get(field, False) or _fits(field, pattern, spec, state)
        return all(by_field.values())


def parse(expressions: Sequence[str], limit: int | None = None) -> Selection:
    """Read `id:GLOB`, `tag:NAME`, `model:NAME`, `state:NAME`.

    Raises UsageError for anything else.
    """
    parsed = []
    for text in expressions:
        field, colon, pattern = text.partition(":")
        if not colon or not pattern or field not in FIELDS:
            raise UsageError(f"--select {text}: write id:GLOB, tag:NAME, model:NAME or state:NAME")
        if field == "state" and pattern not in list(State):
            raise UsageError(f"--select {text}: the states are {', '.join(State)}")
        parsed.append((field, pattern))
    return Selection(tuple(parsed), limit)


def _fits(field: str, pattern: str, spec: JobSpec, state: State) -> bool:
    if field == "id":
        return fnmatchcase(spec.id, pattern) or fnmatchcase(spec.key, pattern)
    if field == "tag":
        return pattern in spec.tags
    if field == "model":
        return pattern in (spec.model, f"{spec.provider}/{spec.model}")
    return state.value == pattern
