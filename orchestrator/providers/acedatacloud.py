"""AceDataCloud's Hailuo API: `minimax-t2v`, `minimax-i2v`, `minimax-i2v-director`.

Facts are from AceDataCloud's Hailuo guides and OpenAPI documents up to October 2026. A create is
asked for asynchronously; servers that ignore that and answer with the finished video are
understood just as well. Nothing honours an idempotency key here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

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
    clean,
    envelope_fault,
    identifier,
    mapping,
    media_url,
    member,
    read_object,
    retry_after,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.catalog.spec import Model
    from orchestrator.jobs import Job

#: Codes that stop the account whatever the HTTP status, that of success included.
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_ALWAYS_CREDENTIALS = frozenset({"no_token", "token_mismatched", "no_api"})
_CREDENTIALS = _ALWAYS_CREDENTIALS | {"disabled", "invalid_token", "token_expired"}
_REJECTED = frozenset({"bad_request", "api_not_implemented"})
_SUCCESS = frozenset({"succeeded", "success", "completed"})
_RUNNING = frozenset({"queued", "pending", "processing", "running"})
_FAILURE = frozenset({"failed", "cancelled", "canceled"})
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class AceDataCloud:
    """See `providers.base.Provider`."""

    name = "acedatacloud"
    settings = Settings(
        "ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_API_BASE_URL", "https://api.acedata.cloud"
    )
    honours_key = False
    poll_batch = 50
    failures_free = True
    own_fields = frozenset({"action", "model", "prompt", "async", "callback_url"})
    reference_fields = frozenset({"first_image_url"})
    takes_files = False
    most_references = 1

    def create(
        self,
        job: Job,
        model: Model,
        references: Sequence[WireReference],
        idempotency_key: str,
    ) -> Request:
        """See `Provider.create`. A reference's URL goes into the model's own body field."""
        own: Body = {"action": "generate", "model": job.model, "prompt": job.spec.prompt}
        body: Body = {**own, **job.params}
        if references and model.references is not None:
            body[model.references.field] = references[0].url
        # What is recorded is what is sent, whatever a table calls its parameters.
        body |= {**own, "async": True}
        encoded = _to_json(body).encode()
        return self.resend(encoded, idempotency_key)

    def resend(
        self,
        body: bytes,
        idempotency_key: str,  # noqa: ARG002 - the API knows no key; the ledger keeps it
    ) -> Request:
        """See `Provider.resend`."""
        return Request("POST", "/hailuo/videos", body, _JSON)

    def read_create(self, reply: Reply) -> CreateOutcome:
        """See `Provider.read_create`."""
        document = read_object(reply)
        fault = envelope_fault(reply, document)
        task_id = identifier(member(document, "task_id"))
        if 200 <= reply.status < 300 and task_id is not None:
            view = _answer_view(document, finished=False)
            return Accepted(task_id, trace=fault.trace, view=view if view.is_final else None)
        refusal = _refusal(reply, fault)
        if task_id is not None and isinstance(refusal, Unclear):
            # The error is the request's: only a poll tells what became of the task it names.
            return Accepted(task_id, trace=fault.trace)
        return refusal

    def poll(self, task_ids: Sequence[str]) -> Request:
        """See `Provider.poll`: one task by `id`, several by `retrieve_batch`."""
        body: Body = (
            {"id": task_ids[0]}
            if len(task_ids) == 1
            else {"ids": list(task_ids), "action": "retrieve_batch"}
        )
        return Request("POST", "/hailuo/tasks", _to_json(body).encode(), _JSON)

    def read_poll(
        self, task_ids: Sequence[str], reply: Reply
    ) -> Mapping[str, TaskView] | PollTrouble:
        """See `Provider.read_poll`. Order and completeness of a batch are not documented."""
        document = read_object(reply)
        fault = envelope_fault(reply, document)
        if not 200 <= reply.status < 300:
            return _poll_trouble(reply, fault)
        if document is None:
            return PollTrouble("unavailable", fault)
        items = _items(document)
        if items is None and len(task_ids) > 1:
            return replace(_poll_trouble(reply, fault), refuses_batch=True)
        if items is None and member(document, "error") is not None and "response" not in document:
            return _poll_trouble(reply, fault)
        found = dict(_named_items(items if items is not None else [document], task_ids))
        return {
            task_id: _task_view(found[task_id]) if task_id in found else TaskView("missing")
            for task_id in task_ids
        }

    def upload(self, upload: Upload, kind: str, model: Model) -> NoReturn:
        """See `Provider.upload`: there is no Files API."""
        raise NotImplementedError("AceDataCloud has no Files API")

    def read_upload(self, reply: Reply) -> Uploaded | Rejected | Throttled | Halted | Unclear:
        """See `Provider.read_upload`: there is no Files API."""
        raise NotImplementedError("AceDataCloud has no Files API")

    def balance(self) -> None:
        """See `Provider.balance`: the token that creates cannot read a balance."""
        return

    def read_balance(self, reply: Reply) -> float | Fault:
        """See `Provider.read_balance`: nothing is ever asked."""
        return envelope_fault(reply, read_object(reply))

    def models(self) -> None:
        """See `Provider.models`: no list is documented."""
        return

    def read_models(self, reply: Reply) -> Fault:
        """See `Provider.read_models`: nothing is ever asked."""
        return envelope_fault(reply, read_object(reply))


def _refusal(reply: Reply, fault: Fault) -> Rejected | Throttled | Halted | Unclear:
    """What a create's reply without a task means; what the error table does not list is unclear."""
    if fault.code in _ALWAYS_CREDENTIALS:
        return Halted("credentials", fault)
    if 200 <= reply.status < 300:
        return Unclear(Fault("no_task_id", "the reply of success names no task", fault.trace))
    if not 400 <= reply.status < 500:
        return Unclear(fault, retry_after=retry_after(reply))
    if reply.status == 429 or fault.code == "too_many_requests":
        return Throttled(fault, retry_after(reply))
    if reply.status == 401 or fault.code in _CREDENTIALS:
        return Halted("credentials", fault)
    if reply.status == 402 or fault.code == "used_up":
        return Halted("balance", fault)
    if reply.status == 403 and fault.code == "forbidden":
        return Rejected("refused", fault)
    if reply.status == 400 and fault.code in _REJECTED:
        return Rejected("rejected", fault)
    return Unclear(fault, final=reply.status != 408)


