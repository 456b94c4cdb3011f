"""References as a manifest writes them → `Reference`s that the model takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.catalog.media_types import kind_by_extension, kind_of
from orchestrator.jobs import Reference
from orchestrator.manifest.urls import complaint_about, is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.catalog.spec import KindRule, Model, ReferenceRules
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.local_files import LocalFile, LocalFiles


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


#: A reference, or why there is none.
_Outcome = Reference | ReferenceFault


@dataclass(frozen=True, slots=True)
class _Written:
    """One reference in the order of the list, text or mapping."""

    number: int
    fields: Mapping[str, Data]

    def fault(self, field: str, code: str, message: str, hint: str = "") -> ReferenceFault:
        """A fault of this reference."""
        return ReferenceFault(self.number, field, code, message, hint)


def read_references(
    written: Sequence[str | Mapping[str, Data]], model: Model, base: Path, files: LocalFiles
) -> tuple[tuple[Reference, ...], tuple[ReferenceFault, ...]]:
    """The references of one job, and everything that is wrong with them.

    Paths are relative to `base`, the manifest's folder.
    """
    rules = model.references
    if rules is None:
        return (), tuple(_none_taken(written, model))
    found: list[Reference] = []
    faults: list[ReferenceFault] = []
    for number, item in enumerate(written):
        fields = _as_fields(item) if isinstance(item, str) else item
        one = _Written(number, fields)
        outcome = _read_one(one, model, rules, base, files)
        if isinstance(outcome, ReferenceFault):
            faults.append(outcome)
        else:
            found.append(outcome)
            faults.extend(_doubts(one, outcome, rules))
    if not any(not fault.is_warning for fault in faults):
        faults.extend(_count_faults(found, model, rules))
    return tuple(found), tuple(faults)


def _as_fields(text: str) -> Mapping[str, Data]:
    return {"url" if is_url(text) else "path": text}


def _none_taken(written: Sequence[Data], model: Model) -> Iterator[ReferenceFault]:
    if written:
        message = f"{model.model} takes no references"
        yield ReferenceFault(0, "", "too-many-references", message, "remove them")


def _read_one(
    one: _Written, model: Model, rules: ReferenceRules, base: Path, files: LocalFiles
) -> _Outcome:
    place = "path" if "path" in one.fields else "url"
    text = str(one.fields.get(place, ""))
    if not text:
        return one.fault(place, "empty", "the reference is empty", "write a path or a URL")
    kind = _kind(one, text, place, model, rules)
    if isinstance(kind, ReferenceFault):
        return kind
    if place == "path":
        return _local(one, text, kind, model, rules, base, files)
    return _remote(one, text, kind, rules, model)


def _kind(
    one: _Written, text: str, place: str, model: Model, rules: ReferenceRules
) -> KindRule | ReferenceFault:
    """The mapping's kind, else the extension's, else the model's only one."""
    name = text if place == "path" else _url_path(text)
    kind = one.fields.get("kind") or kind_by_extension(name)
    taken = ", ".join(rule.kind for rule in rules.kinds)
    if kind is None and len(rules.kinds) > 1:
        message = "it is not clear what kind of reference this is"
        return one.fault("", "unknown-kind", message, f"state its `kind`: {taken}")
    rule = rules.kinds[0] if kind is None else rules.kind(str(kind))
    if rule is None:
        message = f"{model.model} takes no {kind} as a reference"
        blamed = "kind" if "kind" in one.fields else ""
        return one.fault(blamed, "not-allowed", message, rules.rule)
    return rule


