"""What a manifest's text shows to an editor beyond its structure: a URL's form, a missing prompt.

`validate` says the same in better words once variables are filled in. So all of this stands only in
the schema for editors, and never refuses what a variable, an axis or `defaults` could still mend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.catalog.schema.params import ANY_VALUE, TEMPLATE

if TYPE_CHECKING:
    from orchestrator.catalog.schema.params import Schema
    from orchestrator.catalog.spec import Model, ReferenceRules

_HOST = r'[^\s/?#@<>"\\^`{|}]+'
_PUBLIC_URL = (
    rf'[hH][tT][tT][pP][sS]://(\[[0-9a-fA-F:.]+\]|{_HOST}\.{_HOST})([/?#][^\s<>"\\^`{{|}}]*)?$'
)
_VARIABLE = TEMPLATE["pattern"]
_URL: Schema = {
    "pattern": f"{_VARIABLE}|^{_PUBLIC_URL}",
    "patternErrorMessage": "A public https URL, without a password.",
}
_PATH: Schema = {
    "pattern": rf"{_VARIABLE}|^(?!data:)(?!.*://)",
    "patternErrorMessage": "A local file; a URL stands under `url`.",
}
_PATH_OR_URL: Schema = {
    "pattern": rf"{_VARIABLE}|^(?!data:)(?!.*://)|^{_PUBLIC_URL}",
    "patternErrorMessage": "A path, relative to the manifest, or a public https URL.",
}
#: Extensions of table files.
_TABLES = ("csv", "tsv", "jsonl", "yaml", "yml", "txt")
_ANY_CASE = ["".join(f"[{letter}{letter.upper()}]" for letter in name) for name in _TABLES]
_TABLE: Schema = {
    "pattern": rf"\.({'|'.join(_ANY_CASE)})$",
    "patternErrorMessage": f"A table file: {', '.join(f'.{name}' for name in _TABLES)}.",
}
_NOT_BLANK: Schema = {"pattern": r"\S", "patternErrorMessage": "Write what is to be seen."}


def tell_more(definitions: dict[str, Schema]) -> None:
    """Add to the `$defs` of a manifest's structure what no catalogue is needed for."""
    item = definitions["promptItem"]["anyOf"]
    item[0] = {**item[0], **_NOT_BLANK}
    for mapping in (definitions["job"], definitions["jobDefaults"], item[1]):
        fields = mapping["properties"]
        fields["prompt"] = {**fields["prompt"], **_NOT_BLANK}
        # The types would be offered as values: `true` and `false` for any parameter.
        for name in ("params", "vars"):
            fields[name] = {**fields[name], "additionalProperties": ANY_VALUE}
        if "rows" in fields:
            fields["rows"] = {**fields["rows"], **_TABLE}
            axis = {**fields["matrix"]["additionalProperties"], "items": ANY_VALUE}
            fields["matrix"] = {**fields["matrix"], "additionalProperties": axis}
    _tell_more_of_references(definitions["reference"])


def _tell_more_of_references(reference: Schema) -> None:
    text, mapping = reference["anyOf"]
    text.update(_PATH_OR_URL)
    fields = mapping["properties"]
    fields["path"] = {**fields["path"], **_PATH}
    fields["url"] = {**fields["url"], **_URL}
    mapping["if"] = {"required": ["path"]}
    mapping["then"] = {"properties": {"upload": {"const": False}}}


def what_jobs_need() -> list[Schema]:
    """For the whole manifest: each job has a prompt and a model, where `defaults` gives none."""
    prompt: list[Schema] = [{"required": ["prompt"]}, {"required": ["prompts"]}]
    model: list[Schema] = [
        {"required": ["model"]},
        {"required": ["matrix"], "properties": {"matrix": {"required": ["model"]}}},
        {"required": ["prompts"]},
    ]
    return [
        {
            "if": {"properties": {"defaults": {"type": "object", "not": {"required": [name]}}}},
            "then": {"properties": {"jobs": {"items": {"anyOf": ways}}}},
        }
        for name, ways in (("prompt", prompt), ("model", model))
    ]


def prompt_of(model: Model) -> Schema:
    """A prompt that this model takes."""
    if model.prompt_limit is None:
        return {}
    # What variables bring may be longer or shorter than their names.
    return {"prompt": {"anyOf": [{"type": "string", "maxLength": model.prompt_limit}, TEMPLATE]}}


def references_of(model: Model) -> Schema:
    """How many references this model takes, and whether local files are among them."""
    rules = model.references
    # Without the type, editors would offer the field a second time.
    if rules is None:
        return {"references": {"type": "array", "maxItems": 0}}
    least = {"minItems": rules.min_files} if rules.min_files else {}
    items = {} if rules.uploads else {"items": _PASSED_ON}
    return {"references": {"type": "array", **least, "maxItems": _most(rules), **items}}


def _most(rules: ReferenceRules) -> int:
    most = [sum(allowed.values()) for allowed in rules.combinations]
    return min(rules.max_files, max(most, default=rules.max_files))


#: A reference of a provider that takes no uploads.
_PASSED_ON: Schema = {
    "anyOf": [
        {"type": "string", **_URL},
        {"type": "object", "required": ["url"], "properties": {"upload": {"const": False}}},
    ]
}
