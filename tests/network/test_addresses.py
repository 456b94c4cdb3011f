"""Where the product connects to, what it takes along, and what it calls what it brings back."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import contextmanager

import pytest

from orchestrator.jobs import Reference, State
from orchestrator.providers.origins import Origin
from orchestrator.sandbox import world as sandbox_world
from orchestrator.sandbox.server import Sandbox
from tests.engine.campaigns import manifest, spec
from tests.network.campaigns import CANARY, QUICK, K, N, folder
from tests.network.hurry import hurried
from tests.network.proxy import Fault, Proxy, every
from tests.providers.test_origins import PRIVATE
from tests.storage.boxes import mp4
from tests.storage.host import Host, raw

BOTH = pytest.mark.parametrize("provider", [K, N])

# --- where nothing is connected to --------------------------------------------------------------

#: Names that a resolver which lies, or changes its mind, leads to this machine or its network.
REBOUND = {"cdn.rebound.example": "127.0.0.1", "cdn.inner.example": "10.1.2.3"}
#: The block table, as URLs.
BLOCKED = [
    *[f"https://{host}/v.mp4" for host in PRIVATE],
    *[f"https://{name}/v.mp4" for name in REBOUND],
    "http://cdn.example.com/v.mp4", "ftp://cdn.example.com/v.mp4", "file:///etc/passwd",
    "https://user:word@cdn.example.com/v", "https://localhost/v", "https://metadata.google.internal/v",
    "https://127\u30020\u30020\u30021/v", "https://\uff11\uff12\uff17.0.0.1/v",
]  # fmt: skip

_watchers: list[list[tuple[str, object]]] = []


def _audit(event, arguments):
    """An audit hook cannot be removed: it looks for somebody who wants to know."""
    if _watchers and event in ("socket.connect", "subprocess.Popen"):
        for seen in _watchers:
            seen.append((event, arguments[1]))


sys.addaudithook(_audit)


@contextmanager
def watched():
    """Every address that this process connects to meanwhile, and every program it starts."""
    seen: list[tuple[str, object]] = []
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)


@pytest.fixture
def resolver(monkeypatch):
    """A resolver that knows `REBOUND`, and a public name for a provider of these tests."""
    resolve = socket.getaddrinfo

    def lying(host, port, *rest, **options):
        known = {**REBOUND, "api.provider.example": "127.0.0.1"}
        return resolve(known.get(host, host), port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lying)


def number_of(sandbox, task_id):
    """The number of the job that a task belongs to."""
    (task,) = [task for task in sandbox.tasks.all() if task.id == task_id]
    return int(task.prompt.removeprefix("prompt "))


def with_result(sandbox, url_of):
    """A change of replies: each task's video lies at `url_of` its job's number."""

    def retold(reply):
        head, _, body = reply.partition(b"\r\n\r\n")
        document = json.loads(body)
        for task in document.get("items", [document]):
            if (task.get("result") or {}).get("primary_url"):
                url = url_of(number_of(sandbox, task["id"]))
                task["result"] = {"primary_url": url, "urls": [url]}
            for item in (task.get("response") or {}).get("data", ()):
                if "video_url" in item:
                    item["video_url"] = url_of(number_of(sandbox, task["id"]))
        body = json.dumps(document).encode()
        lines = [line for line in head.split(b"\r\n") if b"Content-Length" not in line]
        return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body

    return Fault(edit=retold)


def public(proxy):
    """The proxy's providers as if they lay on the public Internet."""
    return {name: Origin("http", "api.provider.example", proxy.port, f"/{name}") for name in (K, N)}


def assert_nobody_was_asked_but(seen, *ports):
    asked = {address for event, address in seen if event == "socket.connect"}
    assert asked <= {("127.0.0.1", port) for port in ports}
    assert all(event == "socket.connect" for event, _ in seen), "no program was started"


