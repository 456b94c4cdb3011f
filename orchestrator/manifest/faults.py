"""A JSON Schema validator's errors in a person's words.

A fault is a problem without a file: where in the value, what is wrong, what to do. Choices
(`anyOf`, `oneOf`) are resolved to the branch that was meant, so that nobody reads "not valid
under any of the given schemas".
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.suggest import nearest
from orchestrator.manifest.expected import described, old_truth, spelled, wrong_type
from orchestrator.manifest.names import listed, meant_by, unknown_name_hint
from orchestrator.manifest.scalars import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jsonschema.exceptions import ValidationError

    from orchestrator.manifest.data import Data
    from orchestrator.manifest.positions import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong inside a checked value."""

    path: Path
    #: Whether the fault is the key's at the end of `path` rather than the value's.
    key: bool
    code: str
    message: str
    hint: str = ""
    #: Keys of the mapping: those that are missing, or the one that an unknown key was meant as.
    names: tuple[str, ...] = ()


def _rule(error: ValidationError) -> Data:
    """What the keyword says: the type, the bound, the pattern."""
    return error.validator_value


def _schema(error: ValidationError) -> Data:
    """The schema that the keyword stands in."""
    return error.schema


def _instance(error: ValidationError) -> Data:
    """The value that does not fit."""
    return error.instance


def faults_of(errors: Iterable[ValidationError]) -> list[Fault]:
    """All faults that the errors stand for, in the value's order as the validator met them.

    A key that stands there misspelled is not called missing too.
    """
    found = [fault for error in errors for fault in _faults(error, tuple(error.absolute_path))]
    misspelled = {
        (fault.path[:-1], name)
        for fault in found
        if fault.code == "unknown-key"
        for name in fault.names
    }
    return [
        fault
        for fault in found
        if fault.code != "missing-key"
        or not any((fault.path, name) in misspelled for name in fault.names)
    ]


def _faults(error: ValidationError, path: Path) -> Iterator[Fault]:
    keyword = str(error.validator)
    if keyword in {"anyOf", "oneOf"}:
        yield from _choice(error, path)
    elif keyword in _EXPLAIN:
        yield from _EXPLAIN[keyword](error, path)
    else:
        yield Fault(path, key=False, code="bad-format", message=error.message)


def _choice(error: ValidationError, path: Path) -> Iterator[Fault]:
    branches: dict[Data, list[ValidationError]] = defaultdict(list)
    for nested in error.context or ():
        branches[str(nested.schema_path[0])].append(nested)
    if not branches:
        yield _one_of_too_many(error, path)
        return
    meant = [found for found in branches.values() if not any(map(_is_other_type, found))]
    if not meant:
        types = [name for found in branches.values() for name in _types(found)]
        yield Fault(path, False, "wrong-type", *wrong_type(_instance(error), types))
    elif all(_misses_a_key(found) for found in meant) and len(meant) > 1:
        names = tuple(str(_rule(found[0])[0]) for found in meant)
        message = "give " + " or ".join(f"`{name}`" for name in names)
        yield Fault(path, key=False, code="missing-key", message=message, names=names)
    else:
        best = min(meant, key=len)
        for nested in best:
            yield from _faults(nested, tuple(nested.absolute_path))


def _one_of_too_many(error: ValidationError, path: Path) -> Fault:
    branches = _rule(error)
    names = [name for branch in branches for name in branch.get("required", ())]
    listed = " and ".join(f"`{name}`" for name in names)
    message = f"{listed} exclude each other" if names else "more than one meaning fits"
    present = [name for name in _instance(error) if name in names]
    where = (*path, present[-1]) if present else path
    return Fault(where, bool(present), "conflict", message, "keep one of them")


def _is_other_type(error: ValidationError) -> bool:
    return not error.path and error.validator == "type"


def _misses_a_key(errors: list[ValidationError]) -> bool:
    return len(errors) == 1 and errors[0].validator == "required" and not errors[0].path


def _types(errors: list[ValidationError]) -> list[str]:
    stated = [_rule(error) for error in errors if _is_other_type(error)]
    return [name for value in stated for name in ([value] if isinstance(value, str) else value)]


# --- one function for each keyword -------------------------------------------------------------


def _unknown_keys(error: ValidationError, path: Path) -> Iterator[Fault]:
    known = list(_schema(error).get("properties", ()))
    for name in _instance(error):
        if name in known:
            continue
        hint = unknown_name_hint(name, known)
        if " " in name and _instance(error)[name] is None and not hint.startswith("did"):
            hint = "between braces a comma ends the text; put a text that holds one in quotes"
        if name == "<<":
            hint = "YAML 1.2 has no merge keys; repeat the fields, or put them under `defaults`"
        meant = meant_by(name, known)
        names = (meant,) if meant else ()
        message = f"`{name}` is not known here"
        yield Fault((*path, name), True, "unknown-key", message, hint, names)


