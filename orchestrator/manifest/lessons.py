"""Hints that know a manifest: where a misplaced field belongs, what a missing one looks like."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from orchestrator.catalog.schema import structure_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.positions import Path

#: What a missing field looks like.
_ADD = {
    "version": "begin the manifest with `version: 1`",
    "campaign": "add `campaign: my-campaign`; it names the run folder",
    "jobs": "add `jobs:`, and below it each job with a dash",
    "id": "add `id: my-job`; it names the job's files",
    "prompt": "add `prompt: …`",
}
#: What an empty field needs.
_FILL = {
    "prompt": "write what is to be seen",
    "id": "name the job; its files are called so",
    "jobs": "begin each job with a dash",
}
#: What a field of the wrong type should look like.
_FORMS = {
    "budget": "budget: {credits: {rivya: 500}, jobs: 40}",
    "credits": "credits: {rivya: 500}",
    "limits": "limits: {rivya: {in_flight: 4}}",
    "prices": "prices: {rivya/sora-2-pro: 75}",
    "vars": "vars: {product: bottle}",
    "defaults": "defaults: {model: sora-2-pro}",
    "params": "params: {n_frames: 10}",
    "matrix": "matrix: {style: [noir, pastel]}",
    "jobs": "jobs: [{id: lake, prompt: A lake}]",
}

#: Where a mapping stands: what may be in it depends on that.
_JOB, _DEFAULTS, _ITEM, _TOP, _BUDGET = "job", "defaults", "prompt", "manifest", "budget"


@cache
def _fields() -> Mapping[str, frozenset[str]]:
    """The fields of each mapping that a manifest's fields can be misplaced in."""
    schema = structure_schema()
    jobs = schema["$defs"]
    return {
        _TOP: frozenset(schema["properties"]),
        _JOB: frozenset(jobs["job"]["properties"]),
        _DEFAULTS: frozenset(jobs["jobDefaults"]["properties"]),
    }


def taught(fault: Fault, base: Path, catalog: Catalog) -> Fault:
    """The fault with a better hint, where the manifest's own rules give one.

    `base` is the path of the value that was checked: the document's, or a job's.
    """
    hint = _hint(fault, (*base, *fault.path), catalog)
    return replace(fault, hint=hint) if hint else fault


def _hint(fault: Fault, path: Path, catalog: Catalog) -> str:
    name = str(path[-1]) if path else ""
    if fault.code == "unknown-key":
        return _where_it_belongs(name, _mapping_at(path[:-1]), catalog)
    if fault.code == "missing-key" and len(fault.names) == 1:
        return _ADD.get(fault.names[0], "")
    if fault.code == "empty":
        return _FILL.get(name, "")
    return _form(fault, path) if fault.code == "wrong-type" else ""


def _form(fault: Fault, path: Path) -> str:
    """What a value of another type should look like."""
    if not path:
        return "a manifest begins with `version: 1`, and its jobs stand under `jobs:`"
    name, within = str(path[-1]), path[-2:-1]
    if within == ("jobs",):
        return "write `- id: my-job`, and its other fields below"
    if fault.message.endswith("found a list") and within == ("vars",):
        return "a variable has one value; several are an axis of a job's `matrix`"
    if fault.message.endswith("found a list") and within == ("params",):
        return f"several values are an axis: `matrix: {{params.{name}: […]}}`"
    is_count = path == ("budget", "jobs")
    return f"write it like `{_FORMS[name]}`" if name in _FORMS and not is_count else ""


def _mapping_at(path: Path) -> str:
    if not path:
        return _TOP
    if path[0] == "jobs" and len(path) == 2:
        return _JOB
    if path[0] == "jobs" and len(path) == 4 and path[2] == "prompts":
        return _ITEM
    return str(path[0]) if len(path) == 1 and path[0] in {_DEFAULTS, _BUDGET} else ""


def _where_it_belongs(name: str, mapping: str, catalog: Catalog) -> str:
    if mapping == _BUDGET and name in catalog.providers():
        return f"write `credits: {{{name}: 500}}`"
    if mapping not in {_TOP, _JOB, _DEFAULTS, _ITEM}:
        return ""
    fields = _fields()
    if name in fields[_JOB]:
        also = ", or to `defaults`" if mapping == _TOP and name in fields[_DEFAULTS] else ""
        return f"`{name}` belongs to a job{also}"
    if any(model.param(name) for model in catalog.models.values()):
        whose = " of a job or of `defaults`" if mapping == _TOP else ""
        return f"parameters stand under `params`{whose}: `params: {{{name}: …}}`"
    return f"`{name}` belongs to the top of the manifest" if name in fields[_TOP] else ""
