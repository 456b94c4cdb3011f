"""What `--select` leaves out: by mistake, or because a person gave a job up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.suggest import nearest
from orchestrator.cli.output import some, tell
from orchestrator.plan.selection import Selection
from orchestrator.report.figures import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.plan.plan import Plan

#: How many of the names that would fit are said.
_MOST_NAMES = 8


def tell_unmatched(selection: Selection, plan: Plan) -> None:
    """Say on stderr which expressions no job of the manifest fits, and what there is instead."""
    for text in unmatched(selection, plan):
        tell(text, "warning")


def tell_left_out(plan: Plan) -> None:
    """Say on stderr which jobs `state:failed` leaves out, and how to have them all the same."""
    for text in left_out(plan):
        tell(text, "note")


def left_out(plan: Plan) -> Iterator[str]:
    """A line on the failed jobs that a person gave up and that are not started again; else none."""
    keys = [entry.job.key for entry in plan.left_out]
    if keys:
        was, it = ("was", "it") if len(keys) == 1 else ("were", "them")
        yield (
            f"{counted(len(keys), 'failed job')} {was} given up with `resolve --abandon` and "
            f"stay{'s' if len(keys) == 1 else ''} so: {some(keys)}. "
            f"For a new attempt, which costs, name {it}: --select state:failed "
            f"--select id:{keys[0]}"
        )


def unmatched(selection: Selection, plan: Plan) -> Iterator[str]:
    """A line for each expression that no job fits; one where no job fits all of them together."""
    stands = [(entry.job.spec, entry.state) for entry in plan.entries]
    missed = False
    for expression in selection.expressions:
        if not any(Selection((expression,)).chosen(stands)):
            missed = True
            yield _nothing(*expression, plan)
    if not missed and not any(Selection(selection.expressions).chosen(stands)):
        together = " and ".join(f"{field}:{name}" for field, name in selection.expressions)
        yield f"nothing matches {together} together"


def _nothing(field: str, name: str, plan: Plan) -> str:
    known = _known(field, plan)
    if not known:
        return f"nothing matches {field}:{name}; no job has a {field}"
    guess = nearest(name, known)
    meant = f" (did you mean {guess}?)" if guess else ""
    return f"nothing matches {field}:{name}; {field}s are: {some(known, _MOST_NAMES)}{meant}"


def _known(field: str, plan: Plan) -> list[str]:
    """What jobs of the manifest may be selected by, in its order, each once."""
    found: list[str] = []
    for entry in plan.entries:
        spec = entry.job.spec
        match field:
            case "id":
                found.append(spec.id)
            case "tag":
                found += spec.tags
            case "model":
                found.append(spec.model)
            case _:
                found.append(entry.state.value)
    return list(dict.fromkeys(found))
