"""How a manifest's schema follows the choice of a model: its parameters, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.schema.params import param_schema, params_schema
from orchestrator.catalog.schema.written import prompt_of, references_of

if TYPE_CHECKING:
    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog, Model

_NO_OWN_MODEL: Schema = {"type": "object", "not": {"required": ["model"]}}
#: A job in which nothing names a model: all of it takes the model of `defaults`.
_NO_MODEL_ANYWHERE: Schema = {
    **_NO_OWN_MODEL,
    "properties": {
        "matrix": _NO_OWN_MODEL,
        "prompts": {"items": {"not": {"type": "object", "required": ["model"]}}},
    },
}


def model_names(model: Model, catalog: Catalog) -> tuple[str, ...]:
    """The names that mean this model: the bare one only where no other provider has it."""
    bare = (model.model,) if len(catalog.candidates(model.model)) == 1 else ()
    return (*bare, model.name)


def model_definitions(catalog: Catalog) -> dict[str, Schema]:
    """The `$defs` for the choice of a model.

    `ownModel` is for a job or a prompt that may name its model; `uses.PROVIDER.MODEL` and
    `params.PROVIDER.MODEL` are for one, and for its `params`, whose model is known.
    `defaults.PROVIDER.MODEL` is for the `params` of `defaults` that name a model, where some job
    has another one.
    """
    definitions: dict[str, Schema] = {
        "ownModel": {
            "allOf": [
                {"if": _names_model(model, catalog), "then": _uses(model)}
                for model in catalog.models.values()
            ]
        }
    }
    for model in catalog.models.values():
        definitions[_key("uses", model)] = _uses_definition(model)
        own = params_schema(model, templates=True)
        definitions[_key("params", model)] = own
        definitions[_key("defaults", model)] = {**own, **_parameters_of_others(model, catalog)}
    return definitions


def models_of_defaults(catalog: Catalog) -> list[Schema]:
    """For the whole manifest: `defaults` that name a model, and jobs that take it from there."""
    return [
        {
            "if": {
                "required": ["defaults"],
                "properties": {"defaults": _names_model(model, catalog)},
            },
            "then": {
                "properties": {"jobs": {"items": {"if": _NO_OWN_MODEL, "then": _uses(model)}}},
                "if": {"properties": {"jobs": {"items": _NO_MODEL_ANYWHERE}}},
                "then": _params_of_defaults("params", model),
                "else": _params_of_defaults("defaults", model),
            },
        }
        for model in catalog.models.values()
    ]


def _params_of_defaults(role: str, model: Model) -> Schema:
    params: Schema = {"$ref": f"#/$defs/{_key(role, model)}"}
    return {"properties": {"defaults": {"properties": {"params": params}}}}


def _parameters_of_others(model: Model, catalog: Catalog) -> Schema:
    """Parameters that only other models have: their jobs take them, and editors do not offer them.

    What other models have is known by name alone, whatever the value.
    """
    own = {param.key for param in model.params}
    names = {param.key for other in catalog.models.values() for param in other.params} - own
    if not names:
        return {}
    return {"patternProperties": {f"^({'|'.join(sorted(names))})$": {}}}


def _key(role: str, model: Model) -> str:
    """A name for `$defs` without a slash, which a JSON pointer would have to escape."""
    return f"{role}.{model.provider}.{model.model}"


def _uses(model: Model) -> Schema:
    return {"$ref": f"#/$defs/{_key('uses', model)}"}


def _names_model(model: Model, catalog: Catalog) -> Schema:
    names = list(model_names(model, catalog))
    return {
        "type": "object",
        "required": ["model"],
        "properties": {"model": {"enum": names}},
    }


def _uses_definition(model: Model) -> Schema:
    """What holds for a mapping whose model is known, unless a `model` axis overrides it."""
    return {
        "if": {"properties": {"matrix": _NO_OWN_MODEL}},
        "then": {
            "properties": {
                "params": {"$ref": f"#/$defs/{_key('params', model)}"},
                "matrix": _parameter_axes(model),
                "prompts": {"items": {"if": _NO_OWN_MODEL, "then": _uses(model)}},
                **prompt_of(model),
                **references_of(model),
            }
        },
    }


def _parameter_axes(model: Model) -> Schema:
    """Axes named `params.KEY`: those of this model, each with values that it takes."""
    axes = {
        f"params.{param.key}": {
            "description": param.description,
            "items": param_schema(param, templates=True),
        }
        for param in model.params
    }
    return {
        "properties": axes,
        "propertyNames": {"anyOf": [{"not": {"pattern": r"^params\."}}, {"enum": list(axes)}]},
    }
