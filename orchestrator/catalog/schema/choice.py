"""How a manifest's schema follows the choice of a model: its parameters, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.schema.inherited import has_on_axis, key_of, user_definitions
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

    `ownModel` is for a job or a prompt that may name its model, or several on an axis;
    `uses.PROVIDER.MODEL` is for one whose model is known, `axis.PROVIDER.MODEL` for one on whose
    axis it stands; `fields.PROVIDER.MODEL`, `params.PROVIDER.MODEL` and
    `value.PROVIDER.MODEL.KEY` are for what both hold.
    `defaults.PROVIDER.MODEL` is for the `params` of `defaults` that name a model, where some job
    has another one.
    """
    definitions: dict[str, Schema] = {
        "ownModel": {
            "allOf": [
                choice
                for model in catalog.models.values()
                for choice in (
                    {"if": _names_model(model, catalog), "then": _uses(model)},
                    _on_axis(model, catalog),
                )
            ]
        }
    }
    for model in catalog.models.values():
        definitions[key_of("uses", model)] = _uses_definition(model)
        definitions[key_of("axis", model)] = _axis_definition(model, catalog)
        definitions[key_of("fields", model)] = _fields_definition(model)
        definitions.update(user_definitions(model, model_names(model, catalog)))
        for param in model.params:
            definitions[key_of("value", model, param)] = param_schema(param, templates=True)
        own = params_schema(model, templates=True)
        definitions[key_of("params", model)] = own
        definitions[key_of("defaults", model)] = {**own, **_parameters_of_others(model, catalog)}
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
    params: Schema = {"$ref": f"#/$defs/{key_of(role, model)}"}
    return {"properties": {"defaults": {"properties": {"params": params}}}}


def _parameters_of_others(model: Model, catalog: Catalog) -> Schema:
    """Parameters that only other models have: their jobs take them, and editors do not offer them.

    What other models have is known by name alone, whatever the value.
    """
    names = _keys_of_others(model, catalog)
    return {"patternProperties": {f"^({'|'.join(names)})$": {}}} if names else {}


def _keys_of_others(model: Model, catalog: Catalog) -> list[str]:
    own = {param.key for param in model.params}
    keys = {param.key for other in catalog.models.values() for param in other.params}
    return sorted(keys - own)


def _uses(model: Model) -> Schema:
    return {"$ref": f"#/$defs/{key_of('uses', model)}"}


def _names_model(model: Model, catalog: Catalog) -> Schema:
    names = list(model_names(model, catalog))
    return {
        "type": "object",
        "required": ["model"],
        "properties": {"model": {"enum": names}},
    }


def _uses_definition(model: Model) -> Schema:
    """What holds for a mapping whose model is known, unless a `model` axis overrides it."""
    prompts: Schema = {"items": {"if": _NO_OWN_MODEL, "then": _uses(model)}}
    return {
        "if": {"properties": {"matrix": _NO_OWN_MODEL}},
        "then": {
            "allOf": [_fields(model), _axes_but(r"^params\.", model)],
            "properties": {"prompts": prompts},
        },
    }


def _axis_definition(model: Model, catalog: Catalog) -> Schema:
    """What holds for a mapping with the model on its axis, and for the prompts that it crosses.

    Its other axes are no parameters that only other models have.
    """
    foreign = "|".join(_keys_of_others(model, catalog))
    only = [_axes_but(rf"^params\.({foreign})$", model)] if foreign else []
    prompts: Schema = {"items": {"$ref": f"#/$defs/{key_of('axis', model)}"}}
    return {"allOf": [_fields(model), *only], "properties": {"prompts": prompts}}


def _on_axis(model: Model, catalog: Catalog) -> Schema:
    """What holds for a job or a prompt, if the model stands on its axis.

    A prompt's own matrix takes the place of its job's, which then need not fit.
    """
    own_matrix: Schema = {"type": "object", "required": ["matrix"]}
    all_crossed: Schema = {"properties": {"prompts": {"not": {"contains": own_matrix}}}}
    return {
        # Below a `not`, as editors would offer the names of the condition too.
        "if": {"not": {"allOf": [has_on_axis(model_names(model, catalog)), all_crossed]}},
        "else": {"$ref": f"#/$defs/{key_of('axis', model)}"},
    }


def _fields_definition(model: Model) -> Schema:
    """What a mapping may hold that generates with this model; axes named `params.KEY` too."""
    axes = {
        f"params.{param.key}": {
            "description": param.description,
            "items": {"$ref": f"#/$defs/{key_of('value', model, param)}"},
        }
        for param in model.params
    }
    return {
        "properties": {
            "params": {"$ref": f"#/$defs/{key_of('params', model)}"},
            "matrix": {"properties": axes},
            **prompt_of(model),
            **references_of(model),
        }
    }


def _fields(model: Model) -> Schema:
    return {"$ref": f"#/$defs/{key_of('fields', model)}"}


def _axes_but(pattern: str, model: Model) -> Schema:
    """A matrix whose axes are the model's parameters, and what does not match."""
    own = [f"params.{param.key}" for param in model.params]
    names: Schema = {"anyOf": [{"not": {"pattern": pattern}}, {"enum": own}]}
    # By pattern, as editors would offer the field a second time.
    return {"patternProperties": {"^matrix$": {"propertyNames": names}}}
