"""Where keys and base URLs come from, and what of a `.env` counts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.access import (
    Dotenv,
    Ignored,
    check_key,
    find_key,
    ignored,
    origin_of,
    read_dotenv,
)
from orchestrator.errors import CredentialsError, UsageError
from orchestrator.providers.registry import provider

if TYPE_CHECKING:
    from pathlib import Path

RIVYA = provider("rivya").settings
KEY = "rvya_sk_canary"


def dotenv_of(folder: Path, text: str) -> Dotenv:
    (folder / ".env").write_text(text, encoding="utf-8")
    return read_dotenv(folder)


def why(dotenv: Dotenv, **environ: str) -> list[str]:
    return [one.why for one in ignored([RIVYA], environ, dotenv)]


def test_the_environment_goes_before_the_dotenv(tmp_path: Path) -> None:
    dotenv = dotenv_of(tmp_path, f"RIVYA_API_KEY=other\nRIVYA_BASE_URL=https://example.com\n{KEY}")
    found = find_key(RIVYA, {"RIVYA_API_KEY": KEY}, dotenv)
    assert found is not None
    assert (found.value, found.source, found.origin.site) == (
        KEY, "RIVYA_API_KEY", "https://rivya.ai",
    )  # fmt: skip
    assert KEY not in repr(found) + repr(dotenv)


def test_a_base_url_of_a_dotenv_goes_with_a_key_of_the_same_file(tmp_path: Path) -> None:
    text = f"\ufeffRIVYA_API_KEY={KEY}\nexport RIVYA_BASE_URL='https://example.com'\n"
    dotenv = dotenv_of(tmp_path, text)
    found = find_key(RIVYA, {}, dotenv)
    assert found is not None
    assert (found.source, found.origin.site) == (".env: RIVYA_API_KEY", "https://example.com")
    assert why(dotenv) == []


def test_a_base_url_that_does_not_count_is_named_with_its_reason(tmp_path: Path) -> None:
    dotenv = dotenv_of(tmp_path, f"RIVYA_BASE_URL=https://example.com\nRIVYA_API_KEY={KEY}\n")
    for name in ("RIVYA_API_KEY", "RIVYA_API_KEY_FILE"):
        (text,) = why(dotenv, **{name: "x"})
        assert text.startswith(f"RIVYA_BASE_URL is not used: {name} comes from the environment")
    alone = dotenv_of(tmp_path, "RIVYA_BASE_URL=https://example.com\n")
    assert why(alone) == ["RIVYA_BASE_URL is not used: there is no RIVYA_API_KEY in this file"]
    assert why(alone, RIVYA_BASE_URL="https://example.org") == []


def test_lines_that_cannot_be_read_are_named_without_what_stands_there(tmp_path: Path) -> None:
    dotenv = dotenv_of(tmp_path, f"# keys\n\nRIVYA_API_KEY {KEY}\nB=1\n\n\nC='open\nD\n")
    line = "this line is not NAME=value, and is not read"
    assert dotenv.unread == (Ignored(line, 3), Ignored(line, 7))
    assert dotenv.values == {"B": "1"}


def test_a_dotenv_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_bytes("RIVYA_API_KEY=schlüssel".encode("latin-1"))
    assert why(read_dotenv(tmp_path)) == ["it is not UTF-8, and is not read"]

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "read_text", refuse)
    assert why(read_dotenv(tmp_path)) == ["it cannot be read: Permission denied"]


def test_what_is_no_file_is_no_dotenv_and_is_not_waited_for(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path) == Dotenv(tmp_path / ".env", {})
    os.mkfifo(tmp_path / ".env")
    assert read_dotenv(tmp_path) == Dotenv(tmp_path / ".env", {})


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"\xff\xfek\0", "is not UTF-8."),
        (b" \n", "is empty."),
    ],
)
def test_a_key_file_without_a_key_is_named(tmp_path: Path, content: bytes | None, end: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    dotenv = dotenv_of(tmp_path, "RIVYA_API_KEY_FILE=key\n")
    with pytest.raises(CredentialsError) as error:
        find_key(RIVYA, {}, dotenv)
    assert str(error.value).startswith("RIVYA_API_KEY_FILE names key, which ")
    assert str(error.value).endswith(end)


@pytest.mark.parametrize("content", ["sk canary", "sk-canary\nsecond", "schlüssel"])
def test_a_key_that_no_request_can_carry_is_named_by_its_variable_and_not_shown(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "key").write_text(content)
    found = find_key(RIVYA, {}, dotenv_of(tmp_path, "RIVYA_API_KEY_FILE=key\n"))
    assert found is not None
    with pytest.raises(CredentialsError) as error:
        check_key(found)
    assert str(error.value).startswith(".env: RIVYA_API_KEY_FILE holds a ")
    assert not any(word in str(error.value) for word in content.split())


def test_a_good_key_passes_with_what_editors_put_around_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"\ufeff {KEY}\r\n", encoding="utf-8")
    for name, value in (("RIVYA_API_KEY", f" {KEY}\n"), ("RIVYA_API_KEY_FILE", tmp_path / "key")):
        found = find_key(RIVYA, {name: str(value)}, read_dotenv(tmp_path))
        assert found is not None
        assert found.value == KEY
        check_key(found)


def test_a_base_url_that_is_none_is_named_by_its_variable() -> None:
    with pytest.raises(UsageError, match=r"^RIVYA_BASE_URL: the base URL is no https URL"):
        origin_of(RIVYA, {"RIVYA_BASE_URL": "rivya.ai"})
    with pytest.raises(UsageError, match=r"^\.env: RIVYA_BASE_URL: the base URL of "):
        origin_of(RIVYA, {"RIVYA_BASE_URL": "http://example.com"}, ".env: ")
