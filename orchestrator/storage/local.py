"""The videos of one run folder: fetched, checked, renamed, superseded, verified.

    videos/<key>.mp4                            whole and verified, or not there
    videos/<key>.json                           where it came from
    videos/superseded/<key>.<8 hex>.mp4         of a job that was edited since
    videos/…/.<digest>.part, .part.json         on its way
    quarantine/<key>.<8 hex>.bin, .bin.txt      what arrived and does not verify, and why

Paths are relative to the run folder, with forward slashes, as the ledger has them.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.json_text import to_json
from orchestrator.ledger.store import StoredFile
from orchestrator.storage import paths
from orchestrator.storage.disk import Disk
from orchestrator.storage.download import RangeRefused
from orchestrator.storage.media import NotMedia
from orchestrator.storage.outcomes import Invalid, Taken, Transient, disk_error
from orchestrator.storage.part import NOTHING, Part, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.storage.download import Downloads, Incoming, Resume

T = TypeVar("T")

VIDEOS = "videos"
SUPERSEDED = "superseded"
QUARANTINE = "quarantine"

#: Largest video, in bytes.
BYTE_CAP = 4 * 1024**3
#: Most bytes of an object that does not verify which are kept for inspection.
QUARANTINE_CAP = 8 * 1024 * 1024


class _CutUnseen(Exception):
    """A body without a stated length is not whole: it may just have been cut off."""


class LocalStorage:
    """The video store of the run folder `folder`, which exists. One process uses it at a time."""

    def __init__(self, folder: Path, *, byte_cap: int = BYTE_CAP) -> None:
        self._root = folder
        self._byte_cap = byte_cap
        #: Folders that were made or checked, so that each is looked at once.
        self._folders: set[PurePosixPath] = set()
        #: Absolute folders by the text before a target's name.
        self._known: dict[str, Path] = {}
        #: The second name of each file that is stored and not settled.
        self._unsettled: dict[str, Path] = {}
        self._disk = Disk()
        #: Names of parts that are or may be on disk: of earlier runs, and of this one's tries.
        self._parts: set[str] = set()

    # --- fetching -------------------------------------------------------------------------------

    async def fetch(
        self,
        url: str,
        target: str,
        *,
        part_id: str,
        client: Downloads,
        describe: Callable[[StoredFile], Mapping[str, Any]] | None = None,
    ) -> StoredFile:
        """Fetch a video and store it as `target`; once, going on where an earlier try was cut.

        `part_id` names what is fetched (the task's id), so that a part is only ever continued
        with the same object. A target that is there with the same content is adopted. What
        `describe` says of the file is written beside it, as JSON; it is called in another thread.
        The file is durable on return; call `settle` once the ledger has it.

        Raises Expired, Transient, Invalid, Taken (the target is another file), NoRoom or
        DiskError; UsageError for a target outside the run folder.
        """
        folder, name = await self._place(target)
        final = folder / name
        digest = _part_digest(url, part_id)

        def write_beside(whole: Whole) -> None:
            if describe is not None:
                text = _text(describe(_stored(target, whole)))
                _write_in_one_step(final.with_suffix(".json"), text)

        part_name = f".{digest}.part"
        part = Part(folder / part_name, self._disk, write_beside)
        found = part.find(final) if part_name in self._parts else NOTHING
        self._parts.add(part_name)
        try:
            if found.kind in ("linked", "whole"):
                whole = await part.finish_found(final)
            else:
                whole = await self._download(url, part, final, found.resume, client)
        except NotMedia as error:
            kept = await self._quarantine(part, paths.relative(target), digest, error.reason)
            raise Invalid(error.reason, kept) from None
        except FileExistsError:
            raise Taken(target) from None
        finally:
            await part.close()
        self._unsettled[target] = part.path
        return _stored(target, whole)

    def settle(self, stored: StoredFile) -> None:
        """Drop the second name of a stored file, as the ledger has it now; soon, or by `sweep`."""
        part = self._unsettled.pop(stored.path, None)
        if part is not None:
            self._parts.discard(part.name)
            self._disk.leave(paths.drop_twin, part)

    async def _download(
        self, url: str, part: Part, final: Path, resume: Resume | None, client: Downloads
    ) -> Whole:
        """Fetch into `part`, from the beginning where the host cannot go on; raises as `fetch`."""
        try:
            return await self._exchange(url, part, final, resume, client)
        except (RangeRefused, _CutUnseen):
            await part.discard()
        try:
            return await self._exchange(url, part, final, None, client)
        except _CutUnseen as error:
            raise NotMedia(str(error)) from None
        except RangeRefused:
            raise Transient("the lengths that the result's host states do not agree") from None

    async def _exchange(
        self, url: str, part: Part, final: Path, resume: Resume | None, client: Downloads
    ) -> Whole:
        if resume is not None:
            # Before the request: what arrives while nobody reads is lost when the rest is cut off.
            await part.begin(resume.offset, resume.etag, resume.total)
        with await client.get(url, resume=resume) as incoming:
            if resume is None or incoming.start == 0:
                await part.begin(0, incoming.etag, incoming.total)
            try:
                await self._receive(incoming, part)
            except Transient:
                await part.keep()
                raise
        try:
            return await part.finish(final)
        except NotMedia as error:
            if incoming.framed:
                raise
            raise _CutUnseen(error.reason) from None

    async def _receive(self, incoming: Incoming, part: Part) -> None:
        """Take the whole body into `part`.

        Raises Transient, RangeRefused, or NotMedia as soon as it is plain.
        """
        if (incoming.total or 0) > self._byte_cap:
            raise NotMedia(f"it is larger than {self._byte_cap} bytes")
        while chunk := await incoming.chunk():
            full = part.add(chunk)
            if part.size > self._byte_cap:
                raise NotMedia(f"it is larger than {self._byte_cap} bytes")
            if full and incoming.encoding:
                break
            if full:
                await part.spill()
        if incoming.encoding:
            raise NotMedia(f"it is compressed ({incoming.encoding}), which was not asked for")
        if incoming.total is not None and part.size != incoming.total:
            raise RangeRefused

    async def _quarantine(self, part: Part, where: PurePosixPath, digest: str, reason: str) -> str:
        """Move what arrived out of the way; the path it has now."""
        inner = where.relative_to(VIDEOS) if where.parts[0] == VIDEOS else where
        place = QUARANTINE / inner.with_name(f"{inner.stem}.{digest[:8]}.bin")
        await self._folder(place.parent)
        await part.quarantine(self._root / place, reason, QUARANTINE_CAP)
        return str(place)

    # --- stored files ---------------------------------------------------------------------------

    async def move(self, old: str, new: str) -> None:
        """Rename a stored file and its sidecar. Doing it again after a crash completes it.

        Raises Taken where another file has the new name, DiskError where the disk refuses.
        """
        source, target = paths.relative(old), paths.relative(new)
        await self._folder(target.parent)
        try:
            await self._blocking(target, self._move, source, target)
        except FileExistsError:
            raise Taken(new) from None

    async def supersede(self, path: str, fingerprint8: str) -> str:
        """Move the file of an edited job aside, and return its new path; raises as `move`.

        `fingerprint8` is the beginning of the job's old fingerprint.
        """
        inner = paths.relative(path).relative_to(VIDEOS)
        name = inner.with_name(f"{inner.stem}.{fingerprint8}{inner.suffix}")
        new = str(PurePosixPath(VIDEOS, SUPERSEDED) / name)
        await self.move(path, new)
        return new

    async def sweep(self) -> None:
        """Drop second names that a run left which died between the ledger and `settle`.

        For the end of a run: a file that the ledger does not have yet would be fetched again.
        """
        kept = set(self._unsettled.values())
        await self._blocking(PurePosixPath(VIDEOS), paths.drop_twins, self._root / VIDEOS, kept)

    def exists(self, stored: StoredFile) -> bool:
        """Whether the file is there with its size; its content is not read. Blocks briefly."""
        return paths.regular_size(self._root / paths.relative(stored.path)) == stored.bytes

    def lacks_sidecar(self, stored: StoredFile) -> bool:
        """Whether the file is there, and beside it nothing that says where it came from.

        Nothing is read, not even a sidecar that is there. Blocks briefly.
        """
        return not paths.regular_size(self._root / _beside(stored)) and self.exists(stored)

    async def write_sidecar(self, stored: StoredFile, document: Mapping[str, Any]) -> None:
        """Write beside a stored file where it came from. Raises DiskError."""
        where = _beside(stored)
        await self._blocking(where, _write_in_one_step, self._root / where, _text(document))

    async def verify(self, stored: StoredFile) -> bool:
        """Whether the file is there and its bytes are those that were stored."""
        if not self.exists(stored):
            return False
        where = paths.relative(stored.path)
        digest = await self._blocking(where, paths.hash_file, self._root / where)
        return digest == stored.sha256

    def free_bytes(self) -> int:
        """Room that is left for this user on the run folder's disk, in bytes. Blocks briefly."""
        try:
            status = os.statvfs(self._root)
        except OSError as error:
            raise disk_error(error, self._root) from error
        return status.f_bavail * status.f_frsize

    def _move(self, source: PurePosixPath, target: PurePosixPath) -> None:
        old, new = self._root / source, self._root / target
        paths.rename_new(old, new)
        sidecar = old.with_suffix(".json")
        if os.path.lexists(sidecar):
            sidecar.replace(new.with_suffix(".json"))

    async def _place(self, target: str) -> tuple[Path, str]:
        """The folder of a target, made and checked, and the target's name in it."""
        text, _, name = target.rpartition("/")
        folder = self._known.get(text)
        if folder is None or not paths.is_plain(name):
            where = paths.relative(target)
            await self._folder(where.parent)
            folder, name = self._root / where.parent, where.name
            if str(where.parent) == text:
                self._known[text] = folder
        return folder, name

    async def _folder(self, path: PurePosixPath) -> None:
        """Make or check a folder of the run folder, once."""
        if path not in self._folders:
            await self._blocking(path, paths.make_folder, self._root, path)
            self._parts |= await self._blocking(path, paths.parts_in, self._root / path)
            self._folders.add(path)

    async def _blocking(
        self, about: PurePosixPath, work: Callable[..., T], *arguments: object
    ) -> T:
        """Run blocking work in a thread; DiskError where the disk refuses, names excepted."""
        try:
            return await self._disk.do(work, *arguments)
        except FileExistsError:
            raise
        except OSError as error:
            raise disk_error(error, self._root / about) from error


def _stored(target: str, whole: Whole) -> StoredFile:
    media = whole.media
    return StoredFile(target, whole.size, whole.sha256, media.duration_s, media.width, media.height)


def _beside(stored: StoredFile) -> PurePosixPath:
    """Where a stored file's sidecar is, below the run folder."""
    return paths.relative(stored.path).with_suffix(".json")


def _part_digest(url: str, part_id: str) -> str:
    """What a part is called after: the task and the URL without its signature."""
    bare = url.partition("?")[0].partition("#")[0]
    text = f"{part_id}\n{bare}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _text(document: Mapping[str, Any]) -> str:
    return f"{to_json(document, indented=True)}\n"


def _write_in_one_step(path: Path, text: str) -> None:
    """Replace a file by a new one; a reader sees the old or the new one, whole.

    It repeats what the ledger has, so it is not synced.
    """
    draft = path.with_name(f".{hashlib.sha256(path.name.encode()).hexdigest()[:16]}.new")
    try:
        descriptor = paths.open_new(draft)
    except FileExistsError:
        draft.unlink()
        descriptor = paths.open_new(draft)
    try:
        paths.write_all(descriptor, text.encode())
    finally:
        os.close(descriptor)
    draft.replace(path)
