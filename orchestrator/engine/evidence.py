"""Raw replies as the ledger keeps them: whole, but for what signs a URL."""

from __future__ import annotations

import json
import re

from orchestrator.providers.base import Reply

#: Headers that help to understand a reply later; others may hold secrets.
_KEPT_HEADERS = ("content-type", "date", "retry-after", "x-request-id")
#: A URL in JSON text up to its query or fragment, slashes and question mark perhaps escaped.
_QUERY = re.compile(
    r"""(https?:(?:\\?/){2}(?:(?!\\u003f|\\u0023)[^\s"'<>?\#])*)"""
    r"""(?:\?|\#|\\u003f|\\u0023)(?:\\/|\\u[0-9a-f]{4}|[^\s"'<>\\])*""",
    re.IGNORECASE | re.VERBOSE,
)


def without_query(text: str) -> str:
    """The text with every URL in it cut before its query: that is where signatures are."""
    return _QUERY.sub(r"\1", text)


def raw_reply(reply: Reply) -> str:
    """A reply as JSON text for the ledger."""
    return json.dumps(
        {
            "status": reply.status,
            "headers": {
                name: without_query(reply.headers[name])
                for name in _KEPT_HEADERS
                if name in reply.headers
            },
            "body": without_query(reply.body.decode(errors="replace")),
        },
        ensure_ascii=True,
    )


def kept_reply(text: str) -> Reply:
    """The reply that `raw_reply` kept. URLs have lost their queries."""
    document = json.loads(text)
    return Reply(document["status"], document["headers"], document["body"].encode())
