"""Saved pages, and the facts of a draft by path."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.importing import read_page

if TYPE_CHECKING:
    from orchestrator.catalog.importing import Draft, Imported

FOLDER = Path(__file__).parent
PAGES = FOLDER / "pages"
TODAY = date(2026, 11, 21)

#: The pages of the models whose tables are shipped.
SHIPPED = {
    "hailuo-pro": "hailuo-pro.txt",
    "happyhorse-1-0": "happyhorse-1-0.md",
    "sora-2-pro": "sora-2-pro.txt",
}
OF_PARAM = ("type", "required", "default", "options", "min", "max", "step")
OF_REFERENCES = ("field", "uploads", "min_files", "max_files", "combinations")
MEGABYTE = 1024 * 1024


def page(name: str) -> bytes:
    """The bytes of a saved page."""
    return (PAGES / name).read_bytes()


def imported(data: bytes | str) -> Imported:
    """What an import reads from a page."""
    return read_page(data.encode() if isinstance(data, str) else data, TODAY)


def facts(draft: Draft) -> dict[str, Any]:
    """The facts of a draft that decide what is sent and what it costs, by path."""
    found: dict[str, Any] = {
        name: getattr(draft, name)
        for name in ("provider", "model", "title", "price", "unit", "billing", "prompt_limit")
    }
    for param in draft.params:
        found |= {f"params.{param.key}.{name}": getattr(param, name) for name in OF_PARAM}
    rules = draft.references
    if rules is None:
        return found | {"references": None}
    found |= {f"references.{name}": getattr(rules, name) for name in OF_REFERENCES}
    if rules.kinds is None:
        return found | {"references.kinds": None}
    for kind in rules.kinds:
        place = f"references.kinds.{kind.kind}"
        found[f"{place}.max_size"] = kind.max_bytes
        found[f"{place}.mime_types"] = kind.mime_types
        found[f"{place}.duration_token"] = kind.duration_token
    return found


def lies(found: Imported, truth: dict[str, Any]) -> dict[str, Any]:
    """What a draft says for certain and is not so; nothing where there is no draft.

    A title may be lost: then the id takes its place.
    """
    if found.draft is None:
        assert found.doubts
        return {}
    told, doubtful = facts(found.draft), {doubt.field for doubt in found.doubts}
    wrong = {
        path: value
        for path, value in told.items()
        if path not in (*doubtful, "title") and (path not in truth or truth[path] != value)
    }
    lost = {path: "missing" for path in truth if path.startswith("params.") and path not in told}
    return wrong | lost
