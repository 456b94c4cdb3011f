"""What the published schema finds wrong in a table, in words and with positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.schema.table import table_schema
from orchestrator.catalog.suggest import nearest
from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from orchestrator.catalog.nodes import Node

#: What YAML 1.2 reads as a whole number, and as another one.
_WHOLE = re.compile(r"[-+]?[0-9]{1,300}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """What a provider's requests settle by themselves, whatever a table says."""

    #: Fields that the program fills, such as `model`: no parameter and no reference may.
    own_fields: frozenset[str] = frozenset()
    #: Fields that references fill: no parameter may.
    reference_fields: frozenset[str] = frozenset()
    #: Whether there is a Files API that takes local files.
    uploads: bool = True
    #: References that a create carries; None where no number is known.
    most_references: int | None = None


def schema_problems(root: Node) -> tuple[Problem, ...]:
    """Everything in a table that the published schema refuses, in the file's order."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    validator = Draft202012Validator(table_schema(), registry=Registry())
    errors = list(validator.iter_errors(typed(root)))
    # The conditions on a type repeat what the fields' own rules say: one of them is enough.
    found = {
        (problem.line, problem.column, problem.message): problem
        for error in errors
        for problem in _problems(error, root)
    }
    return tuple(found[place] for place in sorted(found))


def provider_problems(root: Node, providers: Mapping[str, Wire]) -> tuple[Problem, ...]:
    """A provider that is none of these, and what its requests cannot carry.

    Any provider will do where there are none.
    """
    node = _child(root, "provider")
    if node is None or not isinstance(node.value, str) or not providers:
        return ()
    if node.value in providers:
        return tuple(_wire_problems(root, node.value, providers[node.value]))
    guess = nearest(node.value, providers)
    hint = f"did you mean `{guess}`?" if guess else f"known are {', '.join(providers)}"
    message = f"no provider is called `{node.value}`"
    return (_problem(node, "unknown-provider", message, hint),)


def typed(node: Node) -> object:
    """A table's value as editors and other readers of YAML 1.2 have it."""
    value = node.value
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [typed(item) for item in value]
    if value is None or node.quoted:
        return value
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _NUMBER.fullmatch(value) else _TRUTHS.get(value, value)


def _wire_problems(root: Node, provider: str, wire: Wire) -> Iterator[Problem]:
    """Fields that would replace the request's own, and uploads to nowhere."""
    params, references = _child(root, "params"), _child(root, "references")
    # Some services do not tell `Model` from `model`.
    own, of_references = (
        {name.lower() for name in names} for names in (wire.own_fields, wire.reference_fields)
    )
    entries = params.value if params is not None and isinstance(params.value, dict) else {}
    for key, entry in entries.items():
        if key.lower() in own | of_references:
            filler = "this program" if key.lower() in own else "references"
            message = f"`{key}` is filled by {filler} in requests to {provider}"
            hint = "it is no parameter: remove it"
            yield _problem(entry, "reserved-field", message, hint, at_key=True)
    field = _child(references, "field")
    if field is not None and str(field.value).lower() in own:
        message = f"`{field.value}` is filled by this program in requests to {provider}"
        hint = f"references go into {' or '.join(sorted(wire.reference_fields)) or 'another field'}"
        yield _problem(field, "reserved-field", message, hint)
    uploads = _child(references, "uploads")
    if uploads is not None and uploads.value == "true" and not wire.uploads:
        hint = "write `uploads: false`; jobs then give public URLs"
        yield _problem(uploads, "no-uploads", f"{provider} takes no uploads", hint)
    most = _child(references, "max_files")
    if most is not None and wire.most_references is not None and _is_above(most, wire):
        message = f"a request to {provider} carries no more than {wire.most_references} of them"
        yield _problem(most, "too-many", message, f"write `max_files: {wire.most_references}`")


def _is_above(node: Node, wire: Wire) -> bool:
    count = typed(node)
    return isinstance(count, int) and count > (wire.most_references or 0)


def _child(node: Node | None, key: str) -> Node | None:
    """An entry of a mapping; None where there is none, or no mapping."""
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _problems(error: ValidationError, root: Node) -> Iterator[Problem]:
    node = _at(root, error.absolute_path)
    rule: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        for key in instance.keys() - _known(error):
            yield _unknown(node.entries()[key], key, _known(error))
    elif error.validator == "required":
        # A field that stands there misspelled is not called missing too.
        meant = {nearest(key, _known(error)) for key in instance if key not in _known(error)}
        for key in rule:
            if key not in instance and key not in meant:
                yield _problem(node, "missing-key", f"`{key}` is missing", f"add `{key}: …`")
    elif "propertyNames" in error.absolute_schema_path:
        hint = "letters, digits, `_` and `-`, and no digit first"
        entry = node.entries()[instance]
        yield _problem(entry, "bad-format", f"`{instance}` is no name", hint, at_key=True)
    elif rule == "null":
        message = f"`{node.path}` does not belong to this type of parameter"
        yield _problem(node, "not-allowed", message, "remove it", at_key=True)
    else:
        code, wanted = _WANTED.get(str(error.validator), ("not-allowed", "be something else"))
        message = f"`{node.path or 'the table'}` must {wanted.format(rule=_worded(error))}"
        yield _problem(node, code, message, _schema(error).get("description", ""))


#: By keyword of the schema, a code and what a value must do.
_WANTED = {
    "type": ("wrong-type", "be {rule}"),
    "enum": ("not-allowed", "be {rule}"),
    "pattern": ("bad-format", "have another form"),
    "minimum": ("out-of-range", "be {rule} or more"),
    "exclusiveMinimum": ("out-of-range", "be more than {rule}"),
    "minItems": ("empty", "not be empty"),
    "minProperties": ("empty", "not be empty"),
    "uniqueItems": ("repeated", "not have a value twice"),
}


def _schema(error: ValidationError) -> dict[str, Any]:
    """The schema that the keyword stands in."""
    schema: Any = error.schema
    return dict(schema)


def _known(error: ValidationError) -> list[str]:
    return list(_schema(error).get("properties", ()))


def _worded(error: ValidationError) -> str:
    """What a keyword of the schema demands: types, choices or a number."""
    rule: Any = error.validator_value
    demanded = [one for one in (rule if isinstance(rule, list) else [rule]) if one != "null"]
    if error.validator == "type":
        words = [_TYPES[one] for one in demanded]
    else:
        words = [f"`{one}`" if isinstance(one, str) else str(one) for one in demanded]
    return " or ".join(words)


def _unknown(entry: Node, key: str, known: list[str]) -> Problem:
    guess = nearest(key, known)
    hint = f"did you mean `{guess}`?" if guess else f"known are {', '.join(known)}"
    return _problem(entry, "unknown-key", f"`{key}` is not known here", hint, at_key=True)


def _problem(node: Node, code: str, message: str, hint: str, *, at_key: bool = False) -> Problem:
    place = node.key if at_key and node.key is not None else node.place
    return Problem(node.file, place.line, place.column, node.path, code, message, hint)


def _at(root: Node, path: Iterable[str | int]) -> Node:
    """The node that a path of keys and indexes leads to."""
    node = root
    for step in path:
        node = node.items()[step] if isinstance(step, int) else node.entries()[step]
    return node
