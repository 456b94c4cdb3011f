"""Parameters as a manifest states them → values as the wire wants them, by the model's table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.catalog.schema import params_schema
from orchestrator.manifest.data import Data
from orchestrator.manifest.faults import Fault, faults_of
from orchestrator.manifest.names import unknown_name_hint
from orchestrator.manifest.scalars import as_text, plain
from orchestrator.manifest.shapes import Shapes, is_shapely, shapes_for
from orchestrator.manifest.structure import validator_for

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from jsonschema.protocols import Validator

    from orchestrator.catalog.spec import Model, Param
    from orchestrator.jobs import Value

#: Stands for a value that could not be filled in: only its parameter's name is checked.
UNKNOWN: Data = object()

#: Key, value as stated, and whether it is a text that may stand for a number.
Stated = tuple[tuple[str, Data, bool], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One set of parameters of one model, as the wire wants it, and what is wrong with it."""

    wire: Mapping[str, Value]
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class _Rules:
    """One model's validator, which sees only one of each shape."""

    validator: Validator
    #: None where shapes cannot answer for the validator.
    shapes: Shapes | None
    sound: set[Hashable] = field(default_factory=set)

    def faults(self, values: Mapping[str, Data]) -> list[Fault]:
        """What is wrong with the values of known parameters."""
        shape = None if self.shapes is None else self.shapes.of(values)
        if shape is not None and shape in self.sound:
            return []
        found = faults_of(self.validator.iter_errors(values))
        if shape is not None and not found:
            self.sound.add(shape)
        return found


@dataclass(slots=True)
class Parameters:
    """Checks each distinct set of parameters once."""

    _rules: dict[str, _Rules] = field(default_factory=dict)
    _checked: dict[tuple[object, ...], Checked] = field(default_factory=dict)

    def check(self, model: Model, stated: Stated) -> Checked:
        """The verdict on one set of parameters."""
        # The type belongs to the question: 1, 1.0 and true are equal to Python.
        question = (model.name, stated, tuple(type(value) for _key, value, _text in stated))
        if question not in self._checked:
            self._checked[question] = self._judge(model, stated)
        return self._checked[question]

    def _judge(self, model: Model, stated: Stated) -> Checked:
        faults = [unknown_parameter(k, [model]) for k, _v, _t in stated if model.param(k) is None]
        values = {
            key: _read(param, value, is_text)
            for key, value, is_text in stated
            if value is not UNKNOWN and (param := model.param(key)) is not None
        }
        sound = {key: value for key, value in values.items() if not _is_endless(value)}
        faults += [
            Fault((key,), False, "not-finite", "this is no finite number")
            for key in values
            if key not in sound
        ]
        keys = {key for key, _value, _is_text in stated}
        found = self._rules_of(model).faults(sound)
        faults += [fault for fault in found if not keys & set(fault.names)]
        if faults:
            return Checked({}, tuple(faults))
        return Checked({key: _wire(model.param(key), value) for key, value in sound.items()}, ())

    def _rules_of(self, model: Model) -> _Rules:
        if model.name not in self._rules:
            schema = params_schema(model)
            shapes = shapes_for(schema) if is_shapely(schema) else None
            self._rules[model.name] = _Rules(validator_for(schema), shapes)
        return self._rules[model.name]


def _is_endless(value: Data) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _read(param: Param, value: Data, is_text: bool) -> Data:
    """A table's text as the number that it stands for, where a number is wanted."""
    if not is_text or not isinstance(value, str):
        return value
    text = value.strip()
    if param.type == "number":
        number = plain(text)
        return number if isinstance(number, int | float) else text
    return text


def _wire(param: Param | None, value: Data) -> Value:
    assert param is not None, "unknown parameters have no values"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if param.type == "number":
        assert isinstance(value, int | float), "the schema asks for a number"
        return value
    return as_text(value)


def unknown_parameter(key: str, models: Sequence[Model]) -> Fault:
    """The fault of a parameter that none of the models has."""
    if any(key in _reference_fields(model) for model in models):
        message = f"`{key}` is filled by references"
        return Fault((key,), True, "unknown-key", message, "list them under `references`")
    known = dict.fromkeys(param.key for model in models for param in model.params)
    hint = unknown_name_hint(key, known, in_full=True)
    names = " or ".join(model.model for model in models)
    message = f"there is no parameter `{key}` of {names}"
    return Fault((key,), True, "unknown-key", message, hint)


def _reference_fields(model: Model) -> set[str]:
    """Body fields that references fill, at any provider: nobody means a parameter by them."""
    own = {model.references.field} if model.references is not None else set()
    return own | {"referenceMediaItems", "first_image_url"}
