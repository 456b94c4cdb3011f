"""Keys and base URLs: from the environment, from files it names, from a `.env` by the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import CredentialsError
from orchestrator.providers.origins import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.providers.base import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """A credential, where it was found, and the origin that it is for."""

    value: str = field(repr=False)
    #: Such as `RIVYA_API_KEY` or `.env: RIVYA_API_KEY`; never the value.
    source: str
    origin: Origin


def read_dotenv(folder: Path) -> dict[str, str]:
    """The variables of the folder's `.env`; none where there is no such file."""
    path = folder / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    values = dotenv_values(path, interpolate=False)
    return {name: value for name, value in values.items() if value}


def find_key(
    settings: Settings, environ: Mapping[str, str], dotenv: Mapping[str, str], folder: Path
) -> Key | None:
    """The provider's key, None where there is none.

    The environment goes first. A base URL of the `.env` in `folder` counts only for a key of the
    same file, so that no file can send a key of the environment elsewhere. Raises CredentialsError
    for a key file that cannot be read and UsageError for a base URL that is none.
    """
    name, base = settings.key_variable, settings.base_url_variable
    value, source = _value(name, environ, Path.cwd())
    base_url = environ.get(base)
    if value is None:
        value, source = _value(name, dotenv, folder)
        source = f".env: {source}"
        base_url = base_url or dotenv.get(base)
    if value is None:
        return None
    return Key(value, source, Origin.from_url(base_url or settings.default_base_url))


def origin_of(settings: Settings, environ: Mapping[str, str]) -> Origin:
    """Where the provider is without a key: the environment's base URL, or its own."""
    return Origin.from_url(environ.get(settings.base_url_variable) or settings.default_base_url)


def _value(name: str, variables: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    """A variable's value, or that of the file that `<name>_FILE` names; and which it was."""
    if value := variables.get(name, "").strip():
        return value, name
    if not (path := variables.get(f"{name}_FILE")):
        return None, name
    try:
        text = (folder / path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(
            f"{name}_FILE names {path}, which cannot be read: {error}. Nothing was sent."
        ) from error
    return text or None, f"{name}_FILE"
