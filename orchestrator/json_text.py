"""Values as JSON texts, for what is written by the thousand: events, log lines, sidecars."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any, *, indented: bool = False) -> str:  # noqa: ANN401 - whatever JSON can hold
    """The value as JSON; in ASCII where a text holds lone surrogates, so that they stay.

    Raises TypeError or ValueError for what JSON cannot hold; a float that is not finite becomes
    null where the texts are Unicode.
    """
    # What only reads a ledger does without it.
    import orjson

    strict = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    try:
        return orjson.dumps(value, option=strict | indented * orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        # A text that is no Unicode, or an integer beyond 64 bits.
        return json.dumps(value, indent=2 if indented else None, allow_nan=False)
