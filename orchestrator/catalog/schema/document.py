"""The schema of a whole manifest: its structure alone, or with each model's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.schema.account import budget, limits, prices
from orchestrator.catalog.schema.choice import model_definitions, model_names, models_of_defaults
from orchestrator.catalog.schema.inherited import inherited_from_defaults, inherited_from_jobs
from orchestrator.catalog.schema.job import job_definitions, variables
from orchestrator.catalog.schema.params import DIALECT, TEMPLATE
from orchestrator.catalog.schema.written import tell_more, what_jobs_need

if TYPE_CHECKING:
    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog

_MODEL = "The model: MODEL where one provider has it, else PROVIDER/MODEL."


def structure_schema() -> Schema:
    """A manifest's structure, whatever the catalogue holds.

    Models, providers and parameters may have any name; `params` maps names to scalars. `$defs.job`
    describes one job, and refers to nothing outside this document.
    """
    return _document({"type": "string", "description": _MODEL, "minLength": 1}, None)


def manifest_schema(catalog: Catalog) -> Schema:
    """The schema that editors complete and check with.

    It knows the catalogue's providers and models, and gives the `params` of every job whose model
    stands in the job, on its axis, in its prompt or in `defaults` exactly that model's parameters.
    `defaults` may hold parameters of another model where some job names one.
    """
    names = [name for model in catalog.models.values() for name in model_names(model, catalog)]
    model = {"description": _MODEL, "anyOf": [{"enum": sorted(names)}, TEMPLATE]}
    document = _document(model, catalog)
    definitions = document["$defs"]
    tell_more(definitions)
    for mapping in (definitions["job"], definitions["promptItem"]["anyOf"][1]):
        mapping["allOf"] = [{"$ref": "#/$defs/ownModel"}]
    definitions.update(model_definitions(catalog))
    definitions["job"]["allOf"] += inherited_from_jobs(catalog)
    document["allOf"] = [
        *models_of_defaults(catalog),
        *inherited_from_defaults(catalog),
        *what_jobs_need(),
    ]
    return document


def _document(model: Schema, catalog: Catalog | None) -> Schema:
    return {
        "$schema": DIALECT,
        "title": "Manifest",
        "description": "A campaign of video generations, version 1.",
        "type": "object",
        "properties": _properties(catalog),
        "required": ["version", "campaign", "jobs"],
        "additionalProperties": False,
        "$defs": job_definitions(model),
    }


def _properties(catalog: Catalog | None) -> dict[str, Schema]:
    return {
        "version": {"description": "The version of the manifest's format: 1.", "const": 1},
        "campaign": {
            "type": "string",
            "description": "Name of the campaign and of its run folder: lower-case letters, "
            "digits, `.`, `_` and `-`, at most 64.",
            "pattern": "^[a-z0-9][a-z0-9._-]*$",
            "maxLength": 64,
            # Python's `$` stands before a last line break too.
            "not": {"type": "string", "pattern": r"\n"},
        },
        "seed": {
            "type": "integer",
            "description": "From it come the seeds that jobs leave out; 0 where left out.",
        },
        "budget": budget(catalog),
        "limits": limits(catalog),
        "runs": {
            "type": "string",
            "description": "Folder of the run folders, relative to the manifest; `runs` where "
            "left out.",
            "minLength": 1,
        },
        "vars": variables("Variables that `{{name}}` stands for in every job."),
        "prices": prices(catalog),
        "defaults": {"$ref": "#/$defs/jobDefaults"},
        "jobs": {
            "type": "array",
            "description": "The jobs, in the order in which they are sent.",
            "minItems": 1,
            "items": {"$ref": "#/$defs/job"},
        },
    }
