"""What `doctor` looks at: this machine, the keys, and whether the providers answer."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sqlite3
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from orchestrator.cli import catalogue
from orchestrator.cli.access import check_key, find_key, origin_of
from orchestrator.cli.editor_schema import schema_finding, stale_schema
from orchestrator.errors import CredentialsError, OrchestratorError
from orchestrator.ledger.sqlite.opening import LEDGER_FILE, NEXT_STEP, REBUILD, examine, refuse_lost
from orchestrator.plan.cost import amount
from orchestrator.providers.base import Fault, PollTrouble
from orchestrator.providers.registry import provider as find_provider
from orchestrator.report.figures import counted, size, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.catalog.comparing import Compared
    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli.access import Dotenv, Key
    from orchestrator.providers.base import Provider, Reply

#: The first version with everything that ledger and sandbox ask for (STRICT tables).
OLDEST_SQLITE = (3, 37, 0)
#: Less free disk than this is worth a word, in bytes.
LITTLE_DISK = 2 * 1000**3
#: How far the clock may be from a provider's, in seconds: resends are allowed by the clock.
CLOCK_TOLERANCE = 60.0
#: What the check of the clock is called.
CLOCK = "clock"
#: How long a provider may take to answer, in seconds.
PATIENCE = 20.0
#: An id that no provider gives out.
_MADE_UP_ID = "task_doctor_made_this_up"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    text: str
    #: Whether somebody should do something about it.
    finding: bool = False


def machine(folder: Path) -> list[Check]:
    """Python, SQLite, and the room on the disk of `folder` or of its nearest parent."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    oldest = ".".join(map(str, OLDEST_SQLITE))
    return [
        Check("python", platform.python_version()),
        Check("sqlite", sqlite3.sqlite_version + (f", {oldest} is needed" if old else ""), old),
        Check("disk", f"{size(free)} free at {folder}", free < LITTLE_DISK),
    ]


def ledger(folder: Path, typed: str) -> list[Check]:
    """Whether the ledger of a run folder is whole, by all of it; nothing where there is none.

    `typed` is what names the run to `rebuild`.
    """
    path = folder / LEDGER_FILE
    try:
        refuse_lost(path)
        if not path.exists():
            return []
        wrong = examine(path, whole=True, thorough=True)
    except (OrchestratorError, OSError, sqlite3.Error) as error:
        return [Check("ledger", _with_run(str(error), typed), finding=True)]
    if wrong is None:
        return [Check("ledger", f"{path} is whole")]
    return [
        Check("ledger", f"{path} is damaged: {wrong}. {_with_run(NEXT_STEP, typed)}", finding=True)
    ]


def _with_run(text: str, typed: str) -> str:
    """The text with a run's name in the command that makes its ledger again."""
    return text.replace(REBUILD, f"orchestrator rebuild {typed}")


def lying_schema(schema: Path, catalog: Catalog) -> list[Check]:
    """Whether a schema of manifests is current; nothing where there is none."""
    if not schema.exists():
        return []
    what = schema_finding(schema, catalog)
    if what is None:
        return [Check("schema", f"{schema} is current")]
    words = shlex.join(["--write", str(schema.parent), *catalogue.typed()])
    mend = f"write it again with: orchestrator schemas {words}"
    return [Check("schema", f"{schema} {what}; {mend}", finding=True)]


