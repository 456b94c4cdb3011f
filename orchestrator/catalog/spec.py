"""What is known about a model, as frozen dataclasses; `tables/` holds the facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.jobs import Value

ParamType = Literal["select", "number", "text"]

#: The kinds of references.
KINDS = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class Param:
    """One row of a model's parameter table. Absent facts are None."""

    key: str
    type: ParamType
    required: bool
    #: As the wire has it: a string for `select` and `text`, a number for `number`.
    default: Value | None
    #: The values of a `select`, strings as the wire has them, in the table's order.
    options: tuple[str, ...] | None
    min: float | None
    max: float | None
    step: float | None
    description: str


@dataclass(frozen=True, slots=True)
class KindRule:
    """What the provider takes of one kind of reference."""

    #: `image`, `video` or `audio`.
    kind: str
    #: Largest upload in bytes; None where nothing is documented.
    max_bytes: int | None
    #: Accepted MIME types; empty where nothing is documented.
    mime_types: tuple[str, ...]
    #: Whether an upload's duration token belongs beside the URL.
    duration_token: bool


@dataclass(frozen=True, slots=True)
class ReferenceRules:
    """Which references a model takes. A set fits when at least one combination allows it."""

    #: The body field that references fill: `referenceMediaItems` or `first_image_url`.
    field: str
    min_files: int
    max_files: int
    kinds: tuple[KindRule, ...]
    #: Each maps a kind to the most files of it; a kind that is not named is not allowed.
    combinations: tuple[Mapping[str, int], ...]
    #: Whether local files can be uploaded (a Files API exists).
    uploads: bool
    #: The rule in one English sentence, for messages.
    rule: str

    def kind(self, name: str) -> KindRule | None:
        """The rule for one kind, None where the model does not take it."""
        return next((rule for rule in self.kinds if rule.kind == name), None)


@dataclass(frozen=True, slots=True)
class Model:
    """One model at one provider."""

    provider: str
    #: The id on the wire.
    model: str
    title: str
    #: Where the facts were read, and when (ISO date).
    source: str
    read: str
    #: Price of one generation in `unit`; None is unknown, never 0.
    price: float | None
    unit: str
    #: `FIXED`, `FLAT` …, as the provider calls it.
    billing: str | None
    #: Longest prompt in characters; None where nothing is documented.
    prompt_limit: int | None
    params: tuple[Param, ...]
    #: None where the model takes no references.
    references: ReferenceRules | None

    @property
    def name(self) -> str:
        """`provider/model`, unique in the catalogue."""
        return f"{self.provider}/{self.model}"

    def param(self, key: str) -> Param | None:
        """The parameter of this name, None where the table has none."""
        return next((param for param in self.params if param.key == key), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, by `provider/model`."""

    models: Mapping[str, Model]

    def candidates(self, name: str) -> tuple[Model, ...]:
        """The models a manifest may mean by `MODEL` or `PROVIDER/MODEL`."""
        if "/" in name:
            return (self.models[name],) if name in self.models else ()
        return tuple(model for model in self.models.values() if model.model == name)

    def providers(self) -> tuple[str, ...]:
        """The providers' names, sorted."""
        return tuple(sorted({model.provider for model in self.models.values()}))
