"""Plain data: what YAML, JSON and JSON Schema are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

#: Text, a number, a boolean, None, a list of data or a mapping from text to data. What it is gets
#: checked where it matters, by schema or by `isinstance`, so types do not narrow it again.
Data: TypeAlias = Any
