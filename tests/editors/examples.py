"""The manifests that `validate` takes and refuses, and the programs that are to agree with it."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
SCHEMA = PROJECT / "schemas" / "manifest.schema.json"
EXAMPLES = sorted((PROJECT / "manifests").glob("*.yaml"))
#: Those of `validate` itself, and those about what a schema may overlook or refuse too early.
CASES = [PROJECT / "tests" / folder / "cases" for folder in ("manifest", "editors")]
VALID = [*EXAMPLES, *(path for cases in CASES for path in sorted(cases.glob("valid/*.yaml")))]
INVALID = [path for cases in CASES for path in sorted(cases.glob("invalid/*.yaml"))]

#: Where `make test` puts those programs.
PROGRAMS = Path(sys.prefix) / "editors"


def unseen(program: str) -> set[str]:
    """The invalid manifests in which a program finds nothing, each listed with its reason."""
    listed = yaml.safe_load(Path(__file__).with_name("disagreements.yaml").read_text("utf-8"))
    of_both: dict[str, list[str]] = listed["both"]
    reasons = {**of_both, **listed.get(program, {})}
    return {name for names in reasons.values() for name in names}