def named_schema(manifest: Path, catalog: Catalog) -> list[Check]:
    """Whether the schema that a manifest names for editors is current."""
    return [
        Check("schema", f"{problem.message}; {problem.hint}", finding=True)
        for problem in stale_schema(manifest, catalog)
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """One provider's key, or why there is none."""

    provider: Provider
    key: Key | None
    #: What is wrong with how it is stated; None where nothing is.
    trouble: str | None = None


def look_for_key(name: str, dotenv: Dotenv) -> Found:
    """The key of a provider, from the environment or from a `.env`."""
    provider = find_provider(name)
    try:
        key = find_key(provider.settings, os.environ, dotenv)
        if key is not None:
            check_key(key)
    except OrchestratorError as error:
        return Found(provider, None, str(error))
    return Found(provider, key)


def key_check(found: Found, *, needed: bool) -> Check:
    """What is known of a key, without telling it. A missing one is a finding where it is needed."""
    name = f"{found.provider.name} key"
    if found.trouble is not None:
        return Check(name, found.trouble, finding=True)
    if found.key is None:
        return Check(name, f"none; it would be {found.provider.settings.key_variable}", needed)
    # Of a short text four characters would be too much of it.
    is_short = len(found.key.value) < 12
    end = "too short to show its end" if is_short else f"ends in {found.key.value[-4:]}"
    return Check(name, f"from {found.key.source}, {end}")


async def reach(found: Found) -> list[Check]:
    """Whether a provider answers and takes the key, and what its clock says. Nothing is created."""
    from orchestrator.providers.transport import NotSent, TransportError

    name = found.provider.name
    try:
        checks, headers = await (_ask(found, found.key) if found.key else _knock(found.provider))
    except NotSent as error:
        return [Check(name, error.reason, finding=True)]
    except TransportError as error:
        return [Check(name, f"gives no answer: {error.reason}", finding=True)]
    except OrchestratorError as error:
        return [Check(name, str(error), finding=True)]
    return [*checks, *clock(name, headers)]


async def _ask(found: Found, key: Key) -> tuple[list[Check], Mapping[str, str]]:
    """Ask for the balance, or, where a provider tells none, after a task that nobody has."""
    from orchestrator.providers.transport import Transport

    provider = found.provider
    request = provider.balance() or provider.poll([_MADE_UP_ID])
    async with Transport(key.origin, key.value, create_timeout=PATIENCE) as transport:
        reply = await transport.ask(request, timeout=PATIENCE)
    answer = _read_answer(provider, reply)
    if isinstance(answer, Fault):
        refused = f"refuses: {answer.message} ({answer.code})"
        return [Check(provider.name, refused, finding=True)], reply.headers
    return [Check(provider.name, answer)], reply.headers


def _read_answer(provider: Provider, reply: Reply) -> str | Fault:
    """What a provider's answer says, or what went wrong."""
    if provider.balance() is not None:
        left = provider.read_balance(reply)
        return left if isinstance(left, Fault) else f"answers, {amount(left)} credits left"
    views = provider.read_poll([_MADE_UP_ID], reply)
    return views.fault if isinstance(views, PollTrouble) else "answers and takes the key"


async def _knock(provider: Provider) -> tuple[list[Check], Mapping[str, str]]:
    """See whether a provider is there at all, without any key."""
    import aiohttp

    from orchestrator.providers.transport import translate

    origin = origin_of(provider.settings, os.environ)
    patience = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=patience) as session,
            session.get(origin.url("/"), allow_redirects=False) as response,
        ):
            headers = {name.lower(): value for name, value in response.headers.items()}
    except (aiohttp.ClientError, OSError) as error:
        raise translate(error, sent=False, site=origin.site) from None
    return [Check(provider.name, "answers; without a key more cannot be told")], headers


async def listed(found: Found, catalog: Catalog, *, answers: bool) -> list[Check]:
    """Whether the tables of a provider's models agree with its own list of them.

    It is asked for where the provider `answers`, without a key where there is none and none is
    needed. Nothing where it has no list.
    """
    from orchestrator.catalog.comparing import compare
    from orchestrator.cli.model_lists import ask_for_models, remember, whereabouts

    provider, name = found.provider, f"{found.provider.name} models"
    if provider.models() is None:
        return []
    if not answers or found.trouble is not None:
        return [Check(name, f"not compared: nobody was asked{_compared_last(found)}")]
    try:
        origin = whereabouts(provider, found.key)
        listing = await ask_for_models(provider, origin, found.key)
    except CredentialsError as error:
        if found.key is None:
            return [Check(name, f"not compared: that takes a key{_compared_last(found)}")]
        return [Check(name, str(error), finding=True)]
    except OrchestratorError as error:
        return [Check(name, str(error), finding=True)]
    remember(provider, origin, listing)
    return [_agreement(name, compare(catalog, provider.name, listing))]


def _agreement(name: str, compared: Sequence[Compared]) -> Check:
    """How many tables agree with a list, and which do not."""
    other = [one.model.partition("/")[2] for one in compared if one.found in ("differs", "gone")]
    if other:
        text = f"differ from the tables: {', '.join(other)}; see orchestrator models check"
        return Check(name, text, finding=True)
    unread = sum(one.found == "unread" for one in compared)
    part = f", {unread} of them as far as the list tells" if unread else ""
    agree = "agrees" if len(compared) == 1 else "agree"
    return Check(name, f"{counted(len(compared), 'table')} {agree} with the list{part}")


def _compared_last(found: Found) -> str:
    """When the provider's list was last asked for, as the end of a sentence."""
    from orchestrator.cli.model_lists import asked_on, last_list

    try:
        snapshot = last_list(found.provider, found.key)
    except OrchestratorError:
        return ""
    return "" if snapshot is None else f"; the last list came {asked_on(snapshot)}"


def clock_unchecked(*, offline: bool) -> Check:
    """The clock where no reply told the time: that it was not looked at is no finding."""
    return Check(CLOCK, f"not checked: {'nobody was asked' if offline else 'no answer'}")


def clock(name: str, headers: Mapping[str, str]) -> list[Check]:
    """How far this machine's clock is from the one that dated a reply."""
    try:
        theirs = parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return []
    apart = abs(time.time() - theirs)
    if apart <= CLOCK_TOLERANCE:
        return [Check(CLOCK, f"agrees with {name}")]
    return [Check(CLOCK, f"{span(apart)} away from {name}'s: set it right", finding=True)]
