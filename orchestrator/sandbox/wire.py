"""Checks a create as strictly as its model's table: names, wire types, ranges, references."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.sandbox.replies import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.catalog.spec import Model, Param, ReferenceRules
    from orchestrator.sandbox.uploads import UploadedFile

#: Fields of one reference, and the JSON type each must have.
ITEM_FIELDS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "kind": (str,),
    "name": (str,),
    "mimeType": (str,),
    "durationSeconds": (int, float),
    "durationToken": (str,),
}


class Wrong(ValueError):
    """A field of a create is wrong; the text names it."""


def only_fields(body: Mapping[str, Any], known: Iterable[str], where: str = "") -> None:
    """Refuse fields that the endpoint does not have."""
    for field in body:
        if field not in known:
            raise Wrong(f"{where}{field}: unknown field")


def text_field(body: Mapping[str, Any], field: str, limit: int | None = None) -> str:
    """A required text that is not blank, of at most `limit` characters."""
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Wrong(f"{field}: a text is required")
    if limit is not None and len(value) > limit:
        raise Wrong(f"{field}: {len(value)} characters, the limit is {limit}")
    return value


def check_params(model: Model, params: Mapping[str, Any]) -> None:
    """Check a create's model parameters, references left out."""
    reference_field = model.references.field if model.references else None
    for key, value in params.items():
        if key == reference_field:
            continue
        param = model.param(key)
        if param is None:
            raise Wrong(f"params.{key}: {model.model} has no such parameter")
        check_value(param, value)
    for param in model.params:
        if param.required and param.key not in params:
            raise Wrong(f"params.{param.key}: required")


def check_value(param: Param, value: object) -> None:
    """Check one parameter: selects and texts are strings, numbers JSON numbers."""
    where = f"params.{param.key}"
    if param.type == "number":
        _check_number(param, where, value)
    elif not isinstance(value, str):
        raise Wrong(f"{where}: must be a string, not {value!r}")
    elif param.options is not None and value not in param.options:
        raise Wrong(f"{where}: {value!r} is none of {', '.join(param.options)}")


def _check_number(param: Param, where: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Wrong(f"{where}: must be a number, not {value!r}")
    if param.key == "seed" and not isinstance(value, int):
        raise Wrong(f"{where}: must be an integer, not {value!r}")
    if param.min is not None and value < param.min:
        raise Wrong(f"{where}: {value} is less than {param.min:g}")
    if param.max is not None and value > param.max:
        raise Wrong(f"{where}: {value} is more than {param.max:g}")
    if param.step and ((value - (param.min or 0)) / param.step) % 1:
        raise Wrong(f"{where}: {value} is not in steps of {param.step:g}")


def check_items(
    rules: ReferenceRules, items: object, lookup: Callable[[str], UploadedFile | None]
) -> None:
    """Check `referenceMediaItems`: fields, kinds, URLs, tokens, and what goes together."""
    where = f"params.{rules.field}"
    if not isinstance(items, list):
        raise Wrong(f"{where}: must be a list")
    for index, item in enumerate(items):
        _check_item(rules, f"{where}[{index}]", item, lookup)
    if not rules.min_files <= len(items) <= rules.max_files:
        raise Wrong(f"{where}: {len(items)} files; {rules.rule}")
    counts = {kind: sum(i["kind"] == kind for i in items) for kind in {i["kind"] for i in items}}
    if items and not any(_fits(counts, combination) for combination in rules.combinations):
        raise Wrong(f"{where}: these files do not go together; {rules.rule}")


def _fits(counts: Mapping[str, int], combination: Mapping[str, int]) -> bool:
    return all(count <= combination.get(kind, 0) for kind, count in counts.items())


def _check_item(
    rules: ReferenceRules,
    where: str,
    item: object,
    lookup: Callable[[str], UploadedFile | None],
) -> None:
    if not isinstance(item, dict):
        raise Wrong(f"{where}: must be an object")
    only_fields(item, ITEM_FIELDS, f"{where}.")
    for field, types in ITEM_FIELDS.items():
        if field in item and (isinstance(item[field], bool) or not isinstance(item[field], types)):
            raise Wrong(f"{where}.{field}: wrong type")
    kind = rules.kind(item.get("kind", ""))
    if kind is None:
        raise Wrong(f"{where}.kind: must be one of {', '.join(rule.kind for rule in rules.kinds)}")
    mime_type = item.get("mimeType")
    if mime_type is not None and kind.mime_types and mime_type not in kind.mime_types:
        raise Wrong(f"{where}.mimeType: {mime_type!r} is none of {', '.join(kind.mime_types)}")
    file = lookup(check_url(f"{where}.url", item.get("url"), lookup))
    if file is not None:
        _check_own(where, item, file)


def _check_own(where: str, item: Mapping[str, Any], file: UploadedFile) -> None:
    """A file of the Files API comes with its own kind and, for video and sound, its token."""
    if item["kind"] != file.kind:
        raise Wrong(f"{where}.kind: this file was uploaded as {file.kind}")
    if file.duration_token is not None and item.get("durationToken") != file.duration_token:
        raise Wrong(f"{where}.durationToken: the token that came with this file is required")


def check_url(where: str, value: object, lookup: Callable[[str], UploadedFile | None]) -> str:
    """A public https URL, or one of the sandbox's own files."""
    if not isinstance(value, str):
        raise Wrong(f"{where}: a URL is required")
    parts = urlsplit(value)
    if parts.scheme == "https" and parts.hostname:
        return value
    if lookup(value) is None:
        raise Wrong(f"{where}: must be a public https URL")
    return value


def refused(wrong: Wrong, code: str) -> Refused:
    """The 400 that tells a client what is wrong."""
    return Refused(400, code, str(wrong))
