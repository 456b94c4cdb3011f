"""References as a manifest writes them → `Reference`s that the model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.catalog.media_types import kind_by_extension, kind_of
from orchestrator.jobs import Reference
from orchestrator.manifest.reference_counts import count_fault
from orchestrator.manifest.reference_faults import ReferenceFault
from orchestrator.manifest.urls import complaint_about, is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.catalog.spec import KindRule, Model, ReferenceRules
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.local_files import LocalFile, LocalFiles


@dataclass(frozen=True, slots=True)
class _Written:
    """One reference of a list, with all that its check needs."""

    number: int
    #: As its mapping says. None stands for what could not be read: it is blamed elsewhere.
    fields: Mapping[str, Data]
    #: None where the model is not known: then only the reference itself is checked.
    model: Model | None
    #: The folder that paths are relative to.
    base: Path
    files: LocalFiles

    @property
    def place(self) -> str:
        """The field that says where it is."""
        return "path" if "path" in self.fields else "url"

    @property
    def text(self) -> str | None:
        """The path or URL; None where it could not be read."""
        value = self.fields.get(self.place)
        return None if value is None else str(value)

    @property
    def rules(self) -> ReferenceRules | None:
        """What the model takes."""
        return None if self.model is None else self.model.references

    def fault(self, field: str, code: str, message: str, hint: str = "") -> ReferenceFault:
        """A fault of this reference."""
        return ReferenceFault(self.number, field, code, message, hint)


def read_references(
    written: Sequence[Mapping[str, Data]], model: Model | None, base: Path, files: LocalFiles
) -> tuple[tuple[Reference, ...], tuple[ReferenceFault, ...]]:
    """The references of one job, and everything that is wrong with them.

    Each is a mapping; a None in it stands for what is known to be wrong already. Paths are relative
    to `base`, the manifest's folder. Without a model, only what is wrong for every model is found.
    """
    if model is not None and model.references is None:
        return (), tuple(_none_taken(written, model))
    several = [
        _Written(number, fields, model, base, files) for number, fields in enumerate(written)
    ]
    rules = [_rule(one) for one in several]
    faults = [rule for rule in rules if isinstance(rule, ReferenceFault)]
    found: list[Reference] = []
    for one, rule in zip(several, rules, strict=True):
        if isinstance(rule, ReferenceFault) or one.text is None:
            continue
        own = list(_faults(one, one.text, rule))
        faults += own
        if rule is not None and not own:
            reference = _reference(one, rule)
            found.append(reference)
            faults += _doubts(one, reference, rule)
    if model is not None and model.references is not None:
        taken = {n: _kind(rule) for n, rule in enumerate(rules) if not _is_refused(rule)}
        faults += count_fault(taken, len(written), model.model, model.references)
    return tuple(found), tuple(faults)


def _none_taken(written: Sequence[Data], model: Model) -> Iterator[ReferenceFault]:
    if written:
        message = f"{model.model} takes no references"
        yield ReferenceFault(0, "", "too-many-references", message, "remove them")


# --- what kind it is ---------------------------------------------------------------------------


def _rule(one: _Written) -> KindRule | ReferenceFault | None:
    """The rule for the reference's kind; None where its kind or the model cannot be known.

    The kind is the mapping's, else the extension's, else the model's only one.
    """
    text, rules = one.text, one.rules
    if text is None or rules is None or ("kind" in one.fields and one.fields["kind"] is None):
        return None
    kind = one.fields.get("kind") or kind_by_extension(
        text if one.place == "path" else _url_path(text)
    )
    if kind is not None:
        return rules.kind(str(kind)) or _not_taken(one, str(kind), rules)
    if len(rules.kinds) == 1:
        return rules.kinds[0]
    message = "it is not clear what kind of reference this is"
    taken = ", ".join(rule.kind for rule in rules.kinds)
    hint = f"write it as a mapping with its `kind`: {taken}"
    return one.fault("", "unknown-kind", message, hint)


def _not_taken(one: _Written, kind: str, rules: ReferenceRules) -> ReferenceFault:
    assert one.model is not None, "the rules are its own"
    message = f"{one.model.model} takes no {kind} as a reference"
    blamed = "kind" if "kind" in one.fields else ""
    return one.fault(blamed, "not-allowed", message, rules.rule)


def _is_refused(rule: KindRule | ReferenceFault | None) -> bool:
    """Whether the reference has to go anyway, and so takes no place beside the others."""
    return isinstance(rule, ReferenceFault) and rule.code == "not-allowed"


def _kind(rule: KindRule | ReferenceFault | None) -> str | None:
    return None if rule is None or isinstance(rule, ReferenceFault) else rule.kind


def _url_path(url: str) -> str:
    """The path of a URL; empty where it is no URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


