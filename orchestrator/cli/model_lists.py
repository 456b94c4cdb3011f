"""The providers' lists of models: asked for, kept, and recalled without asking."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.catalog.snapshot import keep, recall, state_folder, taken
from orchestrator.errors import CredentialsError, UsageError

if TYPE_CHECKING:
    from orchestrator.catalog.listing import Listing
    from orchestrator.catalog.snapshot import Snapshot
    from orchestrator.cli.access import Key
    from orchestrator.providers.base import Provider
    from orchestrator.providers.origins import Origin

#: How long a provider may take to answer, in seconds.
PATIENCE = 20.0
#: After this many days a list is called old.
OLD_DAYS = 30
#: The command that asks again.
ASK_AGAIN = "orchestrator models check"


async def ask_for_models(provider: Provider, origin: Origin, key: Key | None) -> Listing:
    """A provider's list of its models, by one free request; some tell it without a key.

    Raises CredentialsError where the key is refused or needed, UsageError where no list comes.
    """
    from orchestrator.providers.base import Fault
    from orchestrator.providers.transport import Transport, TransportError

    request = provider.models()
    assert request is not None, f"{provider.name} has no list of models"
    credential = None if key is None else key.value
    async with Transport(origin, credential, create_timeout=PATIENCE) as transport:
        try:
            reply = await transport.ask(request, timeout=PATIENCE)
        except TransportError as error:
            raise UsageError(
                f"{provider.name} could not be asked for its models: {error.reason}."
            ) from None
    found = provider.read_models(reply)
    if not isinstance(found, Fault):
        return found
    told = f"{found.message} ({found.code})"
    if reply.status in (401, 403):
        if key is not None:
            raise CredentialsError(f"{provider.name} refuses {key.source}: {told}. Check the key.")
        variable = provider.settings.key_variable
        raise CredentialsError(
            f"{provider.name} tells its models to nobody without a key: {told}. Set {variable}."
        )
    raise UsageError(f"{provider.name} tells no list of its models: {told}. Try again later.")


def remember(provider: Provider, origin: Origin, listing: Listing) -> None:
    """Keep a list for calls that do not ask; a disk that refuses that is told as a warning."""
    from orchestrator.cli.output import tell

    folder = state_folder(os.environ)
    if folder is None:
        return
    try:
        keep(folder, taken(provider.name, origin.text, listing, datetime.now(UTC)))
    except OSError as error:
        tell(
            f"the list cannot be kept in {folder}: {error.strerror}. `plan` will not know what it "
            "says. Set XDG_STATE_HOME to a folder that can be written.",
            "warning",
        )


def last_list(provider: Provider, key: Key | None) -> Snapshot | None:
    """The list that was kept of this provider, where its key or else the environment says it is."""
    folder = state_folder(os.environ)
    return (
        None if folder is None else recall(folder, provider.name, whereabouts(provider, key).text)
    )


def whereabouts(provider: Provider, key: Key | None) -> Origin:
    """Where a provider is asked: where its key says, else where the environment does."""
    from orchestrator.cli.access import origin_of

    return key.origin if key is not None else origin_of(provider.settings, os.environ)


def asked_on(snapshot: Snapshot) -> str:
    """When a list was asked for, such as `on 2026-11-21`; of an old one, how long ago that is."""
    day = f"on {snapshot.asked.date().isoformat()}"
    days = (datetime.now(UTC) - snapshot.asked).days
    return day if days < OLD_DAYS else f"{day}, {days:,} days ago"
