"""Read a manifest and tell everything that is wrong with it, or what it means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from orchestrator.errors import ManifestError
from orchestrator.manifest.builder import SourceError
from orchestrator.manifest.drafts import Entry, drafts_of, sound_layer
from orchestrator.manifest.expand import Expander
from orchestrator.manifest.header import check_names, read_budget, read_limits
from orchestrator.manifest.model import Manifest
from orchestrator.manifest.problems import Findings, Place
from orchestrator.manifest.reference_lists import ReferenceLists
from orchestrator.manifest.resolve import Resolver
from orchestrator.manifest.source import Source, parse, read_text
from orchestrator.manifest.structure import document_faults, job_faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.jobs import JobSpec, Problem
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.positions import Path as ValuePath

_DEFAULT_RUNS = "runs"


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


def _read_jobs(
    path: Path, source: Source, catalog: Catalog, findings: Findings
) -> tuple[JobSpec, ...]:
    """All jobs that have no problems; the manifest's problems are reported."""
    faults = document_faults(source.value)
    _report(faults, source, (), findings)
    document = source.value
    if not isinstance(document, dict):
        return ()
    check_names(document, catalog, Place(source, ()), findings)
    jobs = document.get("jobs")
    if not isinstance(jobs, list):
        return ()
    faults_by_job = job_faults(jobs)
    for number, found in faults_by_job.items():
        _report(found, source, ("jobs", number), findings)
    resolver = Resolver(
        catalog,
        findings,
        ReferenceLists(path.absolute().parent),
        variables_known=not any(fault.path[:1] == ("vars",) for fault in faults),
    )
    expander = Expander(path.absolute().parent, PurePath(path).parent, resolver, findings)
    specs = _expand(source, jobs, faults, faults_by_job, expander)
    defaults = document.get("defaults")
    resolver.report_strange_defaults(defaults.get("model") if isinstance(defaults, dict) else None)
    return specs


def _expand(
    source: Source,
    jobs: list[Data],
    faults: list[Fault],
    faults_by_job: Mapping[int, list[Fault]],
    expander: Expander,
) -> tuple[JobSpec, ...]:
    document = source.value
    defaults = sound_layer(document.get("defaults"), ("defaults",), _below("defaults", faults))
    stated = sound_layer(document.get("vars"), ("vars",), _below("vars", faults)).fields
    variables = {name: Entry(value, source, ("vars", name)) for name, value in stated.items()}
    specs: list[JobSpec] = []
    for number, job in enumerate(jobs):
        layer = sound_layer(job, ("jobs", number), faults_by_job.get(number, ()))
        if not isinstance(job, dict):
            continue
        expander.begin_job()
        for draft in drafts_of(source, number, layer, defaults, variables):
            specs.extend(expander.expand(draft))
    return tuple(specs)


def _below(name: str, faults: list[Fault]) -> list[Fault]:
    """The faults inside one of the document's fields, as seen from that field."""
    return [replace(fault, path=fault.path[1:]) for fault in faults if fault.path[:1] == (name,)]


def _report(faults: list[Fault], source: Source, base: ValuePath, findings: Findings) -> None:
    for fault in faults:
        place = Place(source, (*base, *fault.path), fault.key)
        findings.report(place, fault.code, fault.message, fault.hint)


def _manifest(
    path: Path,
    document: Mapping[str, Data],
    catalog: Catalog,
    jobs: tuple[JobSpec, ...],
    warnings: tuple[Problem, ...],
) -> Manifest:
    folder = path.absolute().parent
    return Manifest(
        path=path.absolute(),
        campaign=document["campaign"],
        seed=int(document.get("seed", 0)),
        budget=read_budget(document.get("budget")),
        limits=read_limits(document.get("limits"), catalog),
        runs=(folder / document.get("runs", _DEFAULT_RUNS)).resolve(),
        prices=dict(document.get("prices") or {}),
        jobs=jobs,
        warnings=warnings,
    )
