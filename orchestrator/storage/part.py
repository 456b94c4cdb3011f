"""A download on its way to disk: in memory while it is small, then a `.part` beside its target.

The part's name is a digest of what is fetched, so that it never goes on with another object. What
`<part>.json` says of it has been synced before it was written down, so that a part is trusted up
to there and no further, also after a power failure.

A finished part and its target are two names of one file until `LocalStorage.settle`: a run that
dies between the file and the ledger finds its own file again without fetching it twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import aiofiles
import anyio

from orchestrator.catalog.media_types import HEAD_BYTES
from orchestrator.errors import DiskError
from orchestrator.storage import paths
from orchestrator.storage.download import Resume
from orchestrator.storage.media import Media, check_head, inspect_mp4, inspect_stream
from orchestrator.storage.outcomes import NoRoom, disk_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiofiles.threadpool.binary import AsyncBufferedReader

    from orchestrator.storage.disk import Disk, Syncing

T = TypeVar("T")

#: Bytes that are kept in memory before they are written.
MEMORY = 1024 * 1024
#: Bytes after which a long download is synced and noted down, so that a crash costs no more.
CHECKPOINT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier try left behind.

    `linked`: the target is ours already. `whole`: all bytes are here, unchecked.
    `begun`: `resume` says where to go on. `nothing`: start from the beginning.
    """

    kind: Literal["linked", "whole", "begun", "nothing"]
    resume: Resume | None = None


