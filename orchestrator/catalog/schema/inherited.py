"""How a manifest's schema follows parameters to the jobs and prompts that inherit them.

`defaults` and jobs may state parameters for a model that only a job or one of its prompts names. A
value is held against that model where nothing closer replaces it, as far as the text shows.

Conditions stand below a `not`: editors offer nothing of what is denied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog, Model, Param

#: A prompt that has all but its text from its job.
_TAKES_ALL: Schema = {
    "not": {
        "type": "object",
        "anyOf": [{"required": [name]} for name in ("model", "params", "matrix", "rows")],
    }
}
_NO_ROWS: Schema = {"not": {"required": ["rows"]}}


def key_of(role: str, model: Model, param: Param | None = None) -> str:
    """A name for `$defs` without a slash, which a JSON pointer would have to escape."""
    return ".".join([role, model.provider, model.model, *([param.key] if param else [])])


def has_on_axis(names: Iterable[str]) -> Schema:
    """A job or prompt whose `matrix` has one of these names on its `model` axis."""
    axis: Schema = {"type": "array", "contains": {"enum": list(names)}}
    matrix: Schema = {"type": "object", "required": ["model"], "properties": {"model": axis}}
    return {"type": "object", "required": ["matrix"], "properties": {"matrix": matrix}}


def user_definitions(model: Model, names: Iterable[str]) -> dict[str, Schema]:
    """The `$defs` for a model of these names that a job or prompt names itself.

    `user.PROVIDER.MODEL` is a job or prompt that generates with it, on an axis or not;
    `heir.PROVIDER.MODEL.KEY` one that takes the parameter from above, and
    `ancestor.PROVIDER.MODEL.KEY` a job with such a prompt.
    """
    of_its_own: Schema = {
        "required": ["model"],
        "properties": {"model": {"enum": list(names)}, "matrix": _lacks("model")},
    }
    definitions: dict[str, Schema] = {
        key_of("user", model): {"type": "object", "anyOf": [of_its_own, has_on_axis(names)]}
    }
    for param in _limited(model):
        definitions[key_of("heir", model, param)] = _heir(model, param)
        prompt = _defined("heir", model, param)
        axes = ("model", _axis(param))
        definitions[key_of("ancestor", model, param)] = _has_prompt(prompt, *axes)
    return definitions


def inherited_from_defaults(catalog: Catalog) -> list[Schema]:
    """For the whole manifest: parameters of `defaults` that jobs and prompts take.

    Without a model beside them, these are at least what some model has. Their values are held
    against the models that jobs and prompts name.
    """
    keys = {param.key for model in catalog.models.values() for param in model.params}
    names: Schema = {"properties": {"defaults": {"if": _lacks("model"), "then": _only(keys)}}}
    values: list[Schema] = [
        {
            "if": {"not": {"properties": {"jobs": {"contains": _takes_default(model, param)}}}},
            "else": {"properties": {"defaults": _value(model, param)}},
        }
        for model in catalog.models.values()
        for param in _limited(model)
    ]
    return [names, *values]


def inherited_from_jobs(catalog: Catalog) -> list[Schema]:
    """For one job: its parameters that prompts with a model of their own take.

    Whatever replaces a value, a name that a prompt's model does not have is refused.
    """
    names = [
        {
            "if": {"not": _has_prompt(_defined("user", model), "model")},
            "else": _only(param.key for param in model.params),
        }
        for model in catalog.models.values()
    ]
    values = [
        {"if": {"not": _defined("ancestor", model, param)}, "else": _value(model, param)}
        for model in catalog.models.values()
        for param in _limited(model)
    ]
    return [*names, *values]


def _limited(model: Model) -> Iterator[Param]:
    """The parameters that do not take just any value."""
    return (param for param in model.params if param.type != "text")


# --- who takes a parameter ---------------------------------------------------------------------


def _heir(model: Model, param: Param) -> Schema:
    """One that states the parameter nowhere, and has no table that could."""
    return {
        "allOf": [_defined("user", model)],
        "properties": {
            "params": _lacks(param.key),
            "matrix": _lacks(_axis(param)),
            "prompts": {"contains": _TAKES_ALL},
        },
        **_NO_ROWS,
    }


def _takes_default(model: Model, param: Param) -> Schema:
    """A job that takes the parameter from `defaults`, or one of whose prompts does."""
    states_none: Schema = {"properties": {"params": _lacks(param.key)}}
    by_prompt: Schema = {"allOf": [_defined("ancestor", model, param), states_none]}
    return {"anyOf": [_defined("heir", model, param), by_prompt]}


def _has_prompt(prompt: Schema, *axes: str) -> Schema:
    """A job with such a prompt, where neither a table nor one of these axes wins over it."""
    return {
        "type": "object",
        "required": ["prompts"],
        "properties": {
            "prompts": {"contains": prompt},
            "matrix": {"allOf": [_lacks(axis) for axis in axes]},
        },
        **_NO_ROWS,
    }


def _lacks(name: str) -> Schema:
    return {"not": {"required": [name]}}


def _axis(param: Param) -> str:
    return f"params.{param.key}"


# --- what its params must be -------------------------------------------------------------------


def _only(keys: Iterable[str]) -> Schema:
    # Without the type beside it, from which editors would offer them.
    return {"properties": {"params": {"propertyNames": {"enum": sorted(keys)}}}}


def _value(model: Model, param: Param) -> Schema:
    # By pattern, as editors offer the names below `properties`.
    value = {f"^{param.key}$": _defined("value", model, param)}
    return {"properties": {"params": {"patternProperties": value}}}


def _defined(role: str, model: Model, param: Param | None = None) -> Schema:
    return {"$ref": f"#/$defs/{key_of(role, model, param)}"}
