"""From a job's spec to the job to buy: effective parameters, seeds and fingerprints."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from orchestrator.jobs import Job
from orchestrator.manifest.signed_urls import unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Model, Param
    from orchestrator.jobs import JobSpec, Reference, Value

#: The range of a seed whose table states none: what every documented seed takes.
_SEED_RANGE = (0, 2**31 - 1)


def make_job(spec: JobSpec, model: Model, campaign_seed: int, estimate: float | None) -> Job:
    """The job that `spec` buys from `model`, with its effective parameters and fingerprints.

    Effective parameters are the table's defaults, then what the manifest states. A `seed` that
    the manifest leaves out is derived from the campaign's seed, the rest of the fingerprint and
    the take; a stated one is shifted by the take, within the table's range.
    """
    stated_params = dict(spec.params)
    effective = {
        param.key: stated_params.get(param.key, param.default)
        for param in model.params
        if stated_params.get(param.key, param.default) is not None
    }
    content = _content(spec)
    stated: dict[str, Any] = {**content, "params": stated_params}
    seed = model.param("seed")
    if seed is not None:
        if "seed" in stated_params:
            effective["seed"] = _shifted(stated_params["seed"], spec.take, seed)
        else:
            rest = {key: value for key, value in effective.items() if key != "seed"}
            stated["campaign_seed"] = campaign_seed
            effective["seed"] = _derived({**content, "params": rest}, campaign_seed, seed)
    params: Mapping[str, Value] = effective  # type: ignore[assignment]
    fingerprint = digest({**content, "params": params})
    return Job(spec, params, fingerprint, digest(stated), estimate)


def digest(content: object) -> str:
    """SHA-256 (hex) of the content's canonical JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _content(spec: JobSpec) -> dict[str, Any]:
    return {
        "provider": spec.provider,
        "model": spec.model,
        "prompt": spec.prompt,
        "references": [_reference_content(reference) for reference in spec.references],
        "take": spec.take,
    }


def _reference_content(reference: Reference) -> dict[str, Any]:
    if reference.url is not None:
        return {"kind": reference.kind, "url": unsigned(reference.url)}
    return {"kind": reference.kind, "sha256": reference.sha256}


def _seed_range(seed: Param) -> tuple[int, int]:
    low = _SEED_RANGE[0] if seed.min is None else int(seed.min)
    high = _SEED_RANGE[1] if seed.max is None else int(seed.max)
    return low, high


def _shifted(stated: Value, take: int, seed: Param) -> int:
    low, high = _seed_range(seed)
    return low + (int(stated) + take - 1 - low) % (high - low + 1)


def _derived(content: Mapping[str, Any], campaign_seed: int, seed: Param) -> int:
    low, high = _seed_range(seed)
    number = int(digest({**content, "campaign_seed": campaign_seed})[:16], 16)
    return low + number % (high - low + 1)
