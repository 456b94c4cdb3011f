from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.output import (
    Column,
    amount_or_unknown,
    print_json,
    print_table,
    printable,
    say_entry,
    shows_colour,
    some,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_json_is_utf_8_with_lone_surrogates_as_escapes(capfdbinary: pytest.CaptureFixture) -> None:
    print_json({"text": "größe \ud83c"})
    printed = capfdbinary.readouterr().out
    assert "größe".encode() in printed
    assert json.loads(printed) == {"text": "größe \ud83c"}


def test_text_loses_what_a_terminal_would_act_on() -> None:
    assert printable("a\x1b[2Jb\r\u202ec\ud800d\ne é") == "a�[2Jb��c�d\ne é"


def test_a_table_off_a_terminal_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (Column("NAME"), Column("JOBS", right=True), Column("NOTE"))
    print_table(columns, [("a", "1", "x"), ("longer\nname", "1,000", "")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME          JOBS  NOTE",
        "a                1  x",
        "longer name  1,000",
    ]


def test_long_entries_are_folded_under_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    say_entry("time", "word " * 30)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert len(first) <= 80
    assert first.startswith("time    word")
    assert second.startswith("        word")


def test_notes_and_warnings_go_to_stderr_without_colour_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell("look here", "warning", "m.yaml:1:2: ")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "m.yaml:1:2: warning: look here\n")


def test_few_names_are_all_said_and_many_are_counted() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some([*"abcde"]) == "a, b, c and 2 more"


def test_an_unknown_amount_is_never_0() -> None:
    assert (amount_or_unknown(None), amount_or_unknown(0), amount_or_unknown(1234.5)) == (
        "unknown",
        "0",
        "1,234.5",
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], expected: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shows_colour(Terminal()) is expected
    assert not shows_colour(io.StringIO())


def on_a_terminal(environment: Mapping[str, str]) -> str:
    """What `models list` prints on a terminal of 80 columns."""
    outer, inner = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "models", "list"],
        stdin=inner,
        stdout=inner,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    ) as process:
        os.close(inner)
        printed = b""
        try:
            while chunk := os.read(outer, 65536):
                printed += chunk
        except OSError:
            pass  # the end of a terminal
        process.wait(30)
    os.close(outer)
    return printed.decode()


def test_a_terminal_gets_colour_unless_it_is_told_not_to() -> None:
    coloured = on_a_terminal({})
    assert "\x1b[1m" in coloured
    assert "rivya/hailuo-pro" in coloured
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal(environment)
