"""The results ledger as data: one document for each job that is current or was ever sent.

`results` gives the documents; `write_jsonl`, `write_csv` and `write_parquet` put them on disk, each
under another name first, so that a reader never sees half a file.
"""

from __future__ import annotations

import csv
import glob
import importlib
import json
import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from orchestrator.errors import DiskError, UsageError
from orchestrator.ledger.encoding import file_document
from orchestrator.ledger.store import Attempt, Credits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.sqlite.reading import ReadableLedger
    from orchestrator.ledger.store import Row

#: The fields of one result, in the order in which they are written.
FIELDS: tuple[str, ...] = (
    "key", "id", "tags", "fingerprint", "campaign", "provider", "model", "prompt", "params",
    "references", "state", "task_id", "idempotency_key", "attempt", "estimated_credits",
    "reserved_credits", "final_credits", "urls", "files", "error", "submitted_at",
    "generated_at", "stored_at",
)  # fmt: skip

#: Lone surrogates become `\udXXX`, which JSON reads as what it was.
_ERRORS = "backslashreplace"

#: Rows whose credits are asked for at once.
_TOGETHER = 500

#: What a spreadsheet takes for a formula, in plain and in full-width writing.
_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def results(ledger: ReadableLedger) -> Iterator[dict[str, Any]]:
    """One document for each current row, in the manifest's order, then for each former row.

    Credits are sums over all attempts, None where nothing is known; the rest is the latest
    attempt's. Times are RFC 3339 in UTC.
    """
    campaign = ledger.campaign
    rows = (row for row in ledger.rows() if row.position is not None or row.attempt is not None)
    while some := list(islice(rows, _TOGETHER)):
        credits_by_row = ledger.credits([row.row for row in some])
        for row in some:
            yield _result(row, campaign, credits_by_row.get(row.row, Credits()))


def _result(row: Row, campaign: str, spent: Credits) -> dict[str, Any]:
    attempt = row.attempt or Attempt(number=0)
    return {
        "key": row.key,
        "id": row.job["id"],
        "tags": row.job["tags"],
        "fingerprint": row.fingerprint,
        "campaign": campaign,
        "provider": row.provider,
        "model": row.model,
        "prompt": row.job["prompt"],
        "params": row.job["params"],
        "references": [_reference(reference) for reference in row.job["references"]],
        "state": str(row.state),
        "task_id": attempt.task_id,
        "idempotency_key": attempt.idempotency_key,
        "attempt": attempt.number or None,
        "estimated_credits": spent.estimated,
        "reserved_credits": spent.reserved,
        "final_credits": spent.final,
        "urls": list(attempt.urls),
        "files": [file_document(file) for file in row.files],
        "error": _error(attempt),
        "submitted_at": timestamp(attempt.submitted_at),
        "generated_at": timestamp(attempt.generated_at),
        "stored_at": timestamp(attempt.stored_at),
    }


def _reference(reference: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a reference; its URL without the query, which may be a signature."""
    known = {
        name: value for name, value in reference.items() if value is not None and value is not False
    }
    if "url" in known:
        known["url"] = known["url"].partition("?")[0]
    return known


def _error(attempt: Attempt) -> dict[str, Any] | None:
    if attempt.error_class is None:
        return None
    return {
        "class": attempt.error_class,
        "code": attempt.error_code,
        "message": attempt.error_message,
    }


def timestamp(seconds: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339 in UTC, with milliseconds."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_jsonl(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON document a line. Raises DiskError."""
    with _replacing(path) as draft, draft.open("w", encoding="utf-8", errors=_ERRORS) as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
        _sync(file)


def write_csv(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write a table with a header; nested values are JSON texts. Raises DiskError.

    Texts that a spreadsheet would run as a formula get a leading apostrophe.
    """
    with (
        _replacing(path) as draft,
        draft.open("w", encoding="utf-8", errors=_ERRORS, newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(FIELDS)
        table.writerows([cell(document[name]) for name in FIELDS] for document in documents)
        _sync(file)


def cell(value: object) -> str | int | float:
    """One value for a CSV cell: numbers as they are, None empty, texts never a formula."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) else text


def write_parquet(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write a Parquet file: times as UTC timestamps, `params` and `references` as JSON texts.

    Raises UsageError where pyarrow is not installed, and DiskError.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed."
            " Install it with: pip install 'overnight-orchestrator[parquet]'"
        ) from error
    schema = _parquet_schema(arrow)
    remaining = iter(documents)
    with _replacing(path) as draft, parquet.ParquetWriter(draft, schema) as writer:
        while some := [_parquet_row(document) for document in islice(remaining, 10_000)]:
            writer.write_table(arrow.Table.from_pylist(some, schema=schema))


def _parquet_schema(arrow: Any) -> Any:  # noqa: ANN401 - pyarrow comes without types
    text, number, moment = arrow.string(), arrow.float64(), arrow.timestamp("ms", tz="UTC")
    file = arrow.struct(
        {
            "path": text,
            "bytes": arrow.int64(),
            "sha256": text,
            "duration_s": number,
            "width": arrow.int64(),
            "height": arrow.int64(),
        }
    )
    special = {
        "tags": arrow.list_(text),
        "urls": arrow.list_(text),
        "files": arrow.list_(file),
        "error": arrow.struct({"class": text, "code": text, "message": text}),
        "attempt": arrow.int64(),
        **dict.fromkeys(("estimated_credits", "reserved_credits", "final_credits"), number),
        **dict.fromkeys(("submitted_at", "generated_at", "stored_at"), moment),
    }
    return arrow.schema([(name, special.get(name, text)) for name in FIELDS])


def _parquet_row(document: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(document)
    for name in ("params", "references"):
        row[name] = json.dumps(row[name])
    for name in ("submitted_at", "generated_at", "stored_at"):
        if row[name] is not None:
            row[name] = datetime.fromisoformat(row[name])
    return row


def _sweep(path: Path) -> None:
    """Remove drafts of this file whose writers died. Another one may be at work beside us."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        writer = draft.name.split(".")[-2]
        if writer.isdecimal() and not _is_alive(int(writer)):
            draft.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft beside the file, which takes its place when all went well. Raises DiskError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _sweep(path)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror or error}."
            " Make room, or mend the folder's permissions, then run the command again."
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _sync(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())
