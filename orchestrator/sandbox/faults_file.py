"""Reads and checks a faults file; `faults` says what stands in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from orchestrator.errors import UsageError
from orchestrator.sandbox.actions import ACTIONS, PLACES, Fault, count, number, text, whole
from orchestrator.sandbox.faults import Faults, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.sandbox.actions import Reader

Read = TypeVar("Read")

PROVIDERS = ("rivya", "acedatacloud")
#: Largest video that the sandbox makes: each is made anew for each request, in memory.
MOST_VIDEO_BYTES = 1024**3
LIMITS = ("in_flight", "creates_per_minute", "polls_per_second", "retry_after")


def load(path: Path) -> Faults:
    """Read a faults file. Raises UsageError where it is missing or wrong."""
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the faults file cannot be read: {error}") from error


def parse(source: str, name: str = "faults") -> Faults:
    """Read the text of a faults file; `name` is how messages call it.

    Every value is taken as the text that stands there: YAML's own reading would turn `on` into a
    truth value. Raises UsageError with all that is known about the first mistake.
    """
    try:
        loaded = yaml.load(source, Loader=yaml.BaseLoader)  # noqa: S506 — makes texts only
        return _faults(loaded)
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: no YAML: {error}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name}: {error}") from error


def _faults(loaded: object) -> Faults:
    document = {"faults": loaded} if isinstance(loaded, list) else loaded or {}
    values = _read(
        document,
        {
            "seed": whole,
            "pace": number,
            "video_bytes": _video_bytes,
            "balance": lambda value: _read(value, dict.fromkeys(PROVIDERS, number)),
            "limits": lambda value: _read(value, dict.fromkeys(PROVIDERS, _limits)),
            "faults": _rules,
        },
    )
    return Faults(rules=values.pop("faults", ()), **values)


def _rules(value: object) -> tuple[Rule, ...]:
    if not isinstance(value, list):
        raise TypeError("must be a list of rules")
    return tuple(_at(f"faults[{index}]", _rule, item) for index, item in enumerate(value))


def _rule(item: object) -> Rule:
    values = _read(item, _RULE_FIELDS)
    for field in ("on", "do"):
        if field not in values:
            raise ValueError(f"{field}: is missing")
    on, do = values["on"], values["do"]
    if on not in ACTIONS[do.action].places:
        places = ", ".join(sorted(ACTIONS[do.action].places))
        raise ValueError(f"do: `{do.action}` goes with on: {places}; not with on: {on}")
    return Rule(per_task=values.pop("per", None) is not None, **values)


def _fault(value: object) -> Fault:
    if isinstance(value, str):
        return _action(value, {})
    if not isinstance(value, dict):
        raise TypeError("must be an action or a mapping with one")
    named = [key for key in value if key in ACTIONS]
    if len(named) != 1:
        raise ValueError(f"must name one action: {', '.join(ACTIONS)}")
    return _action(named[0], value)


def _action(name: str, value: Mapping[str, Any]) -> Fault:
    if name not in ACTIONS:
        raise ValueError(f"no action is called {name!r}: there are {', '.join(ACTIONS)}")
    action = ACTIONS[name]
    given = {key: item for key, item in value.items() if item != ""}
    if action.needed and name not in given:
        raise ValueError(f"{name}: needs a value")
    values = _read(given, {name: action.argument, **action.options})
    argument = values.pop(name, None)
    return Fault(name, argument, values)


def _limits(value: object) -> Mapping[str, float]:
    return _read(value, dict.fromkeys(LIMITS, number))


def _video_bytes(value: object) -> int:
    read = whole(value)
    if not 0 <= read <= MOST_VIDEO_BYTES:
        raise ValueError(f"must lie between 0 and {MOST_VIDEO_BYTES}")
    return read


def _chance(value: object) -> float:
    read = number(value)
    if read > 1:
        raise ValueError("must lie between 0 and 1")
    return read


def _nth(value: object) -> tuple[int, ...]:
    return tuple(count(item) for item in (value if isinstance(value, list) else [value]))


def _one_of(*names: str) -> Reader:
    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(sorted(names))}")
        return str(value)

    return read


_RULE_FIELDS: Mapping[str, Reader] = {
    "on": _one_of(*PLACES),
    "do": _fault,
    "provider": _one_of(*PROVIDERS),
    "model": text,
    "match": text,
    "nth": _nth,
    "times": count,
    "every": count,
    "after": whole,
    "chance": _chance,
    "per": _one_of("task"),
}


def _read(value: object, fields: Mapping[str, Reader]) -> dict[str, Any]:
    """The fields of a mapping, each read by its own function; others are mistakes."""
    if not isinstance(value, dict):
        raise TypeError("must be a mapping")
    for key in value:
        if key not in fields:
            raise ValueError(f"{key}: unknown, there are {', '.join(fields)}")
    return {key: _at(key, fields[key], item) for key, item in value.items()}


def _at(where: str, read: Callable[[object], Read], value: object) -> Read:
    """Read a value, and put its place before what is wrong with it."""
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error
