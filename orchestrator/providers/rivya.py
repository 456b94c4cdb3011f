"""Rivya Public API v1: `hailuo-pro`, `happyhorse-1-0`, `sora-2-pro`.

Facts are from Rivya's model pages and public API documentation of May 2026. Where those are
silent (the HTTP status of success, the fields of a video result, the code of a lacking balance's
status) every plausible answer is read.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orchestrator.providers.base import (
    Accepted,
    Body,
    CreateOutcome,
    Fault,
    Halted,
    PollTrouble,
    Rejected,
    Reply,
    Request,
    Settings,
    TaskView,
    Throttled,
    Unclear,
    Upload,
    Uploaded,
    WireReference,
)
from orchestrator.providers.replies import (
    amount,
    envelope_fault,
    identifier,
    mapping,
    media_url,
    member,
    opaque,
    read_object,
    retry_after,
    word,
)
from orchestrator.providers.rivya_models import read_listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.catalog.listing import Listing
    from orchestrator.catalog.spec import Model
    from orchestrator.jobs import Job

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_CREDENTIALS = frozenset(
    {
        "api_key_missing",
        "api_key_invalid",
        "api_key_revoked",
        "api_key_expired",
        "api_scope_denied",
    }
)
#: Codes that say nothing was made and the same request would be answered the same way.
_REJECTED = frozenset({"validation_failed", "not_found", "webhook_url_rejected"})
_OPEN = frozenset({"queued", "processing"})
_STATUSES = _OPEN | {"succeeded", "failed"}
#: Result members that are pictures of the video, not the video.
_PREVIEWS = ("thumb", "cover", "poster", "preview", "image")


class Rivya:
    """See `providers.base.Provider`."""

    name = "rivya"
    settings = Settings("RIVYA_API_KEY", "RIVYA_BASE_URL", "https://rivya.ai")
    honours_key = True
    poll_batch = 1
    failures_free = False
    own_fields: frozenset[str] = (
        frozenset()
    )  # parameters go into `params`, which holds them and references alone
    reference_fields = frozenset({"referenceMediaItems"})
    takes_files = True
    most_references = None

    def create(
        self,
        job: Job,
        model: Model,
        references: Sequence[WireReference],
        idempotency_key: str,
    ) -> Request:
        """See `Provider.create`. References go into `params` (model pages, "reference rules")."""
        params: dict[str, Any] = dict(job.params)
        if references and model.references is not None:
            params[model.references.field] = [_reference_item(item) for item in references]
        body: Body = {"model": job.model, "prompt": job.spec.prompt}
        if params:
            body["params"] = params
        encoded = _to_json(body).encode()
        return self.resend(encoded, idempotency_key)

    def resend(self, body: bytes, idempotency_key: str) -> Request:
        """See `Provider.resend`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        return Request("POST", "/api/v1/generations", body, headers)

    def read_create(self, reply: Reply) -> CreateOutcome:
        """See `Provider.read_create`."""
        document = read_object(reply)
        task = _task(document)
        task_id = identifier(member(task, "id", "task_id"))
        if task_id is not None and _says_accepted(reply, task):
            view = _view(task) if 200 <= reply.status < 300 else None
            return Accepted(
                task_id,
                amount(member(task, "reserved_credits")),
                view=view if view is not None and view.is_final else None,
            )
        fault = envelope_fault(reply, document)
        if 200 <= reply.status < 300:
            return Unclear(Fault("no_task_id", "the reply of success names no task", fault.trace))
        return _refusal(reply, fault)

    def poll(self, task_ids: Sequence[str]) -> Request:
        """See `Provider.poll`: Rivya tells one task at a time."""
        (task_id,) = task_ids
        return Request("GET", f"/api/v1/generations/{quote(task_id, safe='')}")

    def read_poll(
        self, task_ids: Sequence[str], reply: Reply
    ) -> Mapping[str, TaskView] | PollTrouble:
        """See `Provider.read_poll`."""
        (task_id,) = task_ids
        document = read_object(reply)
        if 200 <= reply.status < 300:
            task = _task(document)
            named = member(task, "id", "task_id")
            if not task or (named is not None and identifier(named) != task_id):
                return PollTrouble("unavailable", Fault("unreadable", "no such task in the reply"))
            return {task_id: _view(task)}
        fault = envelope_fault(reply, document)
        if reply.status == 404:
            return {task_id: TaskView("missing", fault=fault)}
        return _poll_trouble(reply, fault, _CREDENTIALS)

    def upload(self, upload: Upload, kind: str, model: Model) -> Request:
        """See `Provider.upload`. `model` is always named, so that its own limits are checked."""
        fields = {"kind": kind, "model": model.model}
        return Request("POST", "/api/v1/files", upload=dataclasses.replace(upload, fields=fields))

    def read_upload(self, reply: Reply) -> Uploaded | Rejected | Throttled | Halted | Unclear:
        """See `Provider.read_upload`. An upload is free, so an unclear one may be repeated."""
        document = read_object(reply)
        file = mapping(member(document, "file", "data")) or mapping(document)
        url = opaque(member(file, "url"))
        if 200 <= reply.status < 300 and url is not None:
            return Uploaded(
                url,
                opaque(member(file, "duration_token", "durationToken")),
                amount(member(file, "duration_seconds", "durationSeconds", "duration")),
            )
        fault = envelope_fault(reply, document)
        outcome = _refusal(reply, fault)
        if isinstance(outcome, Unclear) and 400 <= reply.status < 500 and reply.status != 408:
            return Rejected("rejected", fault)
        return outcome

    def balance(self) -> Request:
        """See `Provider.balance`."""
        return Request("GET", "/api/v1/credits")

    def read_balance(self, reply: Reply) -> float | Fault:
        """See `Provider.read_balance`."""
        document = read_object(reply)
        left = amount(member(document, "current_credits"))
        if 200 <= reply.status < 300 and left is not None:
            return left
        return envelope_fault(reply, document)

    def models(self) -> Request:
        """See `Provider.models`."""
        return Request("GET", "/api/v1/models")

    def read_models(self, reply: Reply) -> Listing | Fault:
        """See `Provider.read_models`."""
        return read_listing(reply)


