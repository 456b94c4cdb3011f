"""One manifest read in a process of its own.

`python -m benchmarks.loading_one WAY MANIFEST` prints one JSON object. `validate` is the whole
command, its processor time from the start of Python on. `load` reads and checks for a run, `yaml`
is a bare `yaml.load`; both without the start of Python, and without the models' tables.
"""

from __future__ import annotations

import io
import json
import sys
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import yaml

from benchmarks.memory import peak


def validate(path: Path) -> float:
    """Seconds of processor time of `orchestrator validate`, all in all."""
    from orchestrator.__main__ import main

    sys.argv = ["orchestrator", "validate", str(path)]
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told), suppress(SystemExit):
        main()
    assert told.getvalue().startswith("1 manifest valid"), told.getvalue()
    return time.process_time()


def load(path: Path) -> float:
    """Seconds of processor time of reading and checking, as `run` does it."""
    from orchestrator.catalog.tables import shipped
    from orchestrator.manifest import check

    catalog = shipped()
    began = time.process_time()
    check.load(path, catalog)
    return time.process_time() - began


def bare_yaml(path: Path) -> float:
    """Seconds of processor time of `yaml.load`."""
    began = time.process_time()
    yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    return time.process_time() - began


WAYS = {"validate": validate, "load": load, "yaml": bare_yaml}

if __name__ == "__main__":
    seconds = WAYS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"seconds": seconds, "peak": peak() / 2**20}))
