"""Times, sizes and counts as people write them."""

from __future__ import annotations

import math

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS = ("kB", "MB", "GB", "TB", "PB")


def span(seconds: float) -> str:
    """A duration in its two largest units: `3.2 s`, `45 s`, `1 min 5 s`, `1 h 12 min`, `2 d 3 h`.

    Below ten seconds one decimal is kept; a negative or infinite duration is `unknown`.
    """
    if not 0 <= seconds < math.inf:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    first, rest = divmod(seconds, large)
    second = rest // small
    return f"{first} {large_unit} {second} {small_unit}" if second else f"{first} {large_unit}"


def size(count: int) -> str:
    """A number of bytes in decimal units, as disks are sold: `812 bytes`, `4.1 MB`, `1.3 GB`."""
    if count < 1000:
        return counted(count, "byte")
    number = float(count)
    for unit in _UNITS:
        number /= 1000
        if number < 999.5 or unit == _UNITS[-1]:
            break
    return f"{number:.1f} {unit}" if number < 99.95 else f"{number:,.0f} {unit}"


def counted(count: int, noun: str) -> str:
    """A number with its noun in the right form: `1 video`, `1,200 videos`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