def _url_path(url: str) -> str:
    """The path of a URL; empty where it is no URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


# --- local files -------------------------------------------------------------------------------


def _local(
    one: _Written,
    text: str,
    rule: KindRule,
    model: Model,
    rules: ReferenceRules,
    base: Path,
    files: LocalFiles,
) -> _Outcome:
    if not rules.uploads:
        message = f"{model.provider} takes no uploads, so {model.model} cannot use a local file"
        hint = "put the file at a public https URL, and write that URL"
        return one.fault("path", "no-upload", message, hint)
    if is_url(text):
        return one.fault("path", "bad-url", "a URL stands under `path`", "write it under `url`")
    if one.fields.get("upload"):
        message = "`upload` is for URLs; a local file is uploaded anyway"
        return one.fault("upload", "conflict", message, "remove it")
    path = base / text
    file = files.look(path, rule.max_bytes)
    fault = _file_fault(one, text, file, rule, model)
    if fault is not None:
        return fault
    return _reference(one, rule, path=str(path), file=file)


def _file_fault(
    one: _Written, text: str, file: LocalFile, rule: KindRule, model: Model
) -> ReferenceFault | None:
    if file.trouble:
        hint = "paths are relative to the manifest"
        return one.fault("path", "no-file", f"{text} {file.trouble}", hint)
    if rule.max_bytes is not None and file.size > rule.max_bytes:
        most = f"{rule.max_bytes / 1024 / 1024:g} MiB"
        size = f"{file.size / 1024 / 1024:.1f} MiB"
        message = f"{text} has {size}; {model.model} takes at most {most} for each {rule.kind}"
        return one.fault("path", "too-large", message, "make it smaller")
    if not _takes(rule, file.mime_type):
        what = file.mime_type or "nothing that is known"
        wanted = ", ".join(rule.mime_types) or rule.kind
        message = f"{text} begins like {what}; {model.model} takes {wanted}"
        return one.fault("path", "bad-media", message, "convert the file")
    return None


def _takes(rule: KindRule, mime_type: str | None) -> bool:
    if rule.mime_types:
        return mime_type in rule.mime_types
    return mime_type is not None and kind_of(mime_type) == rule.kind


# --- URLs --------------------------------------------------------------------------------------


def _remote(
    one: _Written, text: str, rule: KindRule, rules: ReferenceRules, model: Model
) -> _Outcome:
    if not is_url(text):
        hint = "write https://…, or `path` for a local file"
        return one.fault("url", "bad-url", f"`{text}` is no URL", hint)
    complaint = complaint_about(text)
    if complaint is not None:
        return one.fault("url", "bad-url", *complaint)
    if one.fields.get("upload") and not rules.uploads:
        message = f"{model.provider} takes no uploads"
        return one.fault("upload", "no-upload", message, "remove `upload`")
    mime_type = one.fields.get("mime_type")
    if mime_type is not None and rule.mime_types and mime_type not in rule.mime_types:
        message = f"{model.model} takes no {mime_type}; allowed: {', '.join(rule.mime_types)}"
        return one.fault("mime_type", "not-allowed", message)
    return _reference(one, rule, url=text)


def _reference(
    one: _Written,
    rule: KindRule,
    *,
    path: str | None = None,
    url: str | None = None,
    file: LocalFile | None = None,
) -> Reference:
    fields = one.fields
    return Reference(
        kind=rule.kind,
        path=path,
        url=url,
        sha256=file.sha256 if file else None,
        size=file.size if file else None,
        name=fields.get("name"),
        mime_type=file.mime_type if file else fields.get("mime_type"),
        duration_seconds=fields.get("duration_seconds"),
        duration_token=fields.get("duration_token"),
        upload=bool(fields.get("upload", False)),
    )


# --- all of them together ----------------------------------------------------------------------


def _doubts(one: _Written, reference: Reference, rules: ReferenceRules) -> Iterator[ReferenceFault]:
    rule = rules.kind(reference.kind)
    wants_token = rule is not None and rule.duration_token
    if wants_token and not reference.needs_upload and reference.duration_token is None:
        message = f"the provider may ask for the duration token of a {reference.kind}"
        hint = "state `duration_token`, or `upload: true` to have it uploaded"
        yield ReferenceFault(one.number, "", "no-duration-token", message, hint, is_warning=True)


def _count_faults(
    found: Sequence[Reference], model: Model, rules: ReferenceRules
) -> Iterator[ReferenceFault]:
    for count in range(1, len(found) + 1):
        if not _fits(found[:count], rules):
            message = f"{model.model} does not take this reference beside the others"
            yield ReferenceFault(count - 1, "", "too-many-references", message, rules.rule)
            return
    if len(found) < rules.min_files:
        message = f"{model.model} needs a reference"
        yield ReferenceFault(None, "", "missing-reference", message, rules.rule)


def _fits(references: Sequence[Reference], rules: ReferenceRules) -> bool:
    counts = Counter(reference.kind for reference in references)
    return len(references) <= rules.max_files and any(
        all(count <= allowed.get(kind, 0) for kind, count in counts.items())
        for allowed in rules.combinations
    )
