"""The schema of one job of a manifest, and of what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.spec import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.catalog.schema.params import Schema

_SCALAR = ["string", "number", "boolean"]
#: What a job has of its own: `defaults` cannot give it.
_OWN_FIELDS = ("id", "prompts", "rows", "matrix")


def job_definitions(model: Schema) -> dict[str, Schema]:
    """The `$defs` `job`, `promptItem`, `jobDefaults` and `reference`.

    `model` describes the values of the field `model`. References among the definitions are of the
    form `#/$defs/reference`.
    """
    fields = _fields(model)
    return {
        "job": _job(fields),
        "promptItem": _prompt_item(fields),
        "jobDefaults": _mapping(
            "What every job starts from; a job's own fields win.",
            {key: field for key, field in fields.items() if key not in _OWN_FIELDS},
        ),
        "reference": _reference(),
    }


def variables(description: str) -> Schema:
    """A mapping from names to text, numbers or booleans."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": {"type": _SCALAR},
    }


def _job(fields: dict[str, Schema]) -> Schema:
    job = _mapping("One job, or a whole grid of them.", fields, required=["id"])
    return {**job, "not": {"type": "object", "required": ["prompt", "prompts"]}}


def _prompt_item(fields: dict[str, Schema]) -> Schema:
    own = {
        **{key: field for key, field in fields.items() if key != "prompts"},
        "id": _text("Name of this prompt within the job; left out, a digest of the prompt."),
    }
    return {
        "description": "One prompt: text, or a mapping with `prompt` and whatever a job may have.",
        "anyOf": [
            _text("The prompt; `{{name}}` stands for a variable."),
            _mapping("A prompt with fields of its own.", own, required=["prompt"]),
        ],
    }


def _fields(model: Schema) -> dict[str, Schema]:
    return {
        "id": _text("Name of the job, unique in the campaign; it begins the names of its files."),
        "model": model,
        "prompt": _text("What to generate; `{{name}}` stands for a variable."),
        "prompts": {
            "type": "array",
            "description": "One job for each prompt, in place of `prompt`.",
            "minItems": 1,
            "items": {"$ref": "#/$defs/promptItem"},
        },
        "params": variables("The model's parameters; those left out take the table's defaults."),
        "references": {
            "type": "array",
            "description": "Images, videos or audio that the generation starts from, in order.",
            "items": {"$ref": "#/$defs/reference"},
        },
        "takes": _whole("How many separate generations to make; 1 where left out.", least=1),
        "tags": {
            "type": "array",
            "description": "Labels that `--select tag:NAME` finds.",
            "items": {"type": "string", "minLength": 1},
        },
        "retries": _whole(
            "New paid attempts after the provider reports failure; 0 where left out.", least=0
        ),
        "on_refusal": {
            "description": "When the provider refuses the content: `skip` fails this job alone, "
            "`stop` ends the run's creates; `skip` where left out.",
            "enum": ["skip", "stop"],
        },
        "vars": variables("Variables of this job; they win over the manifest's."),
        "matrix": _matrix(model),
        "rows": _text("A table file (.csv, .tsv, .jsonl, .yaml, .txt): one job for each row."),
    }


def _matrix(model: Schema) -> Schema:
    scalars: Schema = {"type": "array", "minItems": 1, "items": {"type": _SCALAR}}
    references: Schema = {
        "anyOf": [
            {"$ref": "#/$defs/reference"},
            {"type": "array", "items": {"$ref": "#/$defs/reference"}},
        ]
    }
    return {
        "type": "object",
        "description": "Axes and their values: one job for each combination.",
        "minProperties": 1,
        "properties": {
            "model": _axis("Models, one after the other.", model),
            "references": _axis("Each value is a reference, or a list of them.", references),
        },
        "additionalProperties": {
            **scalars,
            "description": "Values of a variable, or of a parameter (`params.KEY`).",
        },
    }


def _axis(description: str, items: Schema) -> Schema:
    return {"type": "array", "description": description, "minItems": 1, "items": items}


def _reference() -> Schema:
    mapping = _mapping(
        "A file or URL with what is known about it.",
        {
            "path": _text("A local file, relative to the manifest."),
            "url": _text("A public https URL."),
            "kind": {
                "description": "What it is, where the extension does not tell.",
                "enum": list(KINDS),
            },
            "name": _text("The name that the provider is told."),
            "mime_type": _text("The MIME type that the provider is told, such as image/png."),
            "duration_seconds": {
                "type": "number",
                "description": "Length of a video or audio in seconds.",
                "exclusiveMinimum": 0,
            },
            "duration_token": _text("What the provider's Files API gave for this URL."),
            "upload": {
                "type": "boolean",
                "description": "Whether the URL is fetched and uploaded instead of passed on.",
            },
        },
    )
    return {
        "description": "A local file or a public https URL.",
        "anyOf": [
            _text("A path, relative to the manifest, or a public https URL."),
            {**mapping, "oneOf": [{"required": ["path"]}, {"required": ["url"]}]},
        ],
    }


def _mapping(description: str, fields: dict[str, Schema], required: Iterable[str] = ()) -> Schema:
    names = list(required)
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        **({"required": names} if names else {}),
        "additionalProperties": False,
    }


def _text(description: str) -> Schema:
    return {"type": "string", "description": description, "minLength": 1}


def _whole(description: str, *, least: int) -> Schema:
    return {"type": "integer", "description": description, "minimum": least}
