"""Rivya's Public API v1, as its pages document it: models, generations, files, credits."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.sandbox import wire
from orchestrator.sandbox.desk import TASKS, answer
from orchestrator.sandbox.faults import Subject
from orchestrator.sandbox.replies import Refused
from orchestrator.sandbox.rivya_files import read_upload
from orchestrator.sandbox.world import WORLD, subject_of, subject_of_create

if TYPE_CHECKING:
    from orchestrator.catalog.spec import Model, Param
    from orchestrator.sandbox.tasks import Task
    from orchestrator.sandbox.uploads import UploadedFile
    from orchestrator.sandbox.world import World

NAME = "rivya"

#: Top-level fields of a create.
CREATE_FIELDS = ("model", "prompt", "params", "client_request_id")

#: The longest `client_request_id`, in characters.
REQUEST_ID_LIMIT = 128


async def models(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/models: public."""
    world = request.app[WORLD]
    listed = [_model(m) for m in world.catalog.models.values() if m.provider == NAME]
    return web.json_response({"object": "list", "data": listed})


async def create(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/generations."""
    body = await request.read()
    key = request.headers.get("Idempotency-Key")
    respond = partial(_create, request, body, key)
    return await answer(
        request,
        NAME,
        "create",
        lambda: [subject_of_create(NAME, _lenient(body), key, body)],
        respond,
    )


async def status(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/generations/{id}."""
    world = request.app[WORLD]
    task_id = request.match_info["id"]
    request[TASKS] = (task_id,)
    task = world.tasks.with_id(NAME, task_id)

    async def respond() -> web.StreamResponse:
        if task is None or task.standing(time.time()) == "missing":
            raise Refused(404, "not_found", "No generation has this id")
        standing = world.shown(task, time.time())
        return web.json_response(_generation(world, task, standing))

    return await answer(
        request, NAME, "poll", lambda: [subject_of(task)] if task else [Subject(NAME)], respond
    )


async def upload(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/files."""
    world = request.app[WORLD]

    async def respond() -> web.StreamResponse:
        try:
            file = await read_upload(request, partial(world.model, NAME))
        except wire.Wrong as wrong:
            raise wire.refused(wrong, "validation_failed") from wrong
        world.uploads.add(file)
        return web.json_response(_file(world, file), status=201)

    return await answer(request, NAME, "upload", lambda: [Subject(NAME)], respond)


async def file(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/files/{id}."""
    world = request.app[WORLD]

    async def respond() -> web.StreamResponse:
        found = world.uploads.with_id(request.match_info["id"])
        if found is None:
            raise Refused(404, "not_found", "No file has this id")
        return web.json_response(_file(world, found))

    return await answer(request, NAME, "other", list, respond)


async def credits_left(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/credits."""

    async def respond() -> web.StreamResponse:
        return web.json_response({"current_credits": _short(request.app[WORLD].credits(NAME))})

    return await answer(request, NAME, "balance", lambda: [Subject(NAME)], respond)


async def elsewhere(request: web.Request) -> web.StreamResponse:
    """Any other path."""

    async def respond() -> web.StreamResponse:
        raise Refused(404, "not_found", f"There is no {request.method} {request.path}")

    return await answer(request, NAME, "other", list, respond)


async def _create(request: web.Request, body: bytes, key: str | None) -> web.StreamResponse:
    world = request.app[WORLD]
    earlier = world.tasks.with_key(NAME, key) if key else None
    if earlier is not None:
        if earlier.body != body:
            message = "This Idempotency-Key was used with another body"
            raise Refused(409, "idempotency_conflict", message)
        request[TASKS] = (earlier.id,)
        return web.json_response(_generation(world, earlier, earlier.standing(time.time())))
    try:
        fields = _object(body)
        model = _check(world, fields)
    except wire.Wrong as wrong:
        raise wire.refused(wrong, "validation_failed") from wrong
    if not world.affordable(NAME, model.price):
        raise Refused(402, "insufficient_credits", "The wallet does not cover this generation")
    task = world.make(NAME, model, body, fields, key)
    request[TASKS] = (task.id,)
    return web.json_response(_generation(world, task, "queued"), status=201)


def _check(world: World, fields: dict[str, Any]) -> Model:
    """The model of a create that is right in every field. Raises Wrong."""
    wire.only_fields(fields, CREATE_FIELDS)
    name = wire.text_field(fields, "model")
    model = world.model(NAME, name)
    if model is None:
        raise wire.Wrong(f"model: there is no model {name!r}")
    wire.text_field(fields, "prompt", model.prompt_limit)
    if "client_request_id" in fields:
        wire.text_field(fields, "client_request_id", REQUEST_ID_LIMIT)
    params = fields.get("params", {})
    if not isinstance(params, dict):
        raise wire.Wrong("params: must be an object")
    wire.check_params(model, params)
    if model.references:
        items = params.get(model.references.field, [])
        wire.check_items(model.references, items, world.file)
    return model


def _object(body: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wire.Wrong("body: must be JSON") from error
    if not isinstance(loaded, dict):
        raise wire.Wrong("body: must be a JSON object")
    return loaded


def _lenient(body: bytes) -> dict[str, Any]:
    """What rules may look at, also of a create that will be refused."""
    try:
        return _object(body)
    except wire.Wrong:
        return {}


def _generation(world: World, task: Task, standing: str) -> dict[str, Any]:
    """A generation as creates and the status endpoint show it, standing as it does."""
    succeeded, failed = standing == "succeeded", standing == "failed"
    urls = world.video_urls(task) if succeeded else []
    error = {"code": task.outcome.failure or "generation_failed", "message": task.outcome.message}
    final = task.credits if task.outcome.final is None else task.outcome.final
    return {
        "id": task.id,
        "status": world.word(task, standing),
        "model": task.model,
        "reserved_credits": _short(task.credits),
        "final_credits": _short(final) if succeeded else 0,
        "created_at": _moment(task.created_at),
        "updated_at": _moment(min(time.time(), task.finishes_at or float("inf"))),
        "result": {"primary_url": urls[0] if urls else None, "urls": urls} if succeeded else None,
        "error": error if failed else None,
    }


def _file(world: World, found: UploadedFile) -> dict[str, Any]:
    shown = {
        "id": found.id,
        "url": world.file_url(found),
        "kind": found.kind,
        "name": found.name,
        "mime_type": found.mime_type,
        "size_bytes": len(found.content),
        "created_at": _moment(found.created_at),
    }
    if found.duration_token is not None:
        shown["duration_seconds"] = found.duration_seconds
        shown["duration_token"] = found.duration_token
    return shown


def _model(model: Model) -> dict[str, Any]:
    """An entry of the model list. What an item of `params` looks like is nowhere documented."""
    kinds = [rule.kind for rule in model.references.kinds] if model.references else []
    return {
        "id": model.model,
        "display_name": model.title,
        "category": "video",
        "runtime": "async",
        "base_credits": _short(model.price),
        "billing_type": model.billing,
        "supported_modes": ["text", "reference"] if kinds else ["text"],
        "max_prompt_length": model.prompt_limit,
        "reference_media": model.references.rule if model.references else None,
        "params": [_param(param) for param in model.params],
        "api_status": "available",
        "api_input_status": "available_url_input" if kinds else "available_text",
        "supported_api_inputs": ["text", "file"] if kinds else ["text"],
        "requires_files_api": False,
        "requires_upload_for_modes": ["reference"] if kinds else [],
        "url_input_supported": bool(kinds),
        "file_kinds": kinds,
        "chat_capabilities": None,
        "notices": [],
    }


def _param(param: Param) -> dict[str, Any]:
    return {
        "key": param.key,
        "type": param.type,
        "required": param.required,
        "default": param.default,
        "options": param.options,
        "min": param.min,
        "max": param.max,
        "step": param.step,
        "description": param.description,
    }


def _short(amount: float | None) -> float | None:
    """Credits as JSON has them: whole where they are whole."""
    return amount if amount is None or amount % 1 else int(amount)


def _moment(seconds: float) -> str:
    """A moment as the API writes it: UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def routes(prefix: str) -> list[web.RouteDef]:
    """The API's routes below a prefix."""
    root = f"{prefix}/api/v1"
    return [
        web.get(f"{root}/models", models),
        web.post(f"{root}/generations", create),
        web.get(f"{root}/generations/{{id}}", status),
        web.post(f"{root}/files", upload),
        web.get(f"{root}/files/{{id}}", file),
        web.get(f"{root}/credits", credits_left),
        web.route("*", f"{prefix}/{{path:.*}}", elsewhere),
    ]
