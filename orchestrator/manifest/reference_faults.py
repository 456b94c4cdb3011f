"""What is wrong with references, before it has a place in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReferenceFault:
    """What is wrong with one reference, or with all of them together."""

    #: Which one; None for the whole list.
    number: int | None
    #: The field of its mapping, where one is to blame.
    field: str
    code: str
    message: str
    hint: str = ""
    is_warning: bool = False
