"""Fetching a reference URL to a local file, for `upload: true`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import aiofiles

from orchestrator.providers.base import Fault
from orchestrator.providers.urls import bare
from orchestrator.storage.outcomes import Expired, Invalid, Transient

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.engine.clock import Clock
    from orchestrator.storage.download import Downloads

#: Largest reference where the model's table states no limit, in bytes.
LARGEST = 100 * 1024 * 1024
#: Waits between tries, in seconds.
WAITS = (1.0, 4.0, 16.0)


class Fetch(Protocol):
    """Brings a URL's content to a local file."""

    async def __call__(self, url: str, path: Path, most: int | None) -> Fault | None:
        """Fetch `url` into `path`, `most` bytes at most; what went wrong, if anything."""


@dataclass(frozen=True, slots=True)
class FetchReference:
    """Fetches through the guarded client that results are fetched with."""

    client: Downloads
    clock: Clock

    async def __call__(self, url: str, path: Path, most: int | None) -> Fault | None:
        """See `Fetch`. What may pass is tried again a few times: it costs nothing."""
        for wait in (*WAITS, None):
            try:
                return await self._once(url, path, most or LARGEST)
            except Transient as error:
                if wait is None:
                    return Fault("reference_unreachable", f"{bare(url)}: {error.reason}")
                await self.clock.sleep(max(wait, error.retry_after or 0.0))
            except Expired as error:
                return Fault(
                    "reference_unreachable", f"{bare(url)}: its host answered {error.status}"
                )
            except Invalid as error:
                return Fault("reference_refused", f"{bare(url)}: {error.reason}")
        return None

    async def _once(self, url: str, path: Path, most: int) -> Fault | None:
        size = 0
        with await self.client.get(url) as incoming:
            async with aiofiles.open(path, "wb") as file:
                while chunk := await incoming.chunk():
                    size += len(chunk)
                    if size > most:
                        return Fault(
                            "reference_too_large", f"{bare(url)}: larger than {most} bytes"
                        )
                    await file.write(chunk)
            if incoming.encoding or (incoming.total is not None and size != incoming.total):
                raise Transient("it did not arrive whole")
        return None
