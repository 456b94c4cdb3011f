"""Warnings about models that a manifest names and that their provider's last list lacks."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.listing import Listed
from orchestrator.catalog.snapshot import state_folder
from orchestrator.errors import OrchestratorError
from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from orchestrator.catalog.snapshot import Snapshot
    from orchestrator.manifest.model import Manifest
    from orchestrator.manifest.positions import Path as ValuePath


def gone_models(path: Path, manifest: Manifest) -> tuple[Problem, ...]:
    """A warning for each model of a manifest that its provider's last list does not offer.

    Nothing is asked: without a list that was kept there is no warning. `path` is the manifest's as
    it was typed.
    """
    folder = state_folder(os.environ)
    # Most users never asked for a list, and need not wait for what reading one takes.
    if folder is None or not folder.is_dir():
        return ()
    jobs = Counter((job.provider, job.model) for job in manifest.jobs)
    lists = {name: _last_list(manifest, name) for name in {provider for provider, _ in jobs}}
    lost = {
        f"{provider}/{model}": (*told, number)
        for (provider, model), number in jobs.items()
        if (told := _missing(lists[provider], model)) is not None
    }
    places = _places(path, lost) if lost else {}
    return tuple(
        _warning(path, *places.get(name, ((), 1, 1)), code, text, number)
        for name, (code, text, number) in lost.items()
    )


def with_gone_models(path: Path, manifest: Manifest) -> Manifest:
    """The manifest, with what `gone_models` says of it among its warnings."""
    return replace(manifest, warnings=(*manifest.warnings, *gone_models(path, manifest)))


def _warning(
    path: Path, place: ValuePath, line: int, column: int, code: str, text: str, jobs: int
) -> Problem:
    from orchestrator.cli.model_lists import ASK_AGAIN
    from orchestrator.manifest.problems import path_text
    from orchestrator.report.figures import counted

    message = f"{text}; {counted(jobs, 'job')} {'wants' if jobs == 1 else 'want'} it"
    hint = f"to ask again: {ASK_AGAIN}"
    return Problem(str(path), line, column, path_text(place), code, message, hint)


def _last_list(manifest: Manifest, provider: str) -> Snapshot | None:
    """The list of a provider that was kept, where a run of this manifest would go to."""
    from orchestrator.cli.access import read_dotenv
    from orchestrator.cli.model_lists import last_list
    from orchestrator.cli.wiring import Keys
    from orchestrator.providers.registry import provider as find_provider

    try:
        key = Keys(read_dotenv(manifest.path.parent)).find(provider)
        return last_list(find_provider(provider), key)
    except OrchestratorError:
        # Whoever needs the key will say what is wrong with it.
        return None


def _missing(snapshot: Snapshot | None, model: str) -> tuple[str, str] | None:
    """A code and a text for a model that a list does not offer; None for any other."""
    from orchestrator.cli.model_lists import asked_on

    if snapshot is None:
        return None
    if model not in snapshot.models:
        gone = "model-gone", f"{snapshot.provider} had no model {model} {asked_on(snapshot)}"
        return gone if snapshot.whole else None
    word = snapshot.models[model]
    if Listed(model, availability=word).is_available is not False:
        return None
    return "model-unavailable", f"{snapshot.provider} called {model} `{word}` {asked_on(snapshot)}"


def _places(path: Path, names: Collection[str]) -> dict[str, tuple[ValuePath, int, int]]:
    """Where a sound manifest first says each of these models, by `provider/model`.

    A model that only variables name stands where the first variable does.
    """
    from orchestrator.manifest.source import parse, read_text

    source = parse(read_text(path, str(path)), str(path))
    found: dict[str, tuple[ValuePath, int, int]] = {}
    composed: list[ValuePath] = []
    for place, said in _said_models(source.value):
        composed += [place] * (isinstance(said, str) and "{{" in said)
        for name in names:
            if said in (name, name.partition("/")[2]) and name not in found:
                found[name] = (place, *source.locate(place))
    for place in composed[:1]:
        found = {**dict.fromkeys(names, (place, *source.locate(place))), **found}
    return found


def _said_models(document: Any) -> Iterator[tuple[ValuePath, object]]:  # noqa: ANN401 - YAML's
    """Each place of a manifest that may name a model, with what stands there."""
    yield ("defaults", "model"), (document.get("defaults") or {}).get("model")
    for number, job in enumerate(document["jobs"]):
        yield ("jobs", number, "model"), job.get("model")
        axis = (job.get("matrix") or {}).get("model")
        for at, value in enumerate(axis if isinstance(axis, list) else ()):
            yield ("jobs", number, "matrix", "model", at), value
        for at, item in enumerate(job.get("prompts") or ()):
            if isinstance(item, dict):
                yield ("jobs", number, "prompts", at, "model"), item.get("model")
