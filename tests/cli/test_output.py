from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.output import (
    Column,
    amount_or_unknown,
    near,
    plain_numbers,
    print_json,
    print_table,
    printable,
    say_entry,
    say_prose,
    shows_colour,
    some,
    table_lines,
    tell,
)
from tests.ledger.material import inline, write

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


MODELS = (Column("MODEL"), Column("EACH", right=True), Column("PRICE"))
PRICES = [
    ("rivya/happyhorse-1-0", "28", "estimated by the table of its provider"),
    ("rivya/sora-2-pro", "1,075", "exact"),
]


def test_a_table_that_does_not_fit_folds_its_last_cells() -> None:
    assert table_lines(MODELS, PRICES, 56) == [
        "MODEL                  EACH  PRICE",
        "rivya/happyhorse-1-0     28  estimated by the table of",
        "                             its provider",
        "rivya/sora-2-pro      1,075  exact",
    ]
    assert table_lines(MODELS, PRICES, 67) == table_lines(MODELS, PRICES)


def test_a_table_that_cannot_be_folded_gives_each_row_lines_of_its_own() -> None:
    assert table_lines(MODELS, PRICES, 40) == [
        "MODEL",
        "rivya/happyhorse-1-0",
        "  EACH   28",
        "  PRICE  estimated by the table of its",
        "         provider",
        "rivya/sora-2-pro",
        "  EACH   1,075",
        "  PRICE  exact",
    ]
    numbers = (Column("PROVIDER"), Column("ESTIMATED", right=True))
    assert table_lines(numbers, [("rivya", "9")], 15) == ["PROVIDER", "rivya", "  ESTIMATED  9"]


@given(
    st.lists(st.tuples(*[st.text("ab 1é-", max_size=24)] * 3), max_size=4),
    st.integers(40, 200),
)
def test_a_table_on_a_terminal_is_never_wider_where_its_words_are_not(
    rows: list[tuple[str, str, str]], room: int
) -> None:
    lines = table_lines(MODELS, rows, room)
    assert max(map(len, lines)) <= room
    words = [word for row in rows for cell in row for word in cell.split()]
    assert sorted(" ".join(lines).split()) == sorted(
        [*words, *_titles(len(rows), stacked=lines[0] == "MODEL")]
    )


def _titles(rows: int, *, stacked: bool) -> list[str]:
    return ["MODEL", *["EACH", "PRICE"] * (rows if stacked else 1)]


def test_long_entries_are_folded_under_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    say_entry("time", "word " * 30)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert len(first) <= 80
    assert first.startswith("time    word")
    assert second.startswith("        word")


def test_whole_numbers_are_written_as_such_wherever_they_stand() -> None:
    document = {"a": 246.0, "b": [{"c": (0.9, -3.0)}], "d": None, "e": True, "f": "1.0"}
    assert json.dumps(plain_numbers(document)) == (
        '{"a": 246, "b": [{"c": [0.9, -3]}], "d": null, "e": true, "f": "1.0"}'
    )


def test_a_path_is_shown_as_somebody_who_stands_here_would_write_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "films" / ".env") == Path("films/.env")
    assert near(Path("/elsewhere/.env")) == Path("/elsewhere/.env")


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


def on_a_terminal(*arguments: str, columns: int = 80, **environment: str) -> str:
    """What the program prints on a terminal."""
    outer, inner = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        stdin=inner,
        stdout=inner,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
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
    coloured = on_a_terminal("models", "list")
    assert "\x1b[1m" in coloured
    assert "rivya/hailuo-pro" in coloured
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal("models", "list", **environment)


@pytest.mark.parametrize("columns", [40, 80])
def test_what_is_shown_fits_a_terminal(columns: int) -> None:
    for arguments in (("models", "list"), ("models", "show", "happyhorse-1-0")):
        shown = on_a_terminal(*arguments, columns=columns, NO_COLOR="1")
        assert max(map(len, shown.splitlines())) <= columns


WORDS = "the provider answered with very many words of its own " * 4


def test_prose_is_folded_between_its_words_on_a_terminal_and_commands_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    say_prose(WORDS)
    tell(WORDS, "warning", "spring.yaml:7:3: ")
    tell(f"  orchestrator resolve {WORDS}")
    prose = sys.stdout.getvalue().splitlines()
    *warning, command = sys.stderr.getvalue().splitlines()
    assert max(map(len, [*prose, *warning])) <= 60
    assert " ".join(prose) == WORDS.strip()
    assert " ".join(warning) == f"spring.yaml:7:3: warning: {WORDS.strip()}"
    assert command == f"  orchestrator resolve {WORDS}"


def test_prose_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say_prose(WORDS)
    tell(WORDS, "note")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (f"{WORDS}\n", f"note: {WORDS}\n")


def test_resolve_breaks_no_word_at_the_edge_of_a_terminal(run_folder: Path) -> None:
    with inline(run_folder) as ledger:
        (row,) = [row.row for row in ledger.rows() if row.key == "unknown"]
        write(ledger, row, "reply", error_message=WORDS)
    shown = on_a_terminal("resolve", str(run_folder), NO_COLOR="1").splitlines()
    assert any("very many words" in line for line in shown)
    told = [line for line in shown if "orchestrator" not in line]
    assert max(map(len, told)) <= 80
    assert " ".join(WORDS.split()) in " ".join(told)
