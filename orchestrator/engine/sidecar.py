"""The provenance beside each video: all that is needed to make it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.encoding import file_document, job_document
from orchestrator.ledger.export import timestamp
from orchestrator.providers.urls import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.ledger.store import Ledger, StoredFile

SCHEMA_VERSION = 1


def describer(attempt: OpenAttempt, ledger: Ledger) -> Callable[[StoredFile], dict[str, Any]]:
    """What to write beside a video of this attempt, once its file is known.

    Times are RFC 3339 in UTC; URLs have no queries, because signatures are there.
    """
    row = None if attempt.job is not None else ledger.row(attempt.row)
    job: Mapping[str, Any] = row.job if row is not None else {}
    fingerprint = row.fingerprint if row is not None else ""
    campaign = ledger.campaign

    def describe(file: StoredFile) -> dict[str, Any]:
        said = job_document(attempt.job) if attempt.job is not None else job
        return {
            "schema_version": SCHEMA_VERSION,
            "campaign": campaign,
            "key": attempt.key,
            **{name: said.get(name) for name in ("id", "axes", "take", "tags")},
            "provider": attempt.provider,
            "model": attempt.model,
            **{name: said.get(name) for name in ("prompt", "params")},
            "references": _unsigned(said.get("references")),
            "fingerprint": attempt.job.fingerprint if attempt.job is not None else fingerprint,
            "request": _unsigned(json.loads(attempt.body)) if attempt.body else None,
            "attempt": attempt.number,
            "task_id": attempt.task_id,
            "trace": attempt.trace,
            "idempotency_key": attempt.idempotency_key,
            "credits": {
                "estimated": attempt.estimate,
                "reserved": attempt.reserved,
                "final": attempt.final,
            },
            "submitted_at": timestamp(attempt.submitted_at),
            "generated_at": timestamp(attempt.generated_at),
            "urls": list(attempt.urls),
            "file": file_document(file),
        }

    return describe


def _unsigned(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value with every text that is a URL cut before its query."""
    if isinstance(value, str):
        return bare(value) if value.startswith(("https://", "http://")) else value
    if isinstance(value, list):
        return [_unsigned(item) for item in value]
    if isinstance(value, dict):
        return {name: _unsigned(item) for name, item in value.items()}
    return value
