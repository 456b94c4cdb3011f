"""The schemas of what a manifest says about accounts: budget, limits and prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Catalog


def budget(catalog: Catalog | None) -> Schema:
    """The field `budget`. Without a catalogue, providers may have any name."""
    return {
        "type": "object",
        "description": "Hard caps over the run folder's whole life.",
        "properties": {
            "credits": _by_name(
                "Most credits by provider; one that is not named is not capped.",
                None if catalog is None else catalog.providers(),
                {"type": "number", "minimum": 0},
            ),
            "jobs": {
                "type": "integer",
                "description": "Most create attempts.",
                "minimum": 0,
            },
        },
        "additionalProperties": False,
    }


def limits(catalog: Catalog | None) -> Schema:
    """The field `limits`. Without a catalogue, providers may have any name."""
    return _by_name(
        "What each provider's account is asked for at most.",
        None if catalog is None else catalog.providers(),
        _limits_of_one_provider(),
    )


def prices(catalog: Catalog | None) -> Schema:
    """The field `prices`. Without a catalogue, providers and models may have any name."""
    return _by_name(
        "Prices of one generation, by `provider` or `provider/model`; they win over the tables.",
        None if catalog is None else (*catalog.providers(), *sorted(catalog.models)),
        {"type": "number", "minimum": 0},
    )


def _limits_of_one_provider() -> Schema:
    return {
        "type": "object",
        "description": "Limits of one provider; those left out have safe defaults.",
        "properties": {
            "in_flight": _count("Most tasks that are not final."),
            "creates_per_minute": _rate("Most creates in any minute; fractions are allowed."),
            "polls_per_second": _rate("Most polls in any second; fractions are allowed."),
            "poll_after": _duration("When a new task is first looked at."),
            "poll_every": _duration("Longest time between two looks at a task."),
            "downloads": _count("Most downloads at the same time."),
            "create_timeout": _duration("How long a create's reply is waited for."),
            "give_up_after": _duration("How long a task is watched before the run leaves it open."),
            "pause_after_unknown": _count(
                "Creates of unknown outcome in a row that pause creates."
            ),
            "probe_after": _duration("How long a pause lasts before one create probes."),
        },
        "additionalProperties": False,
    }


def _by_name(description: str, names: Iterable[str] | None, value: Schema) -> Schema:
    mapping: Schema = {"type": "object", "description": description}
    if names is None:
        return {**mapping, "additionalProperties": value}
    properties = {name: {"description": f"For {name}.", **value} for name in names}
    return {**mapping, "properties": properties, "additionalProperties": False}


def _count(description: str) -> Schema:
    return {"type": "integer", "description": description, "minimum": 1}


def _rate(description: str) -> Schema:
    return {"type": "number", "description": description, "exclusiveMinimum": 0}


def _duration(description: str) -> Schema:
    return {
        "type": "string",
        "description": f"{description} A number with ms, s, m or h, such as 1.5m.",
        "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$",
        # Python's `$` stands before a last line break too.
        "not": {"type": "string", "pattern": r"\n"},
    }
