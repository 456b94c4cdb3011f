"""Durations as a manifest writes them: a number and one of `ms`, `s`, `m`, `h`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float | None:
    """The duration in seconds; None where `text` is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    number, unit = match.groups()
    return float(number) * _SECONDS[unit]
