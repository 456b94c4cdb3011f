"""Collect: download finished videos, verify them, give them their names, and say so."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from orchestrator.engine.arrange import NAMES, Renames, set_aside
from orchestrator.engine.sidecar import describer
from orchestrator.engine.tally import Reason
from orchestrator.errors import DiskError, StorageError
from orchestrator.jobs import State
from orchestrator.storage.outcomes import Expired, Invalid, NoRoom, Taken, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orchestrator.engine.account import Account
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.ledger.store import StoredFile
    from orchestrator.storage.download import Downloads

#: Waits between the tries of one download, in seconds: eight tries in two minutes.
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
#: Waits before the fresh URLs that a run asks for when a result's host refuses one, in seconds:
#: what is refused just after a success may only not have arrived there yet.
FRESH_URL_WAITS = (5.0, 20.0, 60.0)
#: Time between two looks at a full disk, in seconds.
ROOM_WAIT = 30.0


class Store(Renames, Protocol):
    """Where videos go (see `storage.local.LocalStorage`)."""

    async def fetch(
        self,
        url: str,
        target: str,
        *,
        part_id: str,
        client: Downloads,
        describe: Callable[[StoredFile], Mapping[str, Any]],
    ) -> StoredFile:
        """Fetch a video and store it under `target`, durably, with what describes it beside it."""

    def settle(self, stored: StoredFile) -> None:
        """Let go of what was kept until the ledger has the file."""

    def lacks_sidecar(self, stored: StoredFile) -> bool:
        """Whether the file is there without what describes it."""

    async def write_sidecar(self, stored: StoredFile, document: Mapping[str, Any]) -> None:
        """Write what describes a stored file beside it."""


class Collector:
    """Downloads one account's results with a fixed number of workers."""

    def __init__(
        self,
        account: Account,
        store: Store,
        client: Downloads,
        look_again: Callable[[OpenAttempt], None],
    ) -> None:
        self._account = account
        self._run = account.run
        self._store = store
        self._client = client
        self._look_again = look_again
        self._results: deque[tuple[OpenAttempt, tuple[str, ...]]] = deque()
        self._workers = 0
        #: Tries of this run so far, by row.
        self._tries: dict[int, int] = {}
        self._refreshed: dict[int, int] = {}

    def add(self, attempt: OpenAttempt, urls: tuple[str, ...]) -> None:
        """Collect a finished task's videos."""
        self._account.backlog += 1
        self._results.append((attempt, urls))
        if self._workers < self._account.limits.downloads:
            self._workers += 1
            self._run.crew.start(self._work)

    async def _work(self) -> None:
        """Work on results while there are any."""
        while self._results:
            attempt, urls = self._results.popleft()
            self._run.tally.downloading += 1
            try:
                await self._collect(attempt, urls)
            except StorageError as error:
                self._run.stop(Reason.STORAGE, str(error))
                self._run.closed()
            except Exception as error:  # noqa: BLE001 - one job's failure never touches another's
                self._run.journal.note("defect", key=attempt.key, error=repr(error))
                self._leave(attempt, f"a defect of this program: {error!r}")
            finally:
                self._run.tally.downloading -= 1
                self._account.backlog -= 1
                self._account.wake()
        self._workers -= 1

    async def _collect(self, attempt: OpenAttempt, urls: tuple[str, ...]) -> None:
        """One try to bring all of a task's videos to disk."""
        if not urls:
            await self._quarantine(attempt, "no_url", "the provider reports success without a URL")
            return
        try:
            await self._clear_name(attempt)
            files = [
                await self._fetch(attempt, url, number) for number, url in enumerate(urls, start=1)
            ]
        except Expired as error:
            await self._expired(attempt, error)
        except Transient as error:
            await self._try_later(attempt, urls, error)
        except Invalid as error:
            kept = f"; kept as {error.path}" if error.path else ""
            await self._quarantine(attempt, "invalid_media", f"{error.reason}{kept}")
        except NoRoom as error:
            self._wait_for_room(attempt, urls, error)
        else:
            await self._stored(attempt, files)

    async def _clear_name(self, attempt: OpenAttempt) -> None:
        """Move the files of an edited job's old fingerprint aside, before its key is used again."""
        former = self._run.former.pop(attempt.key, None)
        if former is not None:
            await set_aside(self._run, self._store, former)

    async def _fetch(self, attempt: OpenAttempt, url: str, number: int) -> StoredFile:
        """Fetch one video under the first name that is free or already its own."""
        describe = describer(attempt, self._run.ledger)
        part_id = f"{attempt.provider}:{attempt.task_id}:{number}"
        for name in range(number, NAMES):
            target = f"videos/{attempt.key}{'' if name == 1 else f'.{name}'}.mp4"
            try:
                return await self._store.fetch(
                    url, target, part_id=part_id, client=self._client, describe=describe
                )
            except Taken:
                self._run.journal.note("name_taken", key=attempt.key, path=target)
        raise DiskError(f"videos/{attempt.key}.mp4 and {NAMES} further names are all taken")

    async def _stored(self, attempt: OpenAttempt, files: list[StoredFile]) -> None:
        if self._run.no_room:
            self._run.no_room = False
            self._run.wake()
        now = self._run.clock.wall()
        if attempt.restoring:
            await self._run.record(attempt, "restored", files=files)
        else:
            fields = {"stored_at": now}
            await self._run.record(attempt, "stored", State.STORED, fields=fields, files=files)
        for file in files:
            self._store.settle(file)
        self._run.tally.stored_now += 1
        self._run.tally.bytes_now += sum(file.bytes for file in files)
        self._run.closed()

    async def _expired(self, attempt: OpenAttempt, error: Expired) -> None:
        """Ask for a fresh URL, a few times; then what is paid for is out of reach."""
        refreshed = self._refreshed.get(attempt.row, 0)
        if refreshed < len(FRESH_URL_WAITS):
            self._refreshed[attempt.row] = refreshed + 1
            self._run.journal.note("url_refused", key=attempt.key, status=error.status)
            self._run.tasks.start_soon(self._refresh, attempt, FRESH_URL_WAITS[refreshed])
            return
        message = f"{error}, also to {refreshed} fresh URLs of task {attempt.task_id}"
        await self._quarantine(attempt, "expired", message)

    async def _refresh(self, attempt: OpenAttempt, wait: float) -> None:
        await self._run.clock.sleep(wait)
        self._look_again(attempt)

    async def _try_later(
        self, attempt: OpenAttempt, urls: tuple[str, ...], error: Transient
    ) -> None:
        tries = self._tries.get(attempt.row, 0)
        self._run.journal.note("download_trouble", key=attempt.key, message=error.reason)
        if tries >= len(WAITS):
            self._leave(attempt, f"its video could not be downloaded: {error.reason}")
            return
        self._tries[attempt.row] = tries + 1
        wait = max(WAITS[tries], error.retry_after or 0.0)
        self._run.tasks.start_soon(self._again, attempt, urls, wait)

    def _wait_for_room(self, attempt: OpenAttempt, urls: tuple[str, ...], error: NoRoom) -> None:
        """The disk is full: creates pause, and downloads try again until there is room."""
        if not self._run.no_room:
            self._run.no_room = True
            self._run.journal.note("no_room", message=str(error))
        self._run.tasks.start_soon(self._again, attempt, urls, ROOM_WAIT)

    async def _again(self, attempt: OpenAttempt, urls: tuple[str, ...], wait: float) -> None:
        await self._run.clock.sleep(wait)
        self.add(attempt, urls)

    async def _quarantine(self, attempt: OpenAttempt, code: str, message: str) -> None:
        if attempt.restoring:
            self._leave(attempt, f"its video could not be fetched again: {message}")
            return
        fields = {
            "error_class": "expired" if code == "expired" else "invalid_media",
            "error_code": code,
            "error_message": message,
        }
        await self._run.record(attempt, "quarantined", State.QUARANTINED, fields=fields)
        self._run.closed()

    def _leave(self, attempt: OpenAttempt, why: str) -> None:
        self._run.tally.because(Reason.UNFINISHED, f"{attempt.key}: {why}")
        self._run.closed()
