"""The plan: what a run would send, what it finds done already, and what that costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.prices import price
from orchestrator.jobs import State
from orchestrator.ledger.store import ABANDONED
from orchestrator.plan.fingerprint import digest, make_job
from orchestrator.plan.matching import match
from orchestrator.plan.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.catalog.spec import Catalog, Model
    from orchestrator.jobs import Job, JobSpec
    from orchestrator.ledger.store import Row
    from orchestrator.manifest.model import Manifest
    from orchestrator.plan.matching import Known


@dataclass(frozen=True, slots=True)
class Entry:
    """One job of the manifest, where it stands, and whether this call would create it."""

    job: Job
    row: Known | None
    state: State
    #: `--select` and `--limit` allow it.
    selected: bool
    #: A create would be sent: for the first time, or again after a failure that was selected, or
    #: for an unknown outcome that a person decided to resubmit.
    to_run: bool
    default_changed: bool = False
    #: A person gave the job up, so that `state:failed` alone does not select it.
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a manifest's jobs against the ledger, in the manifest's order."""

    manifest: Manifest
    entries: tuple[Entry, ...]
    #: `provider/model` to the table's facts, for the models that the manifest uses.
    models: Mapping[str, Model]
    #: How exact each used model's price is: `exact`, `estimated` or `unknown`.
    precision: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all keys and fingerprints, in order."""
        return digest([[entry.job.key, entry.job.fingerprint] for entry in self.entries])

    @property
    def to_run(self) -> tuple[Entry, ...]:
        """The entries that a create would be sent for, in order."""
        return tuple(entry for entry in self.entries if entry.to_run)

    @property
    def left_out(self) -> tuple[Entry, ...]:
        """The jobs that a person gave up and that `state:failed` alone does not select."""
        return tuple(entry for entry in self.entries if entry.left_out)

    def providers(self) -> tuple[str, ...]:
        """The providers that the manifest's jobs use, sorted."""
        return tuple(sorted({model.provider for model in self.models.values()}))

    def counts(self) -> dict[str, int]:
        """How many selected jobs stand where; the numbers add up to `total`."""
        selected = [entry for entry in self.entries if entry.selected]
        words = Counter("to_run" if entry.to_run else _PLACES[entry.state] for entry in selected)
        places = ("to_run", "stored", "pending", "unknown", "failed", "quarantined")
        return {"total": len(selected), **{place: words[place] for place in places}}


def _is_due(row: Known | None, state: State, *, again: bool) -> bool:
    """Whether a create is due: the first, after a failure, or because a person said so."""
    if row is not None and row.resubmit:
        return True
    return state is State.PLANNED or (again and state is State.FAILED)


def _is_given_up(row: Known | None) -> bool:
    """Whether a person let a job go with `resolve --abandon`, and nothing was sent since."""
    return row is not None and row.state is State.FAILED and row.error_class == ABANDONED


def _is_passed_over(selection: Selection, spec: JobSpec, state: State) -> bool:
    """Whether a job that was given up would be selected, had nobody decided about it."""
    return selection.allows(spec, state) and selection.passes_over(spec)


_PLACES = {
    State.PLANNED: "to_run",
    State.SUBMITTING: "pending",
    State.SUBMITTED: "pending",
    State.GENERATED: "pending",
    State.STORED: "stored",
    State.FAILED: "failed",
    State.UNKNOWN: "unknown",
    State.QUARANTINED: "quarantined",
}


def make_plan(
    manifest: Manifest,
    catalog: Catalog,
    rows: Iterable[Row] = (),
    selection: Selection | None = None,
) -> Plan:
    """Hold a manifest's jobs against a ledger's rows. Sends nothing, writes nothing."""
    selection = selection or Selection()
    names = dict.fromkeys(f"{spec.provider}/{spec.model}" for spec in manifest.jobs)
    models = {name: catalog.models[name] for name in names}
    prices = {name: price(model, manifest.prices) for name, model in models.items()}
    jobs = []
    for spec in manifest.jobs:
        name = f"{spec.provider}/{spec.model}"
        jobs.append(make_job(spec, models[name], manifest.seed, prices[name][0]))
    matches = match(jobs, rows)
    states = [found.row.state if found.row else State.PLANNED for found in matches]
    given_up = frozenset(found.job.key for found in matches if _is_given_up(found.row))
    chosen = selection.chosen(
        [(found.job.spec, state) for found, state in zip(matches, states, strict=True)], given_up
    )
    again = selection.names_state(State.FAILED)
    entries = tuple(
        Entry(
            found.job,
            found.row,
            state,
            selected,
            selected and _is_due(found.row, state, again=again),
            found.default_changed,
            found.job.key in given_up and _is_passed_over(selection, found.job.spec, state),
        )
        for found, state, selected in zip(matches, states, chosen, strict=True)
    )
    return Plan(manifest, entries, models, {name: prices[name][1] for name in names})
