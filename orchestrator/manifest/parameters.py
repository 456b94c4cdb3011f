"""Parameters as a manifest states them → values as the wire wants them, by the model's table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.catalog.schema import params_schema
from orchestrator.manifest.data import Data
from orchestrator.manifest.faults import Fault, faults_of, unknown_name_hint
from orchestrator.manifest.scalars import as_text, plain
from orchestrator.manifest.structure import validator_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema.protocols import Validator

    from orchestrator.catalog.spec import Model, Param
    from orchestrator.jobs import Value

#: Key, value as stated, and whether it is a text that may stand for a number.
Stated = tuple[tuple[str, Data, bool], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One set of parameters of one model, as the wire wants it, and what is wrong with it."""

    wire: Mapping[str, Value]
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Parameters:
    """Checks each distinct set of parameters once."""

    _validators: dict[str, Validator] = field(default_factory=dict)
    _checked: dict[tuple[object, ...], Checked] = field(default_factory=dict)

    def check(self, model: Model, stated: Stated) -> Checked:
        """The verdict on one set of parameters."""
        # The type belongs to the question: 1, 1.0 and true are equal to Python.
        question = (model.name, stated, tuple(type(value) for _key, value, _text in stated))
        if question not in self._checked:
            self._checked[question] = self._judge(model, stated)
        return self._checked[question]

    def _judge(self, model: Model, stated: Stated) -> Checked:
        if model.name not in self._validators:
            self._validators[model.name] = validator_for(params_schema(model))
        values = {key: _read(model.param(key), value, text) for key, value, text in stated}
        faults = [
            Fault((key,), False, "not-finite", "this is no finite number")
            for key, value in values.items()
            if isinstance(value, float) and not math.isfinite(value)
        ]
        finite = {key: value for key, value in values.items() if (key,) not in _paths(faults)}
        found = faults_of(self._validators[model.name].iter_errors(finite))
        faults.extend(_explained(fault, model) for fault in found)
        if faults:
            return Checked({}, tuple(faults))
        return Checked({key: _wire(model.param(key), v) for key, v in values.items()}, ())


def _paths(faults: list[Fault]) -> set[tuple[str | int, ...]]:
    return {fault.path for fault in faults}


def _read(param: Param | None, value: Data, is_text: bool) -> Data:
    """A table's text as the number that it stands for, where a number is wanted."""
    if not is_text or not isinstance(value, str):
        return value
    text = value.strip()
    if param is not None and param.type == "number":
        number = plain(text)
        return number if isinstance(number, int | float) else text
    return text


def _wire(param: Param | None, value: Data) -> Value:
    assert param is not None, "unknown parameters are faults"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if param.type == "number":
        assert isinstance(value, int | float), "the schema asks for a number"
        return value
    return as_text(value)


def _explained(fault: Fault, model: Model) -> Fault:
    """A fault with what only the table knows."""
    if fault.code != "unknown-key":
        return fault
    key = str(fault.path[-1])
    return unknown_parameter(key, [model])


def unknown_parameter(key: str, models: Sequence[Model]) -> Fault:
    """The fault of a parameter that none of the models has."""
    if any(key in _reference_fields(model) for model in models):
        message = f"`{key}` is filled by references"
        return Fault((key,), True, "unknown-key", message, "list them under `references`")
    known = dict.fromkeys(param.key for model in models for param in model.params)
    hint = unknown_name_hint(key, known)
    names = " or ".join(model.model for model in models)
    message = f"there is no parameter `{key}` of {names}"
    return Fault((key,), True, "unknown-key", message, hint)


def _reference_fields(model: Model) -> set[str]:
    """Body fields that references fill, at any provider: nobody means a parameter by them."""
    own = {model.references.field} if model.references is not None else set()
    return own | {"referenceMediaItems", "first_image_url"}
