"""Uploads to Rivya's Files API: the form, the limits of the model it names, the first bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader

from orchestrator.sandbox.uploads import (
    DEFAULT_LIMITS,
    UploadedFile,
    content_type,
    duration,
    duration_token,
    file_id,
)
from orchestrator.sandbox.wire import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from orchestrator.catalog.spec import Model

#: Plain fields of the form.
FIELDS = ("kind", "model", "client_request_id")

#: Longest `client_request_id`, in characters.
REQUEST_ID_LIMIT = 128

#: No file of any model is larger, in bytes.
LARGEST = 100_000_000


async def read_upload(
    request: web.Request, model_named: Callable[[str], Model | None]
) -> UploadedFile:
    """Read and check an upload. Raises Wrong, which names the field."""
    try:
        fields, name, content = await _form(request)
    except Wrong:
        raise
    except ValueError as error:
        raise Wrong(f"body: the form cannot be read: {error}") from error
    kind = fields.get("kind", "")
    if kind not in DEFAULT_LIMITS:
        raise Wrong(f"kind: must be one of {', '.join(DEFAULT_LIMITS)}")
    if len(fields.get("client_request_id", "")) > REQUEST_ID_LIMIT:
        raise Wrong(f"client_request_id: the limit is {REQUEST_ID_LIMIT} characters")
    largest, mime_types = _limits(fields, kind, model_named)
    if content is None:
        raise Wrong("file: is missing")
    if len(content) > largest:
        raise Wrong(f"file: the limit of {kind} is {largest} bytes")
    mime_type = content_type(content, kind)
    if mime_type not in mime_types:
        raise Wrong(f"file: its content is {mime_type or 'unknown'}, not {', '.join(mime_types)}")
    return _uploaded(kind, name, mime_type, content)


def _uploaded(kind: str, name: str, mime_type: str, content: bytes) -> UploadedFile:
    identity = file_id(kind, name, content)
    timed = kind != "image"
    return UploadedFile(
        id=identity,
        kind=kind,
        name=name,
        mime_type=mime_type,
        content=content,
        duration_seconds=duration(content) if timed else None,
        duration_token=duration_token(identity) if timed else None,
        created_at=time.time(),
    )


def _limits(
    fields: dict[str, str], kind: str, model_named: Callable[[str], Model | None]
) -> tuple[int, tuple[str, ...]]:
    """Largest size and types: the model's own where one is named and has any."""
    largest, mime_types = DEFAULT_LIMITS[kind]
    if "model" not in fields:
        return largest, mime_types
    model = model_named(fields["model"])
    if model is None:
        raise Wrong(f"model: there is no model {fields['model']!r}")
    rule = model.references.kind(kind) if model.references else None
    if rule is None:
        raise Wrong(f"kind: {model.model} takes no {kind}")
    return rule.max_bytes or largest, rule.mime_types or mime_types


async def _form(request: web.Request) -> tuple[dict[str, str], str, bytes | None]:
    """The form's plain fields, the file's name and its bytes."""
    if not request.content_type.startswith("multipart/"):
        raise Wrong("body: must be multipart/form-data")
    fields: dict[str, str] = {}
    name, content = "", None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Wrong("body: a part has no name")
        if part.name == "file":
            name, content = part.filename or "file", await _content(part)
        elif part.name in FIELDS:
            fields[part.name] = (await part.text()).strip()
        else:
            raise Wrong(f"{part.name}: unknown field")
    return fields, name, content


async def _content(part: BodyPartReader) -> bytes:
    """The file's bytes; of one that is too large for any model, a byte more than the limit."""
    content = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        if len(content) <= LARGEST:
            content += chunk
    return bytes(content[: LARGEST + 1])
