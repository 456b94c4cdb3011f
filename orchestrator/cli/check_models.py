"""`orchestrator models check`: the tables against the providers' own lists of their models."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from orchestrator.cli import catalogue, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.catalog.comparing import Compared, Difference, Fact
    from orchestrator.catalog.listing import Listed
    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli.wiring import Keys
    from orchestrator.providers.base import Provider

#: How facts are named to people.
_WORDS = {
    "price": "price",
    "billing": "billing",
    "prompt_limit": "prompt limit",
    "availability": "availability",
    "modes": "modes",
    "references": "references",
    "listed": "listed",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One provider's tables against its list."""

    provider: str
    #: Where the list was asked for.
    origin: str
    asked: datetime
    models: tuple[Compared, ...]
    #: Models of the list that have no table.
    new: tuple[Listed, ...]

    @property
    def findings(self) -> int:
        """How many tables differ from the list, or describe a model that is not there."""
        return sum(one.found in ("differs", "gone") for one in self.models)


@click.command("check")
@catalogue.option
@options.json
def check_models(as_json: bool) -> None:
    r"""Compare the tables with what the providers list now.

    \b
    Examples:
      orchestrator models check
      orchestrator models check --json

    Asks Rivya for its list of models, by one free request, with your key where there is one;
    AceDataCloud has no list. Exits 1 where price, billing, prompt limit, availability, modes or
    kinds of references differ, or a model is gone. Models without a table are listed, and are no
    difference. What the list does not tell, or not in a way that can be read, is said. The list is
    kept, so that `validate`, `plan` and `run` warn of models that are gone without asking.
    """
    checked, without = anyio.run(_check)
    if as_json:
        _print_document(checked, without)
    else:
        _print(checked, without)
    raise SystemExit(1 if any(one.findings for one in checked) else 0)


async def _check() -> tuple[list[Checked], list[str]]:
    """What was compared, and the providers that have no list."""
    from orchestrator.cli.access import read_dotenv
    from orchestrator.cli.wiring import Keys, tell_ignored
    from orchestrator.providers.registry import provider as find_provider

    catalog = catalogue.catalog_for(Path())
    providers = [find_provider(name) for name in catalog.providers()]
    listing = [one for one in providers if one.models() is not None]
    dotenv = read_dotenv(Path())
    tell_ignored(dotenv, [one.name for one in listing])
    checked = [await _compared(one, Keys(dotenv), catalog) for one in listing]
    return checked, [one.name for one in providers if one.models() is None]


async def _compared(provider: Provider, keys: Keys, catalog: Catalog) -> Checked:
    from orchestrator.catalog.comparing import compare, without_table
    from orchestrator.cli.model_lists import ask_for_models, remember, whereabouts

    key = keys.usable(provider.name)
    origin = whereabouts(provider, key)
    listing = await ask_for_models(provider, origin, key)
    remember(provider, origin, listing)
    return Checked(
        provider.name,
        origin.text,
        datetime.now(UTC),
        compare(catalog, provider.name, listing),
        without_table(catalog, provider.name, listing),
    )


def _print_document(checked: Sequence[Checked], without: Sequence[str]) -> None:
    from orchestrator.cli.output import SCHEMA_VERSION, plain_numbers, print_json

    document = {
        "schema_version": SCHEMA_VERSION,
        "differs": any(one.findings for one in checked),
        "asked": [
            {
                "provider": one.provider,
                "origin": one.origin,
                "at": one.asked.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
            for one in checked
        ],
        "models": [_model_document(one) for provider in checked for one in provider.models],
        "without_table": [
            {"model": f"{one.provider}/{listed.model}", "availability": listed.availability}
            for one in checked
            for listed in one.new
        ],
        "without_list": list(without),
    }
    print_json(plain_numbers(document))


def _model_document(one: Compared) -> dict[str, Any]:
    return {
        "model": one.model,
        "found": one.found,
        "differences": [
            {"field": difference.fact, "table": difference.table, "listed": difference.listed}
            for difference in one.differences
        ],
        "unread": [{"field": fact, "reason": reason} for fact, reason in one.unread.items()],
    }


def _print(checked: Sequence[Checked], without: Sequence[str]) -> None:
    from orchestrator.cli.output import Column, print_table, tell
    from orchestrator.report.figures import counted

    rows = [row for one in checked for row in _rows(one)]
    if rows:
        print_table((Column("MODEL"), Column("RESULT"), Column("FOUND")), rows)
    for one in checked:
        tables = counted(len(one.models), "table")
        found = f"{one.findings} differ" if one.findings else "none differs"
        tell(f"{tables} compared with {one.provider}'s list: {found}.")
    for name in without:
        tell(f"{name} has no list of its models: its tables are not checked.", "note")
    _advise([one.model for part in checked for one in part.models if one.found == "differs"])


def _advise(models: Sequence[str]) -> None:
    """Say how tables are put right: a model that is gone needs none."""
    from orchestrator.cli.output import tell

    own, folder = catalogue.own_files(Path()), catalogue.folder_for(Path()) or Path("models")
    for name in models:
        if name in own:
            tell(f"To put {name} right, edit {own[name]}.")
    shipped = [name for name in models if name not in own]
    if shipped:
        tell(f"To put {', '.join(shipped)} right, edit a table of your own in {folder}/:")
    for name in shipped:
        file = shlex.quote(str(folder / f"{name.partition('/')[2]}.yaml"))
        tell(f"  orchestrator models show {name} --yaml > {file}")


def _rows(checked: Checked) -> Iterator[tuple[str, str, str]]:
    for one in checked.models:
        name = one.model
        for result, text in _findings(one):
            yield name, result, text
            name = ""
    for listed in checked.new:
        word = "" if listed.availability is None else f", {listed.availability}"
        yield f"{checked.provider}/{listed.model}", "new", f"listed without a table here{word}"


def _findings(one: Compared) -> Iterator[tuple[str, str]]:
    """What was found of one model, a line each."""
    for difference in one.differences:
        yield "differs", told(difference)
    reasons: dict[str, list[str]] = {}
    for fact, reason in one.unread.items():
        reasons.setdefault(reason, []).append(_WORDS[fact])
    for reason, facts in reasons.items():
        yield "not read", f"{', '.join(facts)}: {reason}"
    if one.found == "gone":
        yield "gone", "the list does not have it"
    elif one.found == "same":
        yield "same", ""


def told(difference: Difference) -> str:
    """A difference in words, such as `price: 60 now, 57 in the table`."""
    name = _WORDS[difference.fact]
    return f"{name}: {_value(difference.listed)} now, {_value(difference.table)} in the table"


def _value(value: Fact) -> str:
    from orchestrator.plan.cost import amount

    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return value if isinstance(value, str) else amount(value)
