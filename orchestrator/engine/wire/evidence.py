"""Raw replies as the ledger keeps them: whole, but for what signs a URL."""

from __future__ import annotations

import json

from orchestrator.json_text import to_json
from orchestrator.providers.base import Reply
from orchestrator.providers.urls import without_query

#: Headers that help to understand a reply later; others may hold secrets.
_KEPT_HEADERS = ("content-type", "date", "retry-after", "x-request-id")


def raw_reply(reply: Reply) -> str:
    """A reply as JSON text for the ledger."""
    return to_json(
        {
            "status": reply.status,
            "headers": {
                name: without_query(reply.headers[name])
                for name in _KEPT_HEADERS
                if name in reply.headers
            },
            "body": without_query(reply.body.decode(errors="replace")),
        }
    )


def kept_reply(text: str) -> Reply:
    """The reply that `raw_reply` kept. URLs have lost their queries."""
    document = json.loads(text)
    return Reply(document["status"], document["headers"], document["body"].encode())