NOTHING = Found("nothing")


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished file under its final name."""

    size: int
    sha256: str
    media: Media


class Part:
    """One object on its way to disk. One try at a time; `begin`, then `add`, then an ending."""

    def __init__(
        self, path: Path, disk: Disk, beside: Callable[[Whole], None] | None = None
    ) -> None:
        self.path = path
        self._disk = disk
        #: Called where the disk is waited for, once the file has its final name.
        self._beside = beside
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._digest: Any = hashlib.sha256()
        self._file: AsyncBufferedReader | None = None
        self._etag: str | None = None
        self._total: int | None = None
        #: Bytes of the object that are on disk, in this try's view.
        self._written = 0
        self._synced = 0
        self._begun = False
        #: Something may be noted down beside the part.
        self._is_noted = False

    @property
    def _notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes of the object so far, on disk and in memory."""
        return self._written + self._pending_size

    # --- before: what is there ------------------------------------------------------------------

    def find(self, target: Path) -> Found:
        """Look at what is there. Blocks, for three system calls at most where there is nothing."""
        size = paths.regular_size(self.path)
        if size is None:
            return NOTHING
        self._is_noted = True
        if paths.same_file(self.path, target):
            return Found("linked")
        try:
            notes = json.loads(self._notes.read_bytes())
            etag, total, synced = notes["etag"], notes["total"], int(notes["synced"])
        except (OSError, ValueError, KeyError, TypeError):
            return NOTHING
        if not 0 < synced <= size:
            return NOTHING
        if synced == total:
            return Found("whole", Resume(synced, etag or "", total))
        return Found("begun", Resume(synced, etag, total)) if etag else NOTHING

    async def begin(self, offset: int, etag: str | None, total: int | None) -> None:
        """Start a try whose first byte is the object's byte `offset`.

        Anything but 0 goes on with the part on disk, which is cut to that length and hashed.
        """
        await self.close()
        self._pending, self._pending_size = [], 0
        self._digest = hashlib.sha256()
        self._etag, self._total = etag, total
        self._begun = True
        self._written = self._synced = offset
        if offset:
            await self._on_disk(self._rehash, offset)
            await self._open(paths.open_old, offset)

    def _rehash(self, size: int) -> None:
        descriptor = paths.open_old(self.path)
        try:
            os.ftruncate(descriptor, size)
            paths.hash_beginning(descriptor, size, self._digest)
        finally:
            os.close(descriptor)

    # --- meanwhile: bytes -----------------------------------------------------------------------

    def add(self, chunk: bytes) -> bool:
        """Take a chunk into memory; True asks for `spill`."""
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        return self._pending_size >= MEMORY

    async def spill(self) -> None:
        """Write what is in memory; what was noted down before stays good whatever happens.

        Raises NoRoom or DiskError, and NotMedia where the object does not begin like a video.
        """
        if self._file is None:
            # A shorter beginning, that of a download cut early, need not show yet what it is.
            if self._pending_size >= MEMORY:
                check_head(b"".join(self._pending)[:HEAD_BYTES])
            await self._on_disk(self._remove)
            file = await self._open(paths.open_new, 0)
        else:
            file = self._file
        data = self._take()
        self._digest.update(data)
        try:
            await file.write(data)
            await file.flush()
        except OSError as error:
            await self._give_up(error)
        self._written += len(data)
        if self._written - self._synced >= CHECKPOINT and self._etag:
            await self.keep()

    def _take(self) -> bytes:
        data = b"".join(self._pending)
        self._pending, self._pending_size = [], 0
        return data

    async def _give_up(self, error: OSError) -> None:
        """End the try after a failed write: keep what fitted, and say what lacks."""
        failure = disk_error(error, self.path)
        await self.close()
        if isinstance(failure, NoRoom) and self._etag and self._written:
            with suppress(DiskError):
                await self._on_disk(self._sync)
                await self._on_disk(self._note, self._written)
        raise failure from error

    # --- the endings ----------------------------------------------------------------------------

    async def keep(self) -> None:
        """Make the bytes so far durable and note them down, for a later try.

        Without an ETag nothing could go on with them, and they are removed.
        """
        if not self._etag or not self.size:
            await self.discard()
            return
        if self._pending:
            await self.spill()
        await self._on_disk(self._sync)
        self._synced = self._written
        await self._on_disk(self._note, self._synced)

    async def discard(self) -> None:
        """Forget the object and remove what is on disk."""
        await self.close()
        self._take()
        await self._on_disk(self._remove)

    async def finish(self, target: Path) -> Whole:
        """Check the object, make its bytes durable and give it its final name.

        The name is durable on return. Raises NotMedia (the part stays, see `quarantine`),
        FileExistsError (something else has the name; the part stays), NoRoom or DiskError.
        """
        if self._file is None:
            return await self._on_disk(self._finish_small, target, names=target.parent)
        await self.spill()
        await self.close()
        return await self._on_disk(self._finish_large, target, names=target.parent)

    async def finish_found(self, target: Path) -> Whole:
        """Check a part that an earlier try left whole, and finish it like `finish`."""
        return await self._on_disk(self._finish_found, target, names=target.parent)

    async def quarantine(self, place: Path, reason: str, limit: int) -> None:
        """Move what arrived to `place`, at most `limit` bytes of it, with the reason beside it."""
        if self._file is not None:
            await self.spill()
            await self.close()
        await self._on_disk(self._quarantine, place, reason, limit)

    def _finish_small(self, target: Path) -> Syncing[Whole]:
        data = b"".join(self._pending)
        media = inspect_stream(io.BytesIO(data), len(data))
        sha256 = hashlib.sha256(data).hexdigest()
        yield from paths.writing_new(self.path, data)
        return self._place(target, Whole(len(data), sha256, media))

    def _finish_large(self, target: Path) -> Whole:
        media = inspect_mp4(self.path)
        self._sync()
        return self._place(target, Whole(self._written, self._digest.hexdigest(), media))

    def _finish_found(self, target: Path) -> Whole:
        media = inspect_mp4(self.path)
        self._sync()
        size = self.path.lstat().st_size
        return self._place(target, Whole(size, paths.hash_file(self.path), media))

    def _place(self, target: Path, whole: Whole) -> Whole:
        """Give the file its final name, or adopt the same content that has the name already."""
        try:
            paths.link_new(self.path, target)
        except FileExistsError:
            if paths.same_file(self.path, target):
                pass
            elif paths.regular_size(target) == whole.size and (
                paths.hash_file(target) == whole.sha256
            ):
                self.path.unlink()
            else:
                # All is here but a free name: the next try finds it whole.
                self._total = whole.size
                self._note(whole.size)
                raise
        if self._is_noted:
            self._notes.unlink(missing_ok=True)
        if self._beside is not None:
            self._beside(whole)
        return whole

    # --- the disk -------------------------------------------------------------------------------

    def _sync(self) -> None:
        """Sync the part. A part whose sync failed is removed: a second try would tell nothing."""
        descriptor = paths.open_old(self.path)
        try:
            os.fsync(descriptor)
        except OSError:
            self._remove()
            raise
        finally:
            os.close(descriptor)

    def _note(self, synced: int) -> None:
        """Write down what is on disk, in one step."""
        notes = {"etag": self._etag, "total": self._total, "synced": synced}
        self._is_noted = True
        draft = self._notes.with_name(f"{self._notes.name}.new")
        paths.write_new(draft, json.dumps(notes).encode())
        draft.replace(self._notes)

    def _remove(self) -> None:
        self._notes.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _quarantine(self, place: Path, reason: str, limit: int) -> None:
        if self._begun and not self._written:
            paths.write_new(self.path, b"".join(self._pending)[:limit])
        else:
            os.truncate(self.path, min(limit, self.path.lstat().st_size))
        self.path.replace(place)
        self._notes.unlink(missing_ok=True)
        words = place.with_name(f"{place.name}.txt")
        paths.write_new(words, f"{reason}\n".encode())
        self._pending, self._pending_size = [], 0

    async def _open(self, opener: Callable[[Path], int], offset: int) -> AsyncBufferedReader:
        """Open the part for writing at `offset`.

        The thread that opens it cannot be called back: a try that is cancelled meanwhile waits
        for the file, so that `close` can let go of it.
        """
        opening = asyncio.ensure_future(
            aiofiles.open(self.path, "r+b", opener=lambda *_: opener(self.path))
        )
        try:
            self._file = await asyncio.shield(opening)
            await self._file.seek(offset)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True), suppress(OSError):
                self._file = await opening
            raise
        except OSError as error:
            raise disk_error(error, self.path) from error
        return self._file

    async def close(self) -> None:
        """Let go of the file, also while being cancelled; what was noted down stays."""
        file, self._file = self._file, None
        if file is not None:
            # What a failed write left in the buffer cannot be written now either.
            with anyio.CancelScope(shield=True), suppress(OSError):
                await file.close()

    async def _on_disk(
        self,
        work: Callable[..., T] | Callable[..., Syncing[T]],
        *arguments: object,
        names: Path | None = None,
    ) -> T:
        """Run blocking work in a thread, and turn what the disk refuses into a DiskError.

        FileExistsError passes, since it is about a name and not about the disk.
        """
        try:
            return await self._disk.do(work, *arguments, names=names)
        except FileExistsError:
            raise
        except OSError as error:
            raise disk_error(error, self.path) from error
