"""One account's stages, wired to each other: what submits, what watches, what collects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.engine.account import open_account
from orchestrator.engine.collect import Collector
from orchestrator.engine.references.uploads import Uploads
from orchestrator.engine.settle import Settler
from orchestrator.engine.submit import Submitter
from orchestrator.engine.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.catalog.spec import Model
    from orchestrator.engine.account import Account, Transport
    from orchestrator.engine.collect import Store
    from orchestrator.engine.references.fetching import Fetch
    from orchestrator.engine.run import Run
    from orchestrator.ledger.store import Ended
    from orchestrator.manifest.model import Limits
    from orchestrator.providers.base import Provider
    from orchestrator.storage.download import Downloads


@dataclass(frozen=True, slots=True)
class Access:
    """How one provider is reached in this run."""

    provider: Provider
    transport: Transport
    downloads: Downloads
    fetch: Fetch
    limits: Limits
    #: By `provider/model`.
    models: Mapping[str, Model]
    #: Tasks of this account that ended in earlier runs, oldest first.
    ended: Sequence[Ended] = ()
    #: The bounds that they found (see `engine.meters.bounds`).
    bounds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stages:
    """One account's stages, wired to each other."""

    account: Account
    submitter: Submitter
    watcher: Watcher
    collector: Collector


def open_stages(run: Run, store: Store, access: Access) -> Stages:
    """The stages of a new account, which knows what earlier runs learned of it."""
    account = open_account(run, access.provider, access.transport, access.limits, access.models)
    account.pace.remember(access.ended)
    account.remember(access.bounds)
    watcher = Watcher(account)
    collector = Collector(account, store, access.downloads, watcher.add_now)
    watcher.settler = settler = Settler(account, watcher.add, collector.add)
    submitter = Submitter(account, Uploads(account, access.fetch), settler)
    return Stages(account, submitter, watcher, collector)
