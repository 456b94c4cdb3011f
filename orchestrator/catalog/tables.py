"""Parameter tables: the YAML files in `tables/` (and users' own) as `Model`s.

A table looks like this; a fact that is not known is left out or `null`:

    provider: rivya
    model: hailuo-pro                 # the id on the wire
    title: Hailuo Pro
    source: Rivya model page of hailuo-pro
    read: "2026-05-11"                # when the facts were read: a day, or a month
    price: 57                         # of one generation; never 0
    unit: credits                     # nothing else
    billing: FIXED                    # the provider's own word
    prompt_limit: 1500                # characters
    params:
      prompt_optimizer:
        type: select                  # or `text`: both are strings on the wire; or `number`
        options: ["false", "true"]
        default: "false"
        required: false
        description: One sentence.
      duration: {type: number, default: 5, min: 3, max: 15, step: 1, description: …}
    references:                       # left out where the model takes none
      field: referenceMediaItems      # the body field that they fill
      uploads: true                   # whether local files can be uploaded
      min_files: 0
      max_files: 2
      kinds:
        image: {max_size: 10 MB, mime_types: [image/png], duration_token: false}
      combinations: [{image: 2}]      # left out where only `max_files` counts
      rule: One sentence for messages.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, get_args

from orchestrator.catalog.nodes import FIELD_NAME, Node, parse
from orchestrator.catalog.reference_rules import read_rules
from orchestrator.catalog.spec import Catalog, Model, Param, ParamType
from orchestrator.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable

    from orchestrator.catalog.spec import ReferenceRules
    from orchestrator.jobs import Value

#: The facts of a table, in its order.
MODEL_FIELDS = (
    "provider",
    "model",
    "title",
    "source",
    "read",
    "price",
    "unit",
    "billing",
    "prompt_limit",
    "params",
    "references",
)
_MODEL_REQUIRED = ("provider", "model", "title", "source", "read", "unit")
_PARAM_FIELDS = ("type", "required", "default", "options", "min", "max", "step", "description")

#: Which facts each type of parameter has beside those that all have.
_FACTS_OF_TYPE: Mapping[str, frozenset[str]] = {
    "select": frozenset({"options"}),
    "number": frozenset({"min", "max", "step"}),
    "text": frozenset(),
}

#: What every price is in.
UNIT = "credits"

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@cache
def shipped() -> Catalog:
    """The catalogue of all tables that come with the program."""
    folder = resources.files("orchestrator.catalog") / "tables"
    return collect(read_table(file.read_text("utf-8"), file.name) for file in _tables_in(folder))


def shipped_text(name: str) -> str:
    """The file of a shipped table, by `provider/model`. Raises KeyError where none is shipped."""
    folder = resources.files("orchestrator.catalog") / "tables"
    for file in _tables_in(folder):
        text = file.read_text("utf-8")
        if read_table(text, file.name).name == name:
            return text
    raise KeyError(name)


def collect(models: Iterable[Model]) -> Catalog:
    """A catalogue of `models`, by name. Raises CatalogError where two tables name one model."""
    by_name: dict[str, Model] = {}
    for model in sorted(models, key=lambda model: model.name):
        if model.name in by_name:
            raise CatalogError(f"Two tables describe {model.name}. Remove one.")
        by_name[model.name] = model
    return Catalog(by_name)


def read_table(text: str, file: str) -> Model:
    """The model that a table describes; `file` is what messages call it.

    Raises CatalogError with file, line and field for the first thing that is wrong.
    """
    root = parse(text, file)
    fields = root.fields(MODEL_FIELDS, _MODEL_REQUIRED)
    references = read_rules(fields["references"]) if "references" in fields else None
    params = _params(fields["params"], references) if "params" in fields else ()
    return Model(
        provider=fields["provider"].matching(_SLUG, "a lower-case name"),
        model=fields["model"].matching(_MODEL_ID, "a model id"),
        title=fields["title"].text(),
        source=fields["source"].text(),
        read=_read_date(fields["read"]),
        price=_price(fields.get("price")),
        unit=_unit(fields["unit"]),
        billing=fields["billing"].text() if "billing" in fields else None,
        prompt_limit=fields["prompt_limit"].count(least=1) if "prompt_limit" in fields else None,
        params=params,
        references=references,
    )


def _tables_in(folder: Traversable) -> Iterable[Traversable]:
    """Table files lie one folder deep, a folder a provider."""
    for provider in folder.iterdir():
        if provider.is_dir():
            yield from (file for file in provider.iterdir() if file.name.endswith(".yaml"))


def _read_date(node: Node) -> str:
    """An ISO date, or a month where no day is known."""
    text = node.text()
    day = text if _DAY.fullmatch(text) else f"{text}-01"
    try:
        date.fromisoformat(day)
    except ValueError:
        node.fail(f"must be a date such as 2026-05-11, not `{text}`.")
    return text


def _price(node: Node | None) -> float | None:
    if node is None:
        return None
    price = node.number()
    if price < 0:
        node.fail("must not be negative. Leave it out where the price is not known.")
    if not price:
        node.fail(
            "must not be 0, which would count every video as free. Leave it out where the price is "
            "not known; what costs you nothing is stated under `prices` in the manifest."
        )
    return price


def _unit(node: Node) -> str:
    """What prices count: credits alone, since budgets and sums are in them."""
    unit = node.text()
    if unit != UNIT:
        node.fail(f"must be `{UNIT}`, which budgets and sums are in, not `{unit}`.")
    return unit


def _params(node: Node, references: ReferenceRules | None) -> tuple[Param, ...]:
    entries = node.entries()
    if references is not None and references.field in entries:
        entries[references.field].fail("is filled by references; it is no parameter.", at_key=True)
    return tuple(_param(key, entry) for key, entry in entries.items())


def _param(key: str, node: Node) -> Param:
    if not FIELD_NAME.fullmatch(key):
        node.fail("is no name of a parameter: letters, digits, `_` and `-`.", at_key=True)
    fields = node.fields(_PARAM_FIELDS, ("type", "description"))
    type_ = _param_type(fields["type"])
    for fact in ("options", "min", "max", "step"):
        if fact in fields and fact not in _FACTS_OF_TYPE[type_]:
            fields[fact].fail(f"does not belong to a `{type_}` parameter.", at_key=True)
    low, high = _bounds(fields)
    return Param(
        key=key,
        type=type_,
        required=fields["required"].boolean() if "required" in fields else False,
        default=_default(type_, fields),
        options=_options(node, fields) if type_ == "select" else None,
        min=low,
        max=high,
        step=_step(fields.get("step")),
        description=fields["description"].text(),
    )


def _param_type(node: Node) -> ParamType:
    known: tuple[ParamType, ...] = get_args(ParamType)
    for type_ in known:
        if node.value == type_:
            return type_
    return node.fail("must be `select`, `number` or `text`.")


def _options(node: Node, fields: Mapping[str, Node]) -> tuple[str, ...]:
    if "options" not in fields:
        node.fail("lacks `options`, which a `select` parameter has. Add them.")
    options = tuple(item.text() for item in fields["options"].items())
    if not options or len(set(options)) < len(options):
        fields["options"].fail("must be a list of different values.")
    return options


def _bounds(fields: Mapping[str, Node]) -> tuple[float | None, float | None]:
    low = fields["min"].number() if "min" in fields else None
    high = fields["max"].number() if "max" in fields else None
    if low is not None and high is not None and low > high:
        fields["min"].fail(f"must not exceed `max`, which is {high}.")
    return low, high


def _step(node: Node | None) -> float | None:
    if node is None:
        return None
    step = node.number()
    if step <= 0:
        node.fail("must be greater than 0.")
    return step


def _default(type_: ParamType, fields: Mapping[str, Node]) -> Value | None:
    node = fields.get("default")
    if node is None:
        return None
    if type_ == "number":
        number = node.number()
        low, high = _bounds(fields)
        if (low is not None and number < low) or (high is not None and number > high):
            node.fail("must lie between `min` and `max`.")
        return number
    text = node.text()
    if type_ == "select" and "options" in fields and text not in _options(node, fields):
        node.fail(f"must be one of the options, not `{text}`.")
    return text
