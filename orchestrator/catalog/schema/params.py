"""The schemas of one model's parameters: as a manifest writes them, and as the wire wants them."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.prices import described_price

if TYPE_CHECKING:
    from orchestrator.catalog.spec import Model, Param, ReferenceRules
    from orchestrator.jobs import Value

#: A JSON Schema, ready for `json.dumps` and for a validator.
Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Text that holds a `{{variable}}`.
TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{"}
#: Text, a number, true or false, in words from which editors offer nothing.
ANY_VALUE: Schema = {"not": {"type": ["object", "array", "null"]}}

#: The body field below `params` in which Rivya takes references, as a list of mappings.
_ITEMS_FIELD = "referenceMediaItems"
#: A stepped range with more values than this is not written out as an `enum`.
_MOST_STEPS = 1000


def params_schema(model: Model, *, templates: bool = False) -> Schema:
    """What a manifest may say under `params` for this model.

    Selects take the wire's strings and their natural spellings (`"15"` and `15`). Required
    parameters without a default are required.

    With `templates`, it describes `params` as they stand in the file: a value may hold a
    `{{variable}}`, and nothing is required, as `defaults`, an axis or a column may bring it.
    """
    return {
        "type": "object",
        "description": f"Parameters of {model.name}.",
        "properties": {
            param.key: param_schema(param, templates=templates) for param in model.params
        },
        **({} if templates else _required(model)),
        "additionalProperties": False,
    }


def param_schema(param: Param, *, templates: bool = False) -> Schema:
    """What a manifest may say for one parameter, with its description and default.

    With `templates`, editors offer each option once, in its natural spelling.
    """
    default: Value | bool | None = param.default
    if templates and param.type == "select" and default is not None:
        default = _without_quotes(str(default))
    return {
        "description": param.description,
        **({} if default is None else {"default": default}),
        **({"anyOf": _as_written(param)} if templates else _manifest_values(param)),
    }


def wire_schema(model: Model) -> Schema:
    """What `params` of the provider's create body must look like: selects are strings.

    References that travel inside `params` are described too, but for the rules about which kinds
    go together.
    """
    properties = {param.key: _wire_values(param) for param in model.params}
    required = [param.key for param in model.params if _is_required(param)]
    rules = model.references
    if rules is not None and rules.field == _ITEMS_FIELD:
        properties[_ITEMS_FIELD] = _reference_items(rules)
        if rules.min_files > 0:
            required.append(_ITEMS_FIELD)
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def model_schema(model: Model) -> Schema:
    """The stand-alone document of a model's parameters, as a manifest writes them."""
    limit = "not documented" if model.prompt_limit is None else f"{model.prompt_limit} characters"
    rule = "None." if model.references is None else model.references.rule
    facts = f"Price: {described_price(model)}. Longest prompt: {limit}. References: {rule}"
    return {
        "$schema": DIALECT,
        "title": f"{model.title} ({model.name}): parameters",
        **params_schema(model),
        "description": f"Parameters of {model.name}. {facts}",
    }


def natural_spelling(option: str) -> bool | int | float | None:
    """The boolean or number that a select's option looks like, None where it is plain text.

    Only spellings that lead back to the very same text count: `012` and `1.50` are text.
    """
    if option in ("true", "false"):
        return option == "true"
    for number_type in (int, float):
        try:
            number = number_type(option)
        except ValueError:
            continue
        if str(number) == option and math.isfinite(number):
            return number
    return None


def _manifest_values(param: Param) -> Schema:
    if param.type == "select":
        options = list(param.options or ())
        natural = [natural_spelling(option) for option in options]
        return {"enum": [*options, *(value for value in natural if value is not None)]}
    if param.type == "number":
        return _number(param)
    return {"type": ["string", "number", "boolean"]}


def _as_written(param: Param) -> list[Schema]:
    """What may stand in a file, the values that editors offer first."""
    if param.type == "text":
        return [ANY_VALUE]
    if param.type == "number":
        return [_number(param), TEMPLATE]
    options = list(param.options or ())
    offered = [_without_quotes(option) for option in options]
    quoted = [option for option in options if option not in offered]
    return [{"enum": offered}, *([_quoted(quoted)] if quoted else []), TEMPLATE]


def _quoted(options: list[str]) -> Schema:
    """Options that look like numbers or booleans, as texts: taken, and not offered a second time.

    A pattern, as editors offer every `enum` in a list, a denial of its denial too. It ends before
    no line break, where Python's `$` may stand.
    """
    texts = "|".join(option.replace(".", r"\.").replace("+", r"\+") for option in options)
    return {"type": "string", "pattern": rf"^({texts})$(?!\n)"}


def _without_quotes(option: str) -> Value | bool:
    """An option in its natural spelling."""
    natural = natural_spelling(option)
    return option if natural is None else natural


def _wire_values(param: Param) -> Schema:
    if param.type == "select":
        return {"type": "string", "enum": list(param.options or ())}
    return _number(param) if param.type == "number" else {"type": "string"}


def _number(param: Param) -> Schema:
    """A range. A `seed` is whole: the campaign derives it, and no provider takes a fraction."""
    schema: Schema = {"type": "integer" if param.key == "seed" else "number"}
    if param.min is not None:
        schema["minimum"] = param.min
    if param.max is not None:
        schema["maximum"] = param.max
    return {**schema, **_stepped(param)}


def _stepped(param: Param) -> Schema:
    """A step counts from the minimum. `multipleOf` says so only for whole steps from a multiple.

    Validators divide in binary floats, where 0.3 is no multiple of 0.1: other steps are written
    out as the values they allow, and left to the provider where these are too many.
    """
    if param.step is None:
        return {}
    start = Decimal(str(param.min or 0))
    step = Decimal(str(param.step))
    if step == step.to_integral_value() and start % step == 0:
        return {"multipleOf": int(step)}
    if param.min is None or param.max is None:
        return {}
    count = int((Decimal(str(param.max)) - start) / step) + 1
    return (
        {"enum": [_plain(start + step * n) for n in range(count)]} if count <= _MOST_STEPS else {}
    )


def _plain(number: Decimal) -> Value:
    return int(number) if number == number.to_integral_value() else float(number)


def _is_required(param: Param) -> bool:
    return param.required and param.default is None


def _required(model: Model) -> Schema:
    keys = [param.key for param in model.params if _is_required(param)]
    return {"required": keys} if keys else {}


def _reference_items(rules: ReferenceRules) -> Schema:
    return {
        "type": "array",
        "minItems": rules.min_files,
        "maxItems": rules.max_files,
        "items": {
            "type": "object",
            "properties": {
                "url": {"type": "string", "minLength": 1},
                "kind": {"type": "string", "enum": [kind.kind for kind in rules.kinds]},
                "name": {"type": "string"},
                "mimeType": {"type": "string"},
                "durationSeconds": {"type": "number", "minimum": 0},
                "durationToken": {"type": "string"},
            },
            "required": ["url", "kind"],
            "additionalProperties": False,
        },
    }