@BOTH
def test_no_result_is_fetched_from_an_address_that_is_not_public(provider, resolver, tmp_path):
    # AceDataCloud's success without a URL of the web is a task that still runs.
    blocked = [url for url in BLOCKED if provider == K or url.startswith("http")]

    async def night():
        sandbox = Sandbox(pace=0)
        async with sandbox as urls:
            script = every("poll", with_result(sandbox, lambda number: blocked[number]))
            async with Proxy(urls, script) as proxy:
                with folder(tmp_path / "run", proxy.urls) as here, watched() as seen:
                    here.origins = public(proxy)
                    what = [spec(n, provider) for n in range(len(blocked))]
                    tally = await here.run(manifest(what, **QUICK))
                    assert tally.exit_code() == 1
                    rows = list(here.ledger.rows(current=True))
        assert {row.state for row in rows} == {State.QUARANTINED}
        assert {row.attempt.error_class for row in rows} == {"invalid_media"}
        assert not list(tmp_path.rglob("*.mp4"))
        assert proxy.of("download") == []
        assert_nobody_was_asked_but(seen, proxy.port, int(urls[K].split(":")[2].split("/")[0]))

    hurried(night)


@BOTH
def test_no_redirect_leads_to_an_address_that_is_not_public(provider, resolver, tmp_path):
    """The provider is on loopback, so that the first hop may be; the second may not be private."""
    blocked = [url for url in BLOCKED if not any(name in url for name in LOOPBACK)]

    async def night():
        sandbox = Sandbox(pace=0)

        def script(asked):
            if asked.on != "download":
                return None
            number = number_of(sandbox, asked.path.split("/")[3])
            where = blocked[number].encode("ascii", "backslashreplace")
            head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % where
            return Fault(edit=lambda _reply: head)

        async with sandbox as urls, Proxy(urls, script) as proxy:
            with folder(tmp_path / "run", proxy.urls) as here, watched() as seen:
                what = [spec(n, provider) for n in range(len(blocked))]
                tally = await here.run(manifest(what, **QUICK))
                assert tally.exit_code() == 1
                assert set(here.states().values()) == {State.QUARANTINED}
        assert len(proxy.of("download")) == len(blocked)
        assert_nobody_was_asked_but(seen, proxy.port, int(urls[K].split(":")[2].split("/")[0]))

    hurried(night)


#: Spellings of this machine that a provider on loopback may use itself.
LOOPBACK = ("//127.0.0.1/", "//127.0.0.1./", "//[::1]/", "::ffff:127", "localhost", "cdn.rebound")


def test_no_reference_is_fetched_from_an_address_that_is_not_public(resolver, tmp_path):
    async def night():
        async with Sandbox(pace=0) as urls, Proxy(urls) as proxy:
            with folder(tmp_path / "run", proxy.urls) as here, watched() as seen:
                here.origins = public(proxy)
                what = [
                    spec(n, references=(Reference("image", url=url, upload=True),))
                    for n, url in enumerate(BLOCKED)
                ]
                tally = await here.run(manifest(what, **QUICK))
                assert tally.exit_code() == 3
                assert set(here.states().values()) == {State.PLANNED}
                assert len(tally.reasons["unfinished"]) == len(BLOCKED), "each is told"
        assert proxy.asked == []
        assert_nobody_was_asked_but(seen)

    hurried(night)


@pytest.mark.parametrize("loopback", [True, False])
def test_results_on_this_machine_are_for_providers_on_this_machine(loopback, resolver, tmp_path):
    async def night():
        async with Sandbox(pace=0) as urls, Proxy(urls) as proxy:
            with folder(tmp_path / "run", proxy.urls) as here:
                here.origins = {} if loopback else public(proxy)
                await here.run(manifest([spec(0), spec(1, N)], **QUICK))
                expected = State.STORED if loopback else State.QUARANTINED
                assert set(here.states().values()) == {expected}
        assert len(proxy.of("download")) == 2 * loopback

    hurried(night)


