"""`orchestrator doctor`: whether everything is there that a run needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from orchestrator.cli import catalogue, options

if TYPE_CHECKING:
    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli.checkup import Check, Found

#: How a line is marked, by whether somebody should do something.
_MARKS = {False: "ok", True: "problem"}


@click.command("doctor")
@click.argument("manifest", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--offline", is_flag=True, help="Leave out whether the providers can be reached.")
@catalogue.option
def doctor(manifest: Path | None, offline: bool) -> None:
    r"""Check keys, clock, disk and reachability.

    \b
    Examples:
      orchestrator doctor
      orchestrator doctor manifest.yaml
      orchestrator doctor --offline

    With MANIFEST, every provider that it uses needs a key, and the `.env` beside it counts;
    without, one key is enough, and the `.env` here counts. Of a key only its source and last four
    characters are shown. Where a provider lists its models, their tables are compared with the
    list, as `models check` does. Exits 1 where something needs you.
    """
    checks = anyio.run(_examine, manifest, offline)
    _print(checks)
    raise SystemExit(1 if any(check.finding for check in checks) else 0)


async def _examine(manifest: Path | None, offline: bool) -> list[Check]:
    from orchestrator.catalog.spec import Catalog
    from orchestrator.cli import checkup
    from orchestrator.cli.access import read_dotenv
    from orchestrator.cli.editor_schema import SCHEMA_FILE
    from orchestrator.cli.wiring import tell_ignored
    from orchestrator.manifest.check import load

    catalog = catalogue.catalog_for(Path() if manifest is None else manifest.parent)
    if manifest is None:
        folder = disk = Path.cwd()
        ledger = []
        names, used = list(catalog.providers()), catalog
        schemas = checkup.lying_schema(Path("schemas") / SCHEMA_FILE, catalog)
    else:
        loaded = load(manifest, catalog)
        folder, disk = loaded.path.parent, loaded.runs
        names = sorted({job.provider for job in loaded.jobs})
        wanted = {f"{job.provider}/{job.model}" for job in loaded.jobs}
        used = Catalog({name: catalog.models[name] for name in sorted(wanted)})
        schemas = checkup.named_schema(manifest, catalog)
        typed = options.typed(manifest, None, sandbox=False)
        ledger = checkup.ledger(options.run_folder(loaded, run_dir=None, sandbox=False), typed)
    dotenv = read_dotenv(folder)
    tell_ignored(dotenv, names)
    found = [checkup.look_for_key(name, dotenv) for name in names]
    needed = manifest is not None or not any(one.key for one in found)
    keys = [checkup.key_check(one, needed=needed) for one in found]
    reached = await _reach_all(found, used, offline=offline)
    if not any(check.name == checkup.CLOCK for check in reached):
        reached.append(checkup.clock_unchecked(offline=offline))
    return [*checkup.machine(disk), *ledger, *schemas, *keys, *reached]


async def _reach_all(found: list[Found], catalog: Catalog, *, offline: bool) -> list[Check]:
    """Reach all providers at once, unless `offline`; their checks stand in the order of `found`.

    `catalog` holds the models whose tables are compared with the providers' lists.
    """
    from orchestrator.cli import checkup

    checks: dict[str, list[Check]] = {}

    async def reach(one: Found) -> None:
        reached = [] if offline else await checkup.reach(one)
        answers = not offline and not any(check.finding for check in reached)
        checks[one.provider.name] = reached + await checkup.listed(one, catalog, answers=answers)

    async with anyio.create_task_group() as tasks:
        for one in found:
            tasks.start_soon(reach, one)
    return [check for one in found for check in checks[one.provider.name]]


def _print(checks: list[Check]) -> None:
    from orchestrator.cli.output import Column, print_table

    columns = (Column("CHECK"), Column("RESULT"), Column("FOUND"))
    print_table(columns, [(check.name, _MARKS[check.finding], check.text) for check in checks])
