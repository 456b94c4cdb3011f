from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import anyio
import pytest

from orchestrator.cli import checkup
from orchestrator.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

KEY = "rvya_sk_very_secret_0815"
PROVIDERS = {"rivya": ("RIVYA_API_KEY", "RIVYA_BASE_URL"),
             "acedatacloud": ("ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_API_BASE_URL")}  # fmt: skip


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key, base in PROVIDERS.values():
        for name in (key, f"{key}_FILE", base):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def line(outcome: Outcome, name: str) -> str:
    return next(text for text in outcome.out.splitlines() if text.startswith(name))


def test_of_a_key_only_source_and_last_four_characters_are_told(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", KEY)
    outcome = orchestrate("doctor", "--offline")
    assert outcome.code == 0
    assert line(outcome, "rivya key").endswith("ok      from RIVYA_API_KEY, ends in 0815")
    assert "secret" not in outcome.out + outcome.err


def test_of_a_short_key_nothing_is_told(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", "hunter2")
    found = line(orchestrate("doctor", "--offline"), "rivya key")
    assert found.endswith("ok      from RIVYA_API_KEY, too short to show its end")


def test_without_any_key_both_are_problems(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("doctor", "--offline")
    assert outcome.code == 1
    assert "problem" in line(outcome, "rivya key")
    assert "problem" in line(outcome, "acedatacloud key")


def test_with_a_manifest_every_provider_that_it_uses_needs_a_key(
    orchestrate: Callable[..., Outcome], manifest: Path
) -> None:
    (manifest.parent / ".env").write_text(f"RIVYA_API_KEY={KEY}\n")
    outcome = orchestrate("doctor", manifest, "--offline")
    assert outcome.code == 1
    assert line(outcome, "rivya key").endswith("from .env: RIVYA_API_KEY, ends in 0815")
    assert "problem" in line(outcome, "acedatacloud key")


def test_a_key_file_that_cannot_be_read_is_a_problem_and_no_crash(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY_FILE", "nowhere")
    outcome = orchestrate("doctor", "--offline")
    assert outcome.code == 1
    assert "nowhere" in line(outcome, "rivya key")


@pytest.mark.parametrize(
    ("key", "trouble"),
    [
        ("rvya sk_very_secret", "holds a space"),
        ("rvya_sk\nvery_secret", "holds a line break"),
        ("rvya_sk_very_sécret", "holds a character that is not ASCII"),
    ],
)
def test_a_key_that_no_request_can_carry_is_a_problem_and_not_shown(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, key: str, trouble: str
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", key)
    outcome = orchestrate("doctor", "--offline")
    assert outcome.code == 1
    assert f"problem  RIVYA_API_KEY {trouble}" in line(outcome, "rivya key")
    assert "cret" not in outcome.out + outcome.err


def test_what_of_a_dotenv_does_not_count_is_said_on_stderr(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", KEY)
    (tmp_path / ".env").write_text("RIVYA_BASE_URL=https://example.com\n\nRIVYA_API_KEY secret\n")
    outcome = orchestrate("doctor", "--offline")
    first, second = outcome.err.splitlines()
    assert first == ".env:3: warning: this line is not NAME=value, and is not read"
    assert second.startswith(".env: warning: RIVYA_BASE_URL is not used: RIVYA_API_KEY comes from ")


def test_a_stale_schema_is_a_problem(
    orchestrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVYA_API_KEY", KEY)
    orchestrate("init", tmp_path)
    assert orchestrate("doctor", "--offline").code == 0
    assert orchestrate("doctor", "--offline", "manifest.yaml").code == 0
    (tmp_path / "schemas" / "manifest.schema.json").write_text("{}")
    for arguments in ((), ("manifest.yaml",)):
        outcome = orchestrate("doctor", "--offline", *arguments)
        assert outcome.code == 1
        assert "is stale" in line(outcome, "schema")


async def in_the_sandbox(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, key: str | None
) -> Outcome:
    """`doctor` against emulated providers, with this key for both."""
    async with Sandbox() as urls:
        for name, (key_variable, base_variable) in PROVIDERS.items():
            monkeypatch.setenv(base_variable, urls[name])
            if key is not None:
                monkeypatch.setenv(key_variable, key)
        return await anyio.to_thread.run_sync(lambda: orchestrate("doctor"))


async def test_providers_that_answer_tell_balance_and_clock(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await in_the_sandbox(orchestrate, monkeypatch, KEY)
    assert outcome.code == 0
    assert "answers, 1,000,000 credits left" in outcome.out
    assert "answers and takes the key" in outcome.out
    assert line(outcome, "clock").endswith("agrees with acedatacloud")


async def test_a_key_that_is_refused_is_a_problem(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await in_the_sandbox(orchestrate, monkeypatch, "invalid")
    assert outcome.code == 1
    assert outcome.out.count("refuses: ") == 2


async def test_without_a_key_it_tells_that_the_provider_is_there(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await in_the_sandbox(orchestrate, monkeypatch, None)
    assert outcome.out.count("answers; without a key more cannot be told") == 2


@pytest.mark.parametrize("key", [KEY, None])
def test_a_provider_that_is_not_there_is_a_problem(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    for key_variable, base_variable in PROVIDERS.values():
        monkeypatch.setenv(base_variable, "http://127.0.0.1:9")
        if key is not None:
            monkeypatch.setenv(key_variable, key)
    outcome = orchestrate("doctor")
    assert outcome.code == 1
    assert outcome.out.count("cannot connect to http://127.0.0.1:9: connection refused") == 2


def test_a_clock_that_nobody_told_the_time_is_said_to_be_unchecked(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = line(orchestrate("doctor", "--offline"), "clock")
    assert said.split(maxsplit=2)[1:] == ["ok", "not checked: nobody was asked"]
    for _key_variable, base_variable in PROVIDERS.values():
        monkeypatch.setenv(base_variable, "http://127.0.0.1:9")
    assert line(orchestrate("doctor"), "clock").endswith("not checked: no answer")


@pytest.mark.parametrize(("apart", "finding"), [(0, False), (-50, False), (90, True), (-90, True)])
def test_a_clock_that_is_wrong_is_a_problem(apart: float, finding: bool) -> None:
    (check,) = checkup.clock("rivya", {"date": formatdate(time.time() + apart, usegmt=True)})
    assert check.finding is finding


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_a_reply_without_a_date_says_nothing_about_the_clock(headers: dict[str, str]) -> None:
    assert checkup.clock("rivya", headers) == []
