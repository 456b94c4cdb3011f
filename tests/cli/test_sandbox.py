from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from orchestrator.sandbox.actions import ACTIONS, PLACES, yes
from orchestrator.sandbox.faults_file import _RULE_FIELDS, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_its_urls_serves_and_ends_well_at_a_signal(received: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "sandbox"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        assert urls.keys() == {"rivya", "acedatacloud"}
        with urlopen(f"{urls['rivya']}/api/v1/models", timeout=10) as reply:
            assert reply.status == 200
        process.send_signal(received)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert f"export RIVYA_BASE_URL={urls['rivya']} RIVYA_API_KEY=" in err
    assert "Traceback" not in err


def test_a_wrong_faults_file_is_a_usage_error(
    orchestrate: Callable[..., Outcome], tmp_path: Path
) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {on: create, do: explode}\n")
    outcome = orchestrate("sandbox", "--faults", faults)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no action is called 'explode'" in outcome.err


def test_the_help_names_all_that_may_stand_in_a_faults_file(
    orchestrate: Callable[..., Outcome],
) -> None:
    words = set(re.findall(r"\w+", orchestrate("sandbox", "--help").out))
    assert words >= {*ACTIONS, *PLACES, *_RULE_FIELDS, "balance", "limits", "pace", "faults"}


def test_the_help_shows_each_word_that_takes_a_value_with_one(
    orchestrate: Callable[..., Outcome],
) -> None:
    text = orchestrate("sandbox", "--help").out
    shown = re.findall(r"^ +\{(\w+): (.+)\}  ", text, re.MULTILINE)
    assert {word for word, _ in shown} == {
        word for word, action in ACTIONS.items() if action.argument is not yes
    }
    for word, value in shown:
        (on, *_) = ACTIONS[word].places
        parse(f"- {{on: {on}, do: {{{word}: {value}}}}}")


def test_the_example_in_the_help_is_a_faults_file(orchestrate: Callable[..., Outcome]) -> None:
    text = orchestrate("sandbox", "--help").out
    example = text.partition("what goes wrong:\n\n")[2].partition("\n\n")[0]
    read = parse(example)
    assert (read.pace, read.balance, len(read.rules)) == (0, {"rivya": 500}, 3)
