"""The provenance beside each video: all that is needed to make it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.ledger.store import Row

SCHEMA_VERSION = 1


def sidecar(row: Row, campaign: str) -> dict[str, Any]:
    """What made this video, as JSON values. Times are RFC 3339 in UTC; URLs have no queries."""
    attempt = row.attempt
    assert attempt is not None
    return {
        "schema_version": SCHEMA_VERSION,
        "campaign": campaign,
        "key": row.key,
        **{name: row.job.get(name) for name in ("id", "axes", "take", "tags")},
        "provider": row.provider,
        "model": row.model,
        **{name: row.job.get(name) for name in ("prompt", "params", "references")},
        "fingerprint": row.fingerprint,
        "request": json.loads(attempt.body) if attempt.body else None,
        "attempt": attempt.number,
        "task_id": attempt.task_id,
        "trace": attempt.trace,
        "idempotency_key": attempt.idempotency_key,
        "credits": {
            "estimated": attempt.estimated,
            "reserved": attempt.reserved,
            "final": attempt.final,
        },
        "submitted_at": _time(attempt.submitted_at),
        "generated_at": _time(attempt.generated_at),
        "stored_at": _time(attempt.stored_at),
        "urls": list(attempt.urls),
        "files": [
            {
                "path": file.path,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "duration_s": file.duration_s,
                "width": file.width,
                "height": file.height,
            }
            for file in row.files
        ],
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
