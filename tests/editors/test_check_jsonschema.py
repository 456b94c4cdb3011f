"""check-jsonschema, which many projects run before each commit, agrees with `validate`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.editors.examples import INVALID, PROGRAMS, SCHEMA, VALID, unseen

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = PROGRAMS / "python"
#: It ends with a traceback on these, which is no less an objection, but ends its other work too.
FALLS_OVER = {"yaml-recursive-alias", "yaml-tag-does-not-fit"}

pytestmark = pytest.mark.skipif(
    not (PACKAGES / "check_jsonschema").exists(),
    reason="check-jsonschema is not installed; `make test` installs it",
)


def checked(paths: list[Path]) -> subprocess.CompletedProcess[str]:
    options = ["--schemafile", str(SCHEMA), "--output-format", "json"]
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *options, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_valid_manifest_passes() -> None:
    done = checked(VALID)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ok"), done.stdout


def test_every_invalid_manifest_that_a_schema_can_judge_is_refused() -> None:
    several = [path for path in INVALID if path.stem not in FALLS_OVER]
    done = checked(several)
    found = json.loads(done.stdout)
    refused = {one["filename"] for one in (*found["errors"], *found["parse_errors"])}
    passed = {path.stem for path in several if str(path) not in refused}
    assert done.returncode == 1
    assert passed == unseen("check-jsonschema")


def test_it_does_not_pass_what_it_falls_over() -> None:
    for path in INVALID:
        if path.stem in FALLS_OVER:
            done = checked([path])
            assert (done.returncode, done.stdout) == (1, "")
