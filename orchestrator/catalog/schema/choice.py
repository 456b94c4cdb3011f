"""How a manifest's schema follows the choice of a model: its parameters, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.schema.params import param_schema, params_schema

if TYPE_CHECKING:
    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog, Model

_NO_OWN_MODEL: Schema = {"type": "object", "not": {"required": ["model"]}}


def model_names(model: Model, catalog: Catalog) -> tuple[str, ...]:
    """The names that mean this model: the bare one only where no other provider has it."""
    bare = (model.model,) if len(catalog.candidates(model.model)) == 1 else ()
    return (*bare, model.name)


def model_definitions(catalog: Catalog) -> dict[str, Schema]:
    """The `$defs` for the choice of a model.

    `ownModel` is for a mapping that may name its model; `uses.PROVIDER.MODEL` and
    `params.PROVIDER.MODEL` are for a mapping, and its `params`, whose model is known.
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
        definitions[_key("params", model)] = params_schema(model, templates=True)
    return definitions


def models_of_defaults(catalog: Catalog) -> list[Schema]:
    """For the whole manifest: jobs without a model take that of `defaults`."""
    return [
        {
            "if": {
                "required": ["defaults"],
                "properties": {"defaults": _names_model(model, catalog)},
            },
            "then": {
                "properties": {"jobs": {"items": {"if": _NO_OWN_MODEL, "then": _uses(model)}}}
            },
        }
        for model in catalog.models.values()
    ]


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
