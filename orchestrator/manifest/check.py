"""Read a manifest and tell everything that is wrong with it, or what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from orchestrator.errors import ManifestError
from orchestrator.manifest.builder import SourceError
from orchestrator.manifest.drafts import Shared, drafts_of, shared_by_all
from orchestrator.manifest.expand import Expander
from orchestrator.manifest.header import (
    check_names,
    is_limit_of_no_provider,
    read_budget,
    read_limits,
)
from orchestrator.manifest.heading import DEFAULT_RUNS, runs_of
from orchestrator.manifest.layers import EVERYTHING, sound_layer
from orchestrator.manifest.lessons import taught
from orchestrator.manifest.model import Manifest
from orchestrator.manifest.problems import Findings, Place
from orchestrator.manifest.reference_lists import ReferenceLists
from orchestrator.manifest.resolve import Resolver
from orchestrator.manifest.source import Source, nothing_to_collect, parse, read_text
from orchestrator.manifest.structure import document_faults, job_faults
from orchestrator.manifest.uniqueness import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.jobs import JobSpec, Problem
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.drafts import Draft
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.positions import Path as ValuePath

#: Problems of values that were not read as they were meant.
_MISREAD = frozenset({"bad-tag", "bad-template", "unknown-alias"})


def load(path: Path, catalog: Catalog) -> Manifest:
    """The manifest at `path`. Raises ManifestError with all problems, in file order."""
    manifest, problems = check(path, catalog)
    if manifest is None:
        raise ManifestError(problems)
    return manifest


def check(path: Path, catalog: Catalog) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """The manifest and no problems, or no manifest and all problems, in file order.

    Problems name the file as `path` does, and table files beside it in the same style. Local files
    are opened; nothing is fetched.
    """
    with nothing_to_collect():
        try:
            source = parse(read_text(path, str(path)), str(path))
        except SourceError as error:
            return None, (error.problem,)
        findings = Findings()
        for problem in source.problems:
            findings.add(problem)
        jobs = _read_jobs(path, source, catalog, findings)
        problems = findings.in_file_order(source.file)
        if problems:
            return None, problems
        return _manifest(path, source.value, catalog, jobs, tuple(findings.warnings)), ()


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells faults of the manifest's shape as problems."""

    source: Source
    catalog: Catalog
    findings: Findings
    #: Line and column of values that were not read as they were meant.
    misread: frozenset[tuple[int, int]]

    def tell(self, faults: list[Fault], base: ValuePath) -> None:
        """Report faults of the value at `base`, but not those that follow from another."""
        for fault in faults:
            place = Place(self.source, (*base, *fault.path), fault.key)
            is_misread = bool(self.misread) and (
                self.source.locate(place.path, key=place.key) in self.misread
            )
            if is_misread or (not base and is_limit_of_no_provider(fault.path, self.catalog)):
                continue
            told = taught(fault, base, self.catalog)
            self.findings.report(place, told.code, told.message, told.hint)


def _read_jobs(
    path: Path, source: Source, catalog: Catalog, findings: Findings
) -> tuple[JobSpec, ...]:
    """All jobs that have no problems; the manifest's problems are reported."""
    faults = document_faults(source.value)
    misread = ((p.line, p.column) for p in source.problems if p.code in _MISREAD)
    teller = _Teller(source, catalog, findings, frozenset(misread))
    teller.tell(faults, ())
    document = source.value
    if not isinstance(document, dict):
        return ()
    check_names(document, catalog, Place(source, ()), findings)
    jobs = document.get("jobs")
    if not isinstance(jobs, list):
        return ()
    faults_by_job = job_faults(jobs)
    for number, found in faults_by_job.items():
        teller.tell(found, ("jobs", number))
    folder = path.absolute().parent
    resolver = Resolver(catalog, findings, ReferenceLists(folder))
    expander = Expander(folder, PurePath(path).parent, resolver, findings, Names(findings))
    written = _Written(jobs, faults_by_job, _shared(source, faults))
    specs = tuple(spec for drafts in written.drafts() for spec in expander.expand(drafts))
    expander.tell_of_unused()
    defaults = document.get("defaults")
    resolver.report_strange_defaults(defaults.get("model") if isinstance(defaults, dict) else None)
    if not findings.problems:
        expander.tell_of_repeats(specs, written.drafts_by_id)
    return specs


@dataclass(frozen=True, slots=True)
class _Written:
    """The manifest's jobs as they are written, and what is wrong with each."""

    jobs: list[Data]
    faults: Mapping[int, list[Fault]]
    shared: Shared

    def drafts(self) -> Iterator[tuple[Draft, ...]]:
        """The drafts of each job that is a mapping."""
        for number, job in enumerate(self.jobs):
            if isinstance(job, dict):
                yield self._drafts(number)

    def drafts_by_id(self, job_id: str) -> tuple[Draft, ...]:
        """The drafts of the job with this id, in a manifest without problems."""
        return self._drafts([job["id"] for job in self.jobs].index(job_id))

    def _drafts(self, number: int) -> tuple[Draft, ...]:
        faults = self.faults.get(number, ())
        layer = sound_layer(self.jobs[number], ("jobs", number), faults)
        return tuple(drafts_of(number, layer, self.shared))


def _shared(source: Source, faults: list[Fault]) -> Shared:
    """What all jobs start from."""
    document = source.value
    defaults = sound_layer(document.get("defaults", {}), ("defaults",), _below("defaults", faults))
    variables = sound_layer(document.get("vars", {}), ("vars",), _below("vars", faults))
    # A variable that is wrong is known by its name, but not one of variables that are no mapping.
    is_mapping = isinstance(document.get("vars", {}), dict)
    spoiled = variables.spoiled if is_mapping else frozenset({"vars"})
    meant = {name for fault in faults if len(fault.path) == 1 for name in fault.names}
    if "defaults" in meant:
        spoiled |= EVERYTHING
    return shared_by_all(source, defaults, variables, spoiled | (meant & {"vars"}))


def _below(name: str, faults: list[Fault]) -> list[Fault]:
    """The faults inside one of the document's fields, as seen from that field."""
    return [replace(fault, path=fault.path[1:]) for fault in faults if fault.path[:1] == (name,)]


def _manifest(
    path: Path,
    document: Mapping[str, Data],
    catalog: Catalog,
    jobs: tuple[JobSpec, ...],
    warnings: tuple[Problem, ...],
) -> Manifest:
    return Manifest(
        path=path.absolute(),
        campaign=document["campaign"],
        seed=int(document.get("seed", 0)),
        budget=read_budget(document.get("budget")),
        limits=read_limits(document.get("limits"), catalog),
        runs=runs_of(path, document.get("runs", DEFAULT_RUNS)),
        prices=dict(document.get("prices") or {}),
        jobs=jobs,
        warnings=warnings,
    )