# --- what is wrong with it ---------------------------------------------------------------------


def _faults(one: _Written, text: str, rule: KindRule | None) -> Iterator[ReferenceFault]:
    if not text:
        yield one.fault(one.place, "empty", "the reference is empty", "write a path or a URL")
    elif one.place == "path":
        yield from _local_faults(one, text, rule)
    else:
        yield from _remote_faults(one, text, rule)


def _local_faults(one: _Written, text: str, rule: KindRule | None) -> Iterator[ReferenceFault]:
    if one.model is not None and one.rules is not None and not one.rules.uploads:
        name = one.model.model
        message = f"{one.model.provider} takes no uploads, so {name} cannot use a local file"
        hint = "put the file at a public https URL, and write that URL"
        yield one.fault("path", "no-upload", message, hint)
        return
    if is_url(text):
        yield one.fault("path", "bad-url", "a URL stands under `path`", "write it under `url`")
        return
    if one.fields.get("upload"):
        message = "`upload` is for URLs; a local file is uploaded anyway"
        yield one.fault("upload", "conflict", message, "remove it")
    file = _file(one, text, rule)
    if file.trouble:
        hint = one.files.hint_for(one.base, text) if file.is_missing else ""
        yield one.fault("path", "no-file", f"{text} {file.trouble}", hint)
    elif rule is not None and one.model is not None:
        yield from _content_faults(one, text, file, rule, one.model)


def _file(one: _Written, text: str, rule: KindRule | None) -> LocalFile:
    # Without a rule only its presence counts, and the file is not read to its end.
    return one.files.look(one.base / text, 0 if rule is None else rule.max_bytes)


def _content_faults(
    one: _Written, text: str, file: LocalFile, rule: KindRule, model: Model
) -> Iterator[ReferenceFault]:
    if rule.max_bytes is not None and file.size > rule.max_bytes:
        most = f"{rule.max_bytes / 1024 / 1024:g} MiB"
        size = f"{file.size / 1024 / 1024:.1f} MiB"
        message = f"{text} has {size}; {model.model} takes at most {most} for each {rule.kind}"
        yield one.fault("path", "too-large", message, "make it smaller")
    if not file.size:
        yield one.fault("path", "bad-media", f"{text} is empty", "save the file again")
    elif not _takes(rule, file.mime_type):
        what = file.mime_type or "nothing that is known"
        wanted = ", ".join(rule.mime_types) or rule.kind
        message = f"{text} begins like {what}; {model.model} takes {wanted}"
        yield one.fault("path", "bad-media", message, "convert the file")


def _takes(rule: KindRule, mime_type: str | None) -> bool:
    if rule.mime_types:
        return mime_type in rule.mime_types
    return mime_type is not None and kind_of(mime_type) == rule.kind


def _remote_faults(one: _Written, text: str, rule: KindRule | None) -> Iterator[ReferenceFault]:
    complaint = complaint_about(text)
    if not is_url(text):
        hint = "write https://…, or `path` for a local file"
        yield one.fault("url", "bad-url", f"`{text}` is no URL", hint)
    elif complaint is not None:
        yield one.fault("url", "bad-url", *complaint)
    if one.model is None or one.rules is None:
        return
    if one.fields.get("upload") and not one.rules.uploads:
        message = f"{one.model.provider} takes no uploads"
        yield one.fault("upload", "no-upload", message, "remove `upload`")
    mime_type = one.fields.get("mime_type")
    types = () if rule is None else rule.mime_types
    if mime_type is not None and types and mime_type not in types:
        message = f"{one.model.model} takes no {mime_type}; allowed: {', '.join(types)}"
        yield one.fault("mime_type", "not-allowed", message)


def _doubts(one: _Written, reference: Reference, rule: KindRule) -> Iterator[ReferenceFault]:
    if rule.duration_token and not reference.needs_upload and reference.duration_token is None:
        message = f"the provider may ask for the duration token of a {reference.kind}"
        hint = "state `duration_token`, or `upload: true` to have it uploaded"
        yield ReferenceFault(one.number, "", "no-duration-token", message, hint, is_warning=True)


def _reference(one: _Written, rule: KindRule) -> Reference:
    """The reference, in which nothing is wrong."""
    fields = one.fields
    text = str(one.text)
    file = _file(one, text, rule) if one.place == "path" else None
    return Reference(
        kind=rule.kind,
        path=None if file is None else str(one.base / text),
        url=text if file is None else None,
        sha256=None if file is None else file.sha256,
        size=None if file is None else file.size,
        name=fields.get("name"),
        mime_type=fields.get("mime_type") if file is None else file.mime_type,
        duration_seconds=fields.get("duration_seconds"),
        duration_token=fields.get("duration_token"),
        upload=bool(fields.get("upload", False)),
    )