# --- who sees the key ---------------------------------------------------------------------------


@BOTH
def test_the_key_goes_to_its_provider_alone(provider, tmp_path):
    """Not to a result's host, not along its redirects, and no cookie of one host to another."""
    video = mp4(b"frames" * 500)

    async def night():
        async with Host(video) as second, Host(video) as first:
            first.script = [raw(status="302 Found", Location=second.url, Set_Cookie="a=b")] * 3
            sandbox = Sandbox(pace=0)
            async with sandbox as urls:
                script = every("poll", with_result(sandbox, lambda _number: first.url))
                async with Proxy(urls, script) as proxy:
                    with folder(tmp_path / "run", proxy.urls) as here:
                        what = manifest([spec(n, provider) for n in range(3)], **QUICK)
                        assert (await here.run(what)).exit_code() == 0
        assert (len(first.requests), len(second.requests)) == (3, 3)
        for headers in (*first.requests, *second.requests):
            assert not {"authorization", "cookie", "proxy-authorization"} & headers.keys()
            assert CANARY not in json.dumps(headers)
        to_provider = [asked for asked in proxy.asked if asked.on in ("create", "poll")]
        assert all(f"Bearer {CANARY}" == a.headers["authorization"] for a in to_provider)

    hurried(night)


# --- names that others choose -------------------------------------------------------------------


def everything_below(path):
    return {found.relative_to(path).as_posix() for found in path.rglob("*")}


@pytest.mark.parametrize(
    "disposition",
    ["attachment; filename=../../evil.desktop", "attachment; filename*=UTF-8''%2e%2e%2fevil.sh"],
)
def test_no_name_of_a_provider_or_a_host_is_a_name_on_disk(disposition, tmp_path, monkeypatch):
    """Neither the task's id nor the URL nor a header decides where a video goes."""
    hostile = "../../../evil/..%2f..%2fevil"
    monkeypatch.setattr(sandbox_world, "uuid4", lambda: hostile)
    video = mp4(b"frames" * 500)

    async def night():
        async with Host() as host:
            host.script = [raw(video, Content_Disposition=disposition, Content_Type="text/x-sh")]
            url = host.url.replace("/out/video.mp4", "/..%2f..%2fevil.desktop")
            sandbox = Sandbox(pace=0)
            async with sandbox as urls:
                script = every("poll", with_result(sandbox, lambda _number: url))
                async with Proxy(urls, script) as proxy:
                    with folder(tmp_path / "run", proxy.urls) as here:
                        tally = await here.run(manifest([spec(0, N)], **QUICK))
                        assert tally.exit_code() == 0
                        assert here.row().attempt.task_id == hostile
        stored = {"run", "run/videos", "run/videos/job0.mp4", "run/videos/job0.json"}
        assert everything_below(tmp_path) == stored
        assert (tmp_path / "run/videos/job0.mp4").stat().st_mode & 0o111 == 0

    hurried(night)


# --- what the machine says ----------------------------------------------------------------------


def test_no_environment_of_this_machine_is_read_as_a_proxy(monkeypatch, tmp_path):
    """A proxy would resolve names itself, where no guard of addresses sees them."""

    async def night():
        async with Host() as canary:
            for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
                monkeypatch.setenv(name, canary.url.partition("/out")[0])
            async with Sandbox(pace=0) as urls:
                with folder(tmp_path / "run", urls) as here:
                    what = manifest([spec(0), spec(1, N)], **QUICK)
                    assert (await here.run(what)).exit_code() == 0
            assert canary.connections == 0

    hurried(night)
    assert os.environ["http_proxy"]


def test_the_guard_of_these_tests_sees_connections():
    with watched() as seen:
        with socket.socket() as probe, socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            probe.connect(server.getsockname())
        with pytest.raises(AssertionError):
            assert_nobody_was_asked_but(seen)
