"""The schema of a parameter table itself, for those who write one of their own.

It describes the YAML file; `tables.py` shows one. Absent facts may be left out or `null`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from orchestrator.catalog.schema.params import DIALECT
from orchestrator.catalog.spec import KINDS, ParamType
from orchestrator.catalog.tables import UNIT

if TYPE_CHECKING:
    from orchestrator.catalog.schema.params import Schema

_FIELD_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$"
_SCALAR = ["string", "number", "boolean"]
_NULL: Schema = {"type": "null"}


def table_schema() -> Schema:
    """What a table's file must look like. Whether its facts fit each other is not its matter."""
    return {
        "$schema": DIALECT,
        "title": "Parameter table",
        "description": "What is known about one model: price, parameters, references.",
        **_mapping(
            {
                "provider": _pattern("The provider's name.", "^[a-z0-9][a-z0-9-]*$"),
                "model": _pattern("The model's id on the wire.", "^[A-Za-z0-9][A-Za-z0-9._-]*$"),
                "title": _text("The model's name for people."),
                "source": _text("Where the facts were read."),
                "read": _pattern(
                    "When they were read: a day such as 2026-05-11, or a month.",
                    "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$",
                ),
                "price": _or_null(
                    {"type": "number", "exclusiveMinimum": 0},
                    "Price of one generation in `unit`; null where it is not known.",
                ),
                "unit": {"enum": [UNIT], "description": "What prices are counted in."},
                "billing": _or_null(_text(""), "The provider's own word, such as FIXED."),
                "prompt_limit": _or_null(_count(1), "The longest prompt, in characters."),
                "params": {
                    "type": ["object", "null"],
                    "description": "The parameters by name, in the provider's order.",
                    "propertyNames": {"type": "string", "pattern": _FIELD_NAME},
                    "additionalProperties": {"$ref": "#/$defs/param"},
                },
                "references": {**_references(), "type": ["object", "null"]},
            },
            required=["provider", "model", "title", "source", "read", "unit"],
        ),
        "$defs": {"param": _param(), "kind": _kind()},
    }


def _param() -> Schema:
    fields = {
        "type": {
            "description": "`select` and `text` are strings on the wire.",
            "enum": list(get_args(ParamType)),
        },
        "required": _or_null({"type": "boolean"}, "Whether a request must have it."),
        "default": {
            "type": [*_SCALAR, "null"],
            "description": "What is sent where a job says nothing; null where nothing is sent.",
        },
        "options": {
            "type": ["array", "null"],
            "description": "The values of a `select`, as the wire has them.",
            "items": {"type": _SCALAR},
            "minItems": 1,
            "uniqueItems": True,
        },
        "min": _or_null({"type": "number"}, "The least value of a `number`."),
        "max": _or_null({"type": "number"}, "The greatest value of a `number`."),
        "step": _or_null(
            {"type": "number", "exclusiveMinimum": 0}, "Values of a `number` are this far apart."
        ),
        "description": _text("One sentence, which editors show."),
    }
    return {
        **_mapping(fields, required=["type", "description"]),
        "allOf": [
            _where_type_is("select", {"required": ["options"], **_without("min", "max", "step")}),
            _where_type_is("select", {"properties": {"options": {"type": "array"}}}),
            _where_type_is("number", _without("options")),
            _where_type_is("number", {"properties": {"default": {"type": ["number", "null"]}}}),
            _where_type_is("text", _without("options", "min", "max", "step")),
        ],
    }


def _references() -> Schema:
    return _mapping(
        {
            "field": _pattern("The body field that references fill.", _FIELD_NAME),
            "uploads": {"type": "boolean", "description": "Whether local files can be uploaded."},
            "min_files": _or_null(_count(0), "How many files are needed; 0 where left out."),
            "max_files": {**_count(1), "description": "How many files are taken at most."},
            "kinds": {
                "description": "What is taken of each kind.",
                **_mapping({kind: {"$ref": "#/$defs/kind"} for kind in KINDS}),
                "minProperties": 1,
            },
            "combinations": {
                "type": ["array", "null"],
                "description": "Most files of each kind that go together; one of them must fit. "
                "Left out where only `max_files` counts.",
                "minItems": 1,
                "items": {
                    **_mapping(
                        {kind: _or_null(_count(1), "Most files of this kind.") for kind in KINDS}
                    ),
                    "minProperties": 1,
                },
            },
            "rule": _text("The rule in one sentence, for messages."),
        },
        required=["field", "uploads", "max_files", "kinds", "rule"],
    )


def _kind() -> Schema:
    return _mapping(
        {
            "max_size": {
                "type": ["string", "null"],
                "description": "The largest file, such as 10 MB; in bytes, KB, MB or GB.",
                "pattern": "^[0-9]+ ?(bytes|KB|MB|GB)$",
            },
            "mime_types": {
                "type": ["array", "null"],
                "description": "The MIME types that are taken; left out where all are.",
                "items": {"type": "string", "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
            },
            "duration_token": _or_null(
                {"type": "boolean"}, "Whether an upload's duration token goes with its URL."
            ),
        }
    )


def _where_type_is(name: str, then: Schema) -> Schema:
    condition: Schema = {"required": ["type"], "properties": {"type": {"const": name}}}
    return {"if": condition, "then": then}


def _without(*names: str) -> Schema:
    return {"properties": dict.fromkeys(names, _NULL)}


def _mapping(fields: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _or_null(schema: Schema, description: str) -> Schema:
    types: Any = [schema["type"], "null"]
    return {**schema, "type": types, "description": description}


def _text(description: str) -> Schema:
    return {"type": "string", "description": description, "pattern": "[^ ]"}


def _pattern(description: str, pattern: str) -> Schema:
    return {"type": "string", "description": description, "pattern": pattern}


def _count(least: int) -> Schema:
    return {"type": "integer", "minimum": least}
