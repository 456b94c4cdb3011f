"""`orchestrator models`: the parameter tables, for people and as data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import catalogue, options
from orchestrator.cli.check_models import check_models
from orchestrator.cli.import_page import import_page
from orchestrator.errors import UsageError, WrongTables

if TYPE_CHECKING:
    from orchestrator.catalog.importing import Draft
    from orchestrator.catalog.spec import Catalog, Model, Param

#: Facts of a parameter, in the order of the JSON document.
_PARAM_FACTS = ("key", "type", "required", "default", "options", "min", "max", "step")


@click.group("models")
def models() -> None:
    r"""Show what is known about the models.

    \b
    Examples:
      orchestrator models list
      orchestrator models show sora-2-pro
      orchestrator models schema rivya/hailuo-pro
      orchestrator models import sora-3.txt --out models/sora-3.yaml
      orchestrator models check

    Own tables count too: those of --models, of $ORCHESTRATOR_MODELS, or of models/ where you are.
    """


models.add_command(import_page)
models.add_command(check_models)


@models.command("list")
@catalogue.option
@options.json
def list_models(as_json: bool) -> None:
    r"""List all models with price and limits.

    \b
    Examples:
      orchestrator models list
      orchestrator models list --json
    """
    from orchestrator.cli.output import (
        SCHEMA_VERSION,
        Column,
        print_json,
        print_table,
    )

    found = list(catalogue.catalog_for(Path()).models.values())
    if as_json:
        documents = [model_document(model) for model in found]
        print_json({"schema_version": SCHEMA_VERSION, "models": documents})
        return
    columns = (
        Column("MODEL"),
        Column("PRICE", right=True),
        Column("PROMPT", right=True),
        Column("REFERENCES"),
    )
    rows = [
        (
            model.name,
            "unknown" if model.price is None else f"{model.price:g} {model.unit}",
            "unknown" if model.prompt_limit is None else f"{model.prompt_limit:,}",
            _kinds(model),
        )
        for model in found
    ]
    print_table(columns, rows)


@models.command("show")
@click.argument("model")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the table's file, to copy and edit.")
@catalogue.option
@options.json
def show(model: str, as_yaml: bool, as_json: bool) -> None:
    r"""Show one model's price, parameters and references.

    \b
    Examples:
      orchestrator models show sora-2-pro
      orchestrator models show rivya/hailuo-pro --json
      orchestrator models show hailuo-pro --yaml > models/hailuo-pro.yaml

    MODEL is the model's id, with PROVIDER/ before it where several providers have it.
    """
    if as_yaml and as_json:
        raise UsageError("--yaml and --json exclude each other: leave one of them out.")
    from orchestrator.cli.output import SCHEMA_VERSION, print_json, write_text

    if as_yaml:
        write_text(_table_text(model))
        return
    found = find_model(catalogue.catalog_for(Path()), model)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **model_document(found)})
    else:
        _print_model(found)


@models.command("schema")
@click.argument("model")
@catalogue.option
def schema(model: str) -> None:
    r"""Print the JSON Schema of one model's parameters.

    \b
    Examples:
      orchestrator models schema happyhorse-1-0
    """
    from orchestrator.catalog.schema import model_schema
    from orchestrator.cli.output import print_json

    print_json(model_schema(find_model(catalogue.catalog_for(Path()), model)))


def _table_text(model: str) -> str:
    """The file of the table of the model that is so called: the user's own where there is one."""
    from orchestrator.catalog.tables import shipped, shipped_text

    try:
        catalog = catalogue.catalog_for(Path())
    except WrongTables:
        # The shell that sends this into a new table has made an empty one of it already.
        catalog = shipped()
    name = find_model(catalog, model).name
    own = catalogue.own_files(Path()).get(name)
    return shipped_text(name) if own is None else own.read_text("utf-8-sig")


def find_model(catalog: Catalog, name: str) -> Model:
    """The model that `MODEL` or `PROVIDER/MODEL` names.

    Raises UsageError where it names none, or several.
    """
    from orchestrator.catalog.suggest import nearest

    found = catalog.candidates(name)
    if len(found) == 1:
        return found[0]
    if found:
        known = ", ".join(model.name for model in found)
        raise UsageError(f"several providers have {name}: say {known}.")
    ids = [*catalog.models, *(model.model for model in catalog.models.values())]
    guess = nearest(name, ids)
    meant = f" Did you mean {guess}?" if guess else " `orchestrator models list` shows all."
    raise UsageError(f"no model is called {name}.{meant}")


def model_document(model: Model | Draft) -> dict[str, Any]:
    """What `models show --json` prints of one model; facts that are not known are null."""
    return {
        "model": model.model,
        "provider": model.provider,
        "title": model.title,
        "source": model.source,
        "read": model.read,
        "price": model.price,
        "unit": model.unit,
        "billing": model.billing,
        "prompt_limit": model.prompt_limit,
        "params": [
            {fact: getattr(param, fact) for fact in _PARAM_FACTS}
            | {"description": param.description}
            for param in model.params
        ],
        "references": None if model.references is None else asdict(model.references),
        "doubts": [],
    }


def _kinds(model: Model) -> str:
    rules = model.references
    if rules is None:
        return "none"
    return f"{', '.join(kind.kind for kind in rules.kinds)}, at most {rules.max_files}"


def _print_model(model: Model) -> None:
    from orchestrator.catalog.prices import described_price
    from orchestrator.cli.output import say, say_entry

    say(f"{model.title} ({model.name})")
    say()
    say_entry("price", described_price(model))
    limit = model.prompt_limit
    say_entry("prompt", "limit unknown" if limit is None else f"at most {limit:,} characters")
    rules = model.references
    say_entry("files", "takes no references" if rules is None else rules.rule)
    say_entry("source", f"{model.source}, read {model.read}")
    if model.params:
        say()
        _print_params(model)


def _print_params(model: Model) -> None:
    from orchestrator.cli.output import Column, print_table

    columns = (Column("PARAMETER"), Column("TYPE"), Column("DEFAULT"), Column("VALUES"))
    rows = [(param.key, param.type, _default(param), _values(param)) for param in model.params]
    print_table(columns, rows)


def _default(param: Param) -> str:
    if param.key == "seed":
        # What the table states would make the same video of every take.
        return "each job's own"
    if param.default is None:
        return "required" if param.required else "not sent"
    return str(param.default)


def _values(param: Param) -> str:
    if param.options is not None:
        return ", ".join(param.options)
    if param.type == "text":
        return "any text"
    low = "" if param.min is None else f"from {param.min:,} "
    high = "" if param.max is None else f"to {param.max:,}"
    step = "" if param.step is None else f" in steps of {param.step:g}"
    return f"{low}{high}{step}".strip() or "any number"