def _reference_item(reference: WireReference) -> dict[str, Any]:
    item = {
        "url": reference.url,
        "kind": reference.kind,
        "name": reference.name,
        "mimeType": reference.mime_type,
        "durationSeconds": reference.duration_seconds,
        "durationToken": reference.duration_token,
    }
    return {key: value for key, value in item.items() if value is not None}


def _task(document: dict[str, Any] | None) -> dict[str, Any]:
    """The task of a reply: the document itself, or what an envelope holds."""
    if member(document, "id", "task_id") is not None:
        return mapping(document)
    inner = mapping(member(document, "data", "generation", "task"))
    is_enveloped = member(inner, "id", "task_id") is not None or "status" not in mapping(document)
    return inner if is_enveloped else mapping(document)


def _says_accepted(reply: Reply, task: dict[str, Any]) -> bool:
    """Whether a reply with a task id means that the task exists.

    A server's error that still says how a task stands is taken at its word: losing a paid task
    would be worse than asking for one that is not there. Other ids in errors are the request's.
    """
    return 200 <= reply.status < 300 or (reply.status >= 500 and _status(task) in _STATUSES)


def _refusal(reply: Reply, fault: Fault) -> Rejected | Throttled | Halted | Unclear:
    """What a create's error reply means; anything that no table lists is unclear."""
    if not 400 <= reply.status < 500:
        return Unclear(fault, retry_after=retry_after(reply))
    if reply.status == 429 or fault.code == "rate_limited":
        return Throttled(fault, retry_after(reply))
    if reply.status == 401 or fault.code in _CREDENTIALS:
        return Halted("credentials", fault)
    if reply.status == 402 or fault.code == "insufficient_credits":
        return Halted("balance", fault)
    if fault.code in _REJECTED:
        return Rejected("rejected", fault)
    return Unclear(fault, final=reply.status != 408)


def _poll_trouble(reply: Reply, fault: Fault, credential_codes: frozenset[str]) -> PollTrouble:
    """What a poll's error reply means: never a job's failure."""
    if reply.status == 429:
        return PollTrouble("throttled", fault, retry_after(reply))
    if reply.status == 401 or fault.code in credential_codes:
        return PollTrouble("credentials", fault)
    return PollTrouble("unavailable", fault, retry_after(reply))


def _status(task: dict[str, Any]) -> str | None:
    said = word(member(task, "status"))
    return said.lower() if said else None


def _view(task: dict[str, Any]) -> TaskView:
    status = _status(task)
    final = amount(member(task, "final_credits"))
    if status == "succeeded":
        return TaskView("succeeded", tuple(_result_urls(member(task, "result"))), final)
    if status == "failed":
        error = mapping(member(task, "error"))
        code = word(member(error, "code")) or "failed"
        message = word(member(error, "message")) or "no message"
        return TaskView(
            "failed", final=final, fault=Fault(code, message, word(member(error, "requestId")))
        )
    return TaskView("open", odd=None if status in _OPEN else status or "no status")


def _result_urls(result: object) -> Iterator[str]:
    """Media URLs of a result, the primary one first, each once.

    Only `primary_url` and `urls` are documented, and those for an image: where neither is there,
    any URL below `result` that is not named as a preview counts.
    """
    fields = mapping(result)
    listed = fields.get("urls")
    documented = [fields.get("primary_url"), *(listed if isinstance(listed, list) else ())]
    found = [url for item in documented for url in _urls_below(item)]
    yield from dict.fromkeys(found or _urls_below(result))


def _urls_below(value: object) -> Iterator[str]:
    """URLs in a value and whatever it holds, in order; a reply's nesting has no bound."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        url = media_url(item)
        if url is not None:
            yield url
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            shown = [inner for name, inner in item.items() if not _is_preview(name)]
            waiting.extend(reversed(shown))


def _is_preview(name: str) -> bool:
    return any(preview in name.lower() for preview in _PREVIEWS)