def _poll_trouble(reply: Reply, fault: Fault) -> PollTrouble:
    if reply.status == 429 or fault.code == "too_many_requests":
        return PollTrouble("throttled", fault, retry_after(reply))
    if reply.status == 401 or fault.code in _CREDENTIALS:
        return PollTrouble("credentials", fault)
    refused = 400 <= reply.status < 500 and fault.code != f"http_{reply.status}"
    return PollTrouble("unavailable", fault, retry_after(reply), refuses_batch=refused)


def _items(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The tasks of a batch; None where the document is a single task."""
    items = document.get("items")
    if not isinstance(items, list):
        return None
    return [item for item in items if isinstance(item, dict)]


def _named_items(
    items: Sequence[dict[str, Any]], task_ids: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each task under its id. A single task that leaves its id out is the one asked for."""
    for item in items:
        if not item:
            continue
        response = mapping(member(item, "response"))
        task_id = identifier(member(item, "id", "task_id") or member(response, "task_id"))
        if task_id in task_ids:
            yield str(task_id), item
        elif task_id is None and len(task_ids) == len(items) == 1:
            yield task_ids[0], item


def _task_view(item: dict[str, Any]) -> TaskView:
    response = member(item, "response")
    if not isinstance(response, dict):
        return TaskView("open")
    return _answer_view(response, finished=member(item, "finished_at") is not None)


def _answer_view(answer: dict[str, Any] | None, *, finished: bool) -> TaskView:
    """How a task stands by its answer: there is no top-level status, so the parts are weighed.

    A video with a word of success beside a failed one counts: it was made.
    """
    success = member(answer, "success")
    data = member(answer, "data")
    results = [item for item in (data if isinstance(data, list) else [data]) if mapping(item)]
    words = {_state(item) for item in results} - {None}
    if success is not False:
        urls = _finished_urls(results)
        if urls and words <= _SUCCESS | _FAILURE:
            return TaskView("succeeded", urls)
    coded = word(member(mapping(member(answer, "error")), "code")) is not None
    if words & _FAILURE or (success is False and (coded or (finished and not words & _RUNNING))):
        return _failed(answer)
    odd = sorted(said for said in words if said and said not in _RUNNING | _SUCCESS)
    return TaskView("open", odd=odd[0] if odd else None)


def _state(item: dict[str, Any]) -> str | None:
    said = word(member(item, "state", "status"))
    return said.lower() if said else None


def _finished_urls(results: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Video URLs of the items that say success, or say nothing, each once and in order."""
    urls = [
        media_url(member(item, "video_url"))
        for item in results
        if _state(item) in _SUCCESS or _state(item) is None
    ]
    return tuple(dict.fromkeys(url for url in urls if url))


def _failed(answer: dict[str, Any] | None) -> TaskView:
    error = member(answer, "error")
    code = word(member(mapping(error), "code")) or "failed"
    message = clean(error) if isinstance(error, str) else word(member(mapping(error), "message"))
    fault = Fault(code, message or "no message", word(member(answer, "trace_id")))
    return TaskView(
        "failed",
        fault=fault,
        refused=code == "forbidden",
        model_down="no channel available" in fault.message.lower(),
    )
