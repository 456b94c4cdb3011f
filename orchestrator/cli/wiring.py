"""Wiring: providers, keys, transports and stores, put together for the commands."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.cli.access import Key, check_key, find_key, ignored, origin_of, read_dotenv
from orchestrator.cli.output import near, tell
from orchestrator.errors import CredentialsError, UsageError
from orchestrator.providers.base import WireReference
from orchestrator.providers.origins import Origin, check_public_url, guarded_socket
from orchestrator.providers.registry import provider as find_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli.access import Dotenv
    from orchestrator.engine.clock import Clock
    from orchestrator.engine.stages import Access
    from orchestrator.jobs import Reference
    from orchestrator.ledger.store import Row
    from orchestrator.manifest.model import Limits
    from orchestrator.plan.plan import Entry, Plan
    from orchestrator.providers.base import TaskView

#: The sandbox takes any key but `invalid`.
SANDBOX_KEY = "sandbox"


@dataclass(frozen=True, slots=True)
class Keys:
    """Finds the key of each provider: in the sandbox, or as the environment says."""

    #: That of the manifest's folder.
    dotenv: Dotenv
    #: Provider to base URL, while the sandbox serves.
    sandbox: Mapping[str, str] | None = None

    def find(self, name: str) -> Key | None:
        """The provider's key; None where there is none."""
        if self.sandbox is not None:
            if name not in self.sandbox:
                raise UsageError(f"the sandbox emulates no provider {name}.")
            return Key(SANDBOX_KEY, "sandbox", Origin.from_url(self.sandbox[name]))
        return find_key(find_provider(name).settings, os.environ, self.dotenv)

    def usable(self, name: str) -> Key | None:
        """The provider's key; None where there is none.

        Raises CredentialsError for a key that no request can carry, and UsageError where its base
        URL is none.
        """
        try:
            key = self.find(name)
            if key is not None:
                check_key(key)
        except (CredentialsError, UsageError) as error:
            raise type(error)(f"{error} Nothing was sent.") from None
        return key

    def need(self, name: str) -> Key:
        """The provider's key. Raises CredentialsError where there is none, else as `usable`."""
        key = self.usable(name)
        if key is None:
            variable = find_provider(name).settings.key_variable
            raise CredentialsError(
                f"{name} needs a key: set {variable} in the environment or in a .env beside the "
                f"manifest. Nothing was sent."
            )
        return key


def tell_ignored(dotenv: Dotenv, providers: Iterable[str]) -> None:
    """Say on stderr what of a `.env` does not count for these providers."""
    settings = [find_provider(name).settings for name in providers]
    for one in ignored(settings, os.environ, dotenv):
        line = "" if one.line is None else f"{one.line}:"
        tell(one.why, "warning", f"{near(dotenv.path)}:{line} ")


@asynccontextmanager
async def opened(
    keys: Mapping[str, Key], limits: Mapping[str, Limits], catalog: Catalog, clock: Clock
) -> AsyncIterator[list[Access]]:
    """Open what is needed to reach each provider, and close it afterwards."""
    from orchestrator.engine.references.fetching import FetchReference
    from orchestrator.engine.stages import Access
    from orchestrator.providers.transport import Transport
    from orchestrator.storage.download import Downloads

    async with AsyncExitStack() as stack:
        accesses = []
        for name, key in keys.items():
            loopback = key.origin.loopback
            downloads = await stack.enter_async_context(
                Downloads(
                    check_url=partial(check_public_url, loopback_allowed=loopback),
                    open_socket=guarded_socket(loopback_allowed=loopback),
                )
            )
            transport = await stack.enter_async_context(
                Transport(
                    key.origin,
                    key.value,
                    create_timeout=limits[name].create_timeout,
                    reuse=find_provider(name).honours_key,
                )
            )
            models = {
                model.name: model for model in catalog.models.values() if model.provider == name
            }
            fetch = FetchReference(downloads, clock)
            accesses.append(
                Access(find_provider(name), transport, downloads, fetch, limits[name], models)
            )
        yield accesses


def job_requests(plan: Plan) -> list[dict[str, Any]]:
    """`requests` of `plan --json --requests`: what `run` would send, in the manifest's order."""
    keys = Keys(read_dotenv(plan.manifest.path.parent))
    origins = {name: _origin(keys, name) for name in {e.job.provider for e in plan.to_run}}
    return [_job_request(plan, entry, origins[entry.job.provider]) for entry in plan.to_run]


def _job_request(plan: Plan, entry: Entry, origin: Origin) -> dict[str, Any]:
    import json

    job = entry.job
    provider = find_provider(job.provider)
    references = [_planned(reference) for reference in job.spec.references]
    model = plan.models[f"{job.provider}/{job.model}"]
    request = provider.create(job, model, references, "")
    return {
        "key": job.key,
        "fingerprint": job.fingerprint,
        "provider": job.provider,
        "model": job.model,
        "method": request.method,
        "url": origin.url(request.path),
        "body": json.loads(request.body or b"null"),
    }


def _origin(keys: Keys, name: str) -> Origin:
    """Where a run would send to: its key decides whether a `.env` counts."""
    key = keys.find(name)
    return key.origin if key else origin_of(find_provider(name).settings, os.environ)


def _planned(reference: Reference) -> WireReference:
    """A reference as the create will carry it; what an upload will bring is not known yet."""
    if reference.needs_upload:
        url = f"upload:{reference.sha256 or reference.url}"
        return WireReference(url, reference.kind, reference.name, reference.mime_type)
    assert reference.url is not None
    return WireReference(
        reference.url,
        reference.kind,
        reference.name,
        reference.mime_type,
        reference.duration_seconds,
        reference.duration_token,
    )


async def look_at_task(key: Key, row: Row, task_id: str, clock_timeout: float = 60) -> TaskView:
    """How a task stands at its provider, by one free poll.

    Raises UsageError where the provider does not answer.
    """
    from orchestrator.providers.base import PollTrouble
    from orchestrator.providers.transport import Transport, TransportError

    provider = find_provider(row.provider)
    async with Transport(key.origin, key.value, create_timeout=clock_timeout) as transport:
        try:
            reply = await transport.ask(provider.poll([task_id]), timeout=clock_timeout)
        except TransportError as error:
            raise UsageError(f"{row.provider} could not be asked: {error.reason}") from None
    answer = provider.read_poll([task_id], reply)
    if isinstance(answer, PollTrouble):
        raise UsageError(f"{row.provider} could not be asked: {answer.fault.message}")
    return answer[task_id]


def needed_keys(keys: Keys, names: Iterable[str]) -> dict[str, Key]:
    """The keys of all these providers. Raises CredentialsError for the first that is missing."""
    return {name: keys.need(name) for name in sorted(names)}
