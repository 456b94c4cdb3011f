"""Uploads: each reference that the Files API has to hold, once for its content and account."""

from __future__ import annotations

import hashlib
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles
import anyio

from orchestrator.ledger.store import UploadRecord
from orchestrator.manifest.signed_urls import unsigned
from orchestrator.plan.fingerprint import digest
from orchestrator.providers.base import (
    Fault,
    Halted,
    Rejected,
    Throttled,
    Unclear,
    Upload,
    Uploaded,
    WireReference,
)
from orchestrator.providers.transport import Lost, TransportError

if TYPE_CHECKING:
    from orchestrator.engine.account import Account
    from orchestrator.engine.references.fetching import Fetch
    from orchestrator.jobs import Job, Reference

#: How long an upload is used again, in seconds: lifetimes are not documented, an upload is free.
REUSED_FOR = 12 * 3600.0
#: Longest silence during an upload, in seconds.
UPLOAD_PATIENCE = 120.0
#: Tries of one upload whose answers stay unclear, before its job is left for a later run.
TRIES = 8
_BLOCK = 1024 * 1024

#: What an upload comes to.
Outcome = Uploaded | Rejected | Halted | Fault


class Uploads:
    """One account's uploads. What several jobs use is uploaded by the first that needs it."""

    def __init__(self, account: Account, fetch: Fetch) -> None:
        self._account = account
        self._run = account.run
        self._fetch = fetch
        self._locks: dict[str, anyio.Lock] = {}
        self._known = {
            record.sha256: (
                record.uploaded_at,
                Uploaded(record.url, record.duration_token, record.duration_seconds),
            )
            for record in self._run.ledger.uploads(account.provider.name)
        }

    async def wire(self, job: Job) -> list[WireReference] | Rejected | Halted | Fault:
        """The job's references as its create carries them, or why one cannot be had.

        Rejected is the provider's word about this reference, Halted about the account; a Fault
        leaves the job for a later run.
        """
        wired = []
        for reference in job.spec.references:
            uploaded: Outcome
            if reference.needs_upload:
                uploaded = await self._uploaded(job, reference)
            else:
                assert reference.url is not None
                uploaded = Uploaded(reference.url)
            if not isinstance(uploaded, Uploaded):
                return uploaded
            wired.append(_wire(reference, uploaded))
        return wired

    async def _uploaded(self, job: Job, reference: Reference) -> Outcome:
        what = reference.sha256 or digest(unsigned(str(reference.url)))
        async with self._locks.setdefault(what, anyio.Lock()):
            uploaded_at, known = self._known.get(what, (-math.inf, None))
            if known is not None and 0 <= self._run.clock.wall() - uploaded_at < REUSED_FOR:
                return known
            if reference.path is not None:
                uploaded = await self._upload_file(job, reference, reference.path)
            else:
                uploaded = await self._upload_url(job, reference)
            if isinstance(uploaded, Uploaded):
                await self._remember(job, what, uploaded)
            return uploaded

    async def _remember(self, job: Job, what: str, uploaded: Uploaded) -> None:
        self._known[what] = (self._run.clock.wall(), uploaded)
        self._run.journal.note("uploaded", provider=job.provider, what=what)
        await self._run.ledger.record_upload(
            UploadRecord(
                job.provider,
                what,
                job.model,
                uploaded.url,
                uploaded.duration_token,
                uploaded.duration_seconds,
                self._run.clock.wall(),
            )
        )

    async def _upload_file(self, job: Job, reference: Reference, path: str) -> Outcome:
        """Upload a local file, after making sure that it is still the one that was planned."""
        try:
            found = await _digest(path)
        except OSError as error:
            return Fault("file_unreadable", f"{path}: {error.strerror}")
        if found != reference.sha256:
            return Fault("file_changed", f"{path} changed since the run began")
        return await self._send(job, reference, path)

    async def _upload_url(self, job: Job, reference: Reference) -> Outcome:
        assert reference.url is not None
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            path = Path(folder, "reference")
            rules = self._account.models[f"{job.provider}/{job.model}"].references
            rule = rules.kind(reference.kind) if rules else None
            fault = await self._fetch(reference.url, path, rule.max_bytes if rule else None)
            return fault or await self._send(job, reference, str(path))

    async def _send(self, job: Job, reference: Reference, path: str) -> Outcome:
        """Send one upload, again and again while it is unclear: it is free."""
        account = self._account
        model = account.models[f"{job.provider}/{job.model}"]
        name = reference.name or Path(reference.path or "reference").name
        upload = Upload(path, reference.mime_type or "application/octet-stream", name, {})
        request = account.provider.upload(upload, reference.kind, model)
        fault = Fault("upload_unclear", "it could not be uploaded")
        tries = 0
        while tries < TRIES:
            ticket = await account.gate.passage()
            try:
                reply = await account.transport.ask(request, timeout=UPLOAD_PATIENCE)
            except TransportError as error:
                account.gate.trouble(ticket, why=error.reason)
                self._run.journal.note("upload_trouble", path=path, message=error.reason)
                fault = Fault("upload_lost", f"{path} could not be uploaded: {error.reason}")
                tries += isinstance(error, Lost)
                continue
            except OSError as error:
                return Fault("file_unreadable", f"{path}: {error.strerror}")
            finally:
                account.gate.withdraw(ticket)
            outcome = account.provider.read_upload(reply)
            if isinstance(outcome, Uploaded):
                account.gate.fine(ticket)
                return outcome
            if isinstance(outcome, Rejected | Halted):
                return outcome
            self._judge(outcome, ticket)
            fault = Fault(
                outcome.fault.code, f"{path} could not be uploaded: {outcome.fault.message}"
            )
            tries += isinstance(outcome, Unclear)
        return fault

    def _judge(self, outcome: Throttled | Unclear, ticket: int) -> None:
        fault = outcome.fault
        why = f"{fault.message} ({fault.code})"
        self._account.gate.trouble(ticket, outcome.retry_after, why=why)
        self._run.journal.note("upload_trouble", code=fault.code, message=fault.message)


def _wire(reference: Reference, uploaded: Uploaded) -> WireReference:
    return WireReference(
        uploaded.url,
        reference.kind,
        reference.name,
        reference.mime_type,
        reference.duration_seconds or uploaded.duration_seconds,
        reference.duration_token or uploaded.duration_token,
    )


async def _digest(path: str) -> str:
    sha256 = hashlib.sha256()
    async with aiofiles.open(path, "rb") as file:
        while block := await file.read(_BLOCK):
            sha256.update(block)
    return sha256.hexdigest()
