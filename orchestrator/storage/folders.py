"""Folders synced together: names that come at the same time become durable with one sync."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class FolderSyncs:
    """Syncs folders on behalf of many: whoever asks while a sync runs is served by the next one."""

    def __init__(self, sync: Callable[[Path], Awaitable[None]]) -> None:
        self._sync = sync
        self._turns: dict[Path, anyio.Lock] = {}
        self._asked: Counter[Path] = Counter()
        self._served: Counter[Path] = Counter()

    async def sync(self, folder: Path) -> None:
        """Return once a sync of the folder has begun after this call and ended well."""
        self._asked[folder] += 1
        mine = self._asked[folder]
        async with self._turns.setdefault(folder, anyio.Lock(fast_acquire=True)):
            if self._served[folder] >= mine:
                return
            asked = self._asked[folder]
            await self._sync(folder)
            self._served[folder] = asked
