"""The envelopes in which each service says that something went wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The code that goes with a bare status, by service.
CODES: dict[str, dict[int, str]] = {
    "rivya": {
        400: "validation_failed",
        401: "api_key_invalid",
        402: "insufficient_credits",
        403: "api_scope_denied",
        404: "not_found",
        409: "idempotency_conflict",
        429: "rate_limited",
        503: "public_api_disabled",
    },
    "acedatacloud": {
        400: "bad_request",
        401: "invalid_token",
        403: "forbidden",
        429: "too_many_requests",
        500: "api_error",
        504: "timeout",
    },
}


class Refused(Exception):
    """A service refuses a request with a status and a code, and has made nothing."""

    def __init__(
        self, status: int, code: str, message: str, retry_after: float | str | None = None
    ) -> None:
        self.status, self.code, self.message = status, code, message
        self.retry_after = retry_after
        super().__init__(f"{status} {code}: {message}")


def refusal(service: str, refused: Refused) -> web.Response:
    """The reply of a service that refuses."""
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    if service == "cdn":
        return _cdn(refused, headers)
    fault = {"code": refused.code, "message": refused.message}
    if service == "acedatacloud":
        body = {"success": False, "error": fault, "trace_id": str(uuid4())}
    else:
        body = {"error": {**fault, "requestId": f"req_{uuid4().hex[:20]}"}}
    return web.json_response(body, status=refused.status, headers=headers)


def _cdn(refused: Refused, headers: Mapping[str, str]) -> web.Response:
    """An object store speaks XML."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(refused.code)}</Code>"
        f"<Message>{escape(refused.message)}</Message></Error>"
    )
    return web.Response(
        text=text, status=refused.status, headers=headers, content_type="application/xml"
    )


def code_for(service: str, status: int) -> str:
    """The code a service gives with a status; a plain word where no document has one."""
    return CODES.get(service, {}).get(status, "internal_error")
