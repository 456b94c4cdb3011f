"""Keys and base URLs: from the environment, from files it names, from a `.env` by the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import CredentialsError, UsageError
from orchestrator.providers.origins import Origin, credential_trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.providers.base import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """A credential, where it was found, and the origin that it is for."""

    value: str = field(repr=False)
    #: Such as `RIVYA_API_KEY` or `.env: RIVYA_API_KEY`; never the value.
    source: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something of a `.env` that does not count, and why; never a value."""

    why: str
    #: The line that it begins in, None for what is no matter of one line.
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Dotenv:
    """What a folder's `.env` says. Files that it names are relative to the folder."""

    path: Path
    #: Variables that are not empty.
    values: Mapping[str, str] = field(repr=False)
    unread: tuple[Ignored, ...] = ()


def read_dotenv(folder: Path) -> Dotenv:
    """The folder's `.env`; without variables where there is no such file, or it cannot be read."""
    path = folder / ".env"
    try:
        # Of a pipe nobody knows whether anything will ever come.
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except OSError as error:
        return Dotenv(path, {}, (Ignored(f"it cannot be read: {error.strerror}"),))
    except UnicodeDecodeError:
        return Dotenv(path, {}, (Ignored("it is not UTF-8, and is not read"),))
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Dotenv:
    from io import StringIO

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    unread = []
    for binding in parse_stream(StringIO(text)):
        if binding.key and binding.value:
            values[binding.key] = binding.value
        elif binding.error:
            # A statement begins after the empty lines before it, which are counted as its own.
            statement = binding.original.string
            empty = statement[: len(statement) - len(statement.lstrip())].count("\n")
            why = "this line is not NAME=value, and is not read"
            unread.append(Ignored(why, binding.original.line + empty))
    return Dotenv(path, values, tuple(unread))


def find_key(settings: Settings, environ: Mapping[str, str], dotenv: Dotenv) -> Key | None:
    """The provider's key, None where there is none.

    The environment goes first. A base URL of the `.env` counts only for a key of the same file, so
    that no file can send a key of the environment elsewhere. Raises CredentialsError for a key
    file that cannot be read and UsageError for a base URL that is none.
    """
    name, base = settings.key_variable, settings.base_url_variable
    value, source = _value(name, environ, Path.cwd())
    if value is not None:
        return Key(value, source, origin_of(settings, environ))
    value, source = _value(name, dotenv.values, dotenv.path.parent)
    if value is None:
        return None
    if environ.get(base):
        return Key(value, f".env: {source}", origin_of(settings, environ))
    return Key(value, f".env: {source}", origin_of(settings, dotenv.values, ".env: "))


def origin_of(settings: Settings, variables: Mapping[str, str], place: str = "") -> Origin:
    """Where the provider is by these variables, which `place` names: their base URL, or its own.

    Raises UsageError for a base URL that is none.
    """
    url = variables.get(settings.base_url_variable)
    if not url:
        return Origin.from_url(settings.default_base_url)
    try:
        return Origin.from_url(url)
    except UsageError as error:
        raise UsageError(f"{place}{settings.base_url_variable}: {error}.") from None


def check_key(key: Key) -> None:
    """Make sure that a request can carry a key.

    Raises CredentialsError, which names the variable and never shows the key.
    """
    trouble = credential_trouble(key.value)
    if trouble is not None:
        raise CredentialsError(f"{key.source} {trouble}, which no key does: copy it again.")


def ignored(
    settings: Iterable[Settings], environ: Mapping[str, str], dotenv: Dotenv
) -> Iterator[Ignored]:
    """What of a `.env` does not count: what cannot be read, and base URLs without their key."""
    yield from dotenv.unread
    for one in settings:
        key, base = one.key_variable, one.base_url_variable
        names = (key, f"{key}_FILE")
        if base not in dotenv.values or environ.get(base):
            continue
        if outside := next((name for name in names if environ.get(name, "").strip()), None):
            yield Ignored(
                f"{base} is not used: {outside} comes from the environment, and a base URL of this"
                " file goes only with a key of this file"
            )
        elif not any(name in dotenv.values for name in names):
            yield Ignored(f"{base} is not used: there is no {key} in this file")


def _value(name: str, variables: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    """A variable's value, or that of the file that `<name>_FILE` names; and which it was."""
    if value := variables.get(name, "").strip():
        return value, name
    source = f"{name}_FILE"
    if not (path := variables.get(source)):
        return None, name
    try:
        text = (folder / path).read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise CredentialsError(f"{source} names {path}, which is not UTF-8.") from None
    except OSError as error:
        raise CredentialsError(
            f"{source} names {path}, which cannot be read: {error.strerror}."
        ) from error
    if not text:
        raise CredentialsError(f"{source} names {path}, which is empty.")
    return text, source