def _missing_key(error: ValidationError, path: Path) -> Iterator[Fault]:
    for name in _rule(error):
        if name not in _instance(error):
            message, hint = f"`{name}` is missing", f"add `{name}: …`"
            yield Fault(path, False, "missing-key", message, hint, (name,))


def _other_type(error: ValidationError, path: Path) -> Iterator[Fault]:
    value = _rule(error)
    message, hint = wrong_type(_instance(error), [value] if isinstance(value, str) else value)
    # Where a text has a form of its own, the description says in words which.
    hint = _schema(error)["description"] if "pattern" in _schema(error) else hint
    yield Fault(path, False, "wrong-type", message, hint)


def _not_listed(error: ValidationError, path: Path) -> Iterator[Fault]:
    value = _instance(error)
    allowed = _rule(error) if error.validator == "enum" else [_rule(error)]
    texts = list(dict.fromkeys(spelled(one) for one in allowed))
    message = f"{described(value)} is not allowed; allowed: {listed(texts)}"
    yield Fault(path, False, "not-allowed", message, _choice_hint(value, allowed, texts))


def _choice_hint(value: Data, allowed: list[Data], texts: list[str]) -> str:
    unquoted = plain(value) if isinstance(value, str) else value
    if type(unquoted) in {int, float} and unquoted in allowed:
        return f"write {value} without quotes"
    if old_truth(value) in texts:
        return f"write {old_truth(value)}"
    guess = nearest(spelled(value), texts) if len(texts) > 1 else None
    # Another number is another meaning, however alike: nobody means 1:1 by 16:10.
    is_meant = guess is not None and _digits(guess) == _digits(spelled(value))
    return f"did you mean `{guess}`?" if is_meant else ""


def _digits(text: str) -> list[str]:
    return re.findall(r"[0-9]+", text)


def _out_of_range(error: ValidationError, path: Path) -> Iterator[Fault]:
    limit = _rule(error)
    rule, alone = {
        "minimum": (f"is less than {limit}", f"{limit} or more"),
        "maximum": (f"is more than {limit}", f"{limit} or less"),
        "exclusiveMinimum": (f"is not more than {limit}", f"more than {limit}"),
        "exclusiveMaximum": (f"is not less than {limit}", f"less than {limit}"),
        "multipleOf": (f"is no multiple of {limit}", ""),
    }[str(error.validator)]
    low, high = _schema(error).get("minimum"), _schema(error).get("maximum")
    hint = f"from {low} to {high}" if low is not None and high is not None else alone
    yield Fault(path, False, "out-of-range", f"{described(_instance(error))} {rule}", hint)


def _too_little(_error: ValidationError, path: Path) -> Iterator[Fault]:
    name = path[-1] if path and isinstance(path[-1], str) else None
    message = f"`{name}` is empty" if name else "nothing stands here"
    what = "key" if name else "item"
    yield Fault(path, False, "empty", message, f"write a value, or remove the {what}")


def _too_much(error: ValidationError, path: Path) -> Iterator[Fault]:
    message = f"longer than {_rule(error)}, which is the most that is allowed"
    yield Fault(path, key=False, code="too-long", message=message)


def _other_format(error: ValidationError, path: Path) -> Iterator[Fault]:
    # The description says in words what the pattern says in signs.
    hint = _schema(error).get("description", "")
    yield Fault(path, False, "bad-format", f"{described(_instance(error))} does not fit", hint)


def _excluded(error: ValidationError, path: Path) -> Iterator[Fault]:
    names = _rule(error).get("required")
    if not names:
        yield from _other_format(error, path)
        return
    listed = " and ".join(f"`{name}`" for name in names)
    yield Fault(
        (*path, names[-1]), True, "conflict", f"{listed} exclude each other", "keep one of them"
    )


_EXPLAIN: dict[str, Callable[[ValidationError, Path], Iterator[Fault]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_key,
    "type": _other_type,
    "enum": _not_listed,
    "const": _not_listed,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMinimum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
    "multipleOf": _out_of_range,
    "minLength": _too_little,
    "minItems": _too_little,
    "minProperties": _too_little,
    "maxLength": _too_much,
    "maxItems": _too_much,
    "pattern": _other_format,
    "not": _excluded,
}
