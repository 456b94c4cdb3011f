"""Price, billing, prompt limit and names: what stands in no table.

The labels beside these values are in the page's language, and some may be missing. So a value is
known by its form, and believed where a second place on the page agrees: the price with the credits
that the example reply reserves, the prompt's limit with the row of the request table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.draft import Doubt
from orchestrator.catalog.importing.figures import narrow
from orchestrator.catalog.importing.sentences import prompt_limit, prompt_limits

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.catalog.importing.examples import Reply
    from orchestrator.catalog.importing.page import Page
    from orchestrator.catalog.importing.request_table import RequestTable

#: The only way of billing in which the base price is that of one generation.
FIXED = "FIXED"

_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")
_BILLING = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*")
#: Words in capitals that are no way of billing.
_OTHER_CAPITALS = frozenset({"API", "URL", "JSON", "HTTP", "CURL", "GET", "POST", "FAQ", "SDK"})
_INPUTS = re.compile(r"[a-z]+(?:, [a-z]+)*")


def amounts(page: Page, numbers: Collection[int]) -> dict[int, float]:
    """The amounts that stand alone on one of these lines, by line number."""
    found = {number: narrow(page.line(number)) for number in numbers}
    return {
        number: float(text) if "." in text else int(text)
        for number, text in found.items()
        if _AMOUNT.fullmatch(text)
    }


def read_price(
    found: dict[int, float],
    replies: tuple[Reply, ...],
    billing: str | None,
    doubts: list[Doubt],
) -> float | None:
    """The price, by the amounts that stand alone on the page and by the example replies."""
    stated, reserved = set(found.values()), {reply.reserved_credits for reply in replies}
    if len(stated) == 1 and stated == reserved and 0 not in stated and billing == FIXED:
        return found[min(found)]
    line = min(found, default=replies[0].line if replies else 1)
    if not stated:
        reason = "no amount stands alone on a line."
    elif len(stated) > 1:
        reason = f"which of the amounts {_listed(stated)} is meant is not certain."
    elif billing != FIXED:
        reason = f"{_listed(stated)} stands here, but may not be the price of a whole generation."
    else:
        reason = f"{_listed(stated)} stands here; the example reply reserves {_listed(reserved)}."
    doubts.append(Doubt(line, "price", reason))
    return None


def read_billing(page: Page, numbers: Collection[int], doubts: list[Doubt]) -> str | None:
    """The way of billing, which is only known where it is the fixed one."""
    words = {page.line(n): n for n in numbers if _BILLING.fullmatch(page.line(n))}
    for other in _OTHER_CAPITALS & words.keys():
        del words[other]
    if words.keys() == {FIXED}:
        return FIXED
    listed = ", ".join(words)
    reason = f"`{listed}` is not known." if words else "no word in capitals stands alone on a line."
    doubts.append(Doubt(min(words.values(), default=1), "billing", reason))
    return None


def read_prompt_limit(
    page: Page, numbers: Collection[int], tables: Collection[RequestTable], doubts: list[Doubt]
) -> int | None:
    """The longest prompt in characters: an overview line and the request table have to agree."""
    stated = {n: limit for n in numbers if (limit := prompt_limit(page.line(n))) is not None}
    rows = [table.prompt for table in tables if table.prompt is not None]
    told = {limit for _, text in rows for limit in prompt_limits(text)}
    if len(told) == 1 and set(stated.values()) == told:
        return told.pop()
    line = min(stated, default=rows[0][0] if rows else 1)
    here = f"`{page.line(line)}` stands here, and" if stated else "no limit stands alone on a line;"
    reason = f"{here} the row of the prompt says {_listed(told)}."
    doubts.append(Doubt(line, "prompt_limit", reason))
    return None


def read_inputs(page: Page, numbers: Collection[int]) -> frozenset[str] | None:
    """What the model takes, such as `text` and `file`; None where that is not certain."""
    found = {page.line(n) for n in numbers if _INPUTS.fullmatch(page.line(n))}
    stated = {frozenset(line.split(", ")) for line in found if "text" in line.split(", ")}
    return stated.pop() if len(stated) == 1 else None


def read_title(page: Page, model: str) -> str:
    """The model's name as a sentence of the page writes it; its id where none does."""
    words = "[ ._-]?".join(re.escape(part) for part in re.split("[._-]", model))
    named = re.compile(rf"(?<![A-Za-z0-9._-]){words}(?![A-Za-z0-9_-])", re.IGNORECASE)
    for line in page.lines:
        for match in named.finditer(line):
            if match[0] != match[0].lower():
                return match[0]
    return model


def _listed(values: Collection[float | None]) -> str:
    return ", ".join(f"{v:,}" for v in sorted(v for v in values if v is not None)) or "nothing"
