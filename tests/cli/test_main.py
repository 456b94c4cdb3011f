from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from orchestrator import __version__
from orchestrator.cli import COMMANDS, cli
from orchestrator.errors import CredentialsError, LedgerBusy, LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

#: What `--help` must not wait for.
HEAVY = ("aiohttp", "jsonschema", "rich", "yaml", "anyio", "sqlite3", "jinja2", "orjson", "asyncio")

STORY = [
    "init", "validate", "plan", "run", "status", "resolve", "rebuild", "report", "export", "verify",
    "models", "schemas", "sandbox", "doctor",
]  # fmt: skip


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=30,
    )


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "orchestrator", *map(str, arguments)]


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    found = python(
        f"import sys; sys.argv = ['orchestrator', {option!r}]\n"
        "from orchestrator.__main__ import main\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert found.stdout.endswith("[]\n"), found.stdout + found.stderr


def test_the_version_is_the_packages(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("--version")
    assert outcome.code == 0
    assert __version__ in outcome.out


def test_help_lists_the_commands_in_the_order_of_the_story(
    orchestrate: Callable[..., Outcome],
) -> None:
    listed = orchestrate("--help").out.partition("Commands:")[2].partition("Exit codes:")[0]
    assert re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE) == STORY


def test_help_names_every_exit_code(orchestrate: Callable[..., Outcome]) -> None:
    codes = orchestrate("--help").out.partition("Exit codes:")[2]
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130, 143):
        assert re.search(rf"\b{code}\b", codes), code


@pytest.mark.parametrize("name", [*STORY, "models list", "models show", "models schema"])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_commands_help_begins_with_examples(
    orchestrate: Callable[..., Outcome], name: str, option: str
) -> None:
    outcome = orchestrate(*name.split(), option)
    assert outcome.code == 0
    assert outcome.out.split("\n\n")[1].startswith("  Examples:\n    orchestrator ")
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize("name", STORY)
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.short_help == COMMANDS[name].summary


def test_an_unknown_command_is_a_usage_error_with_the_one_that_was_meant(
    orchestrate: Callable[..., Outcome],
) -> None:
    outcome = orchestrate("plna")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Did you mean `plan`?" in outcome.err


def test_an_unknown_option_is_a_usage_error(orchestrate: Callable[..., Outcome]) -> None:
    outcome = orchestrate("plan", "m.yaml", "--jsn")
    assert outcome.code == 2
    assert "--json" in outcome.err


class Ending:
    """Ends a call of the command line with an error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: object, **__: object) -> None:
        raise self.error


def caused(error: Exception, cause: Exception) -> Exception:
    """An error that another one led to."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("no such thing"), 2, "error: no such thing\n"),
        (CredentialsError("no key"), 6, "error: no key\n"),
        (LedgerBusy("process 7"), 7, "error: process 7\n"),
        (UsageError("bell\x07 \x1b[2J \u202eflip\nnext"), 2, "error: bell� �[2J �flip\nnext\n"),
        (ExceptionGroup("tasks", [ExceptionGroup("", [UsageError("inner")])]), 2, "error: inner\n"),
        (ExceptionGroup("", [UsageError("a"), LedgerBusy("b")]), 7, "error: b\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            7,
            (
                "error: a file, or where the output goes: No space left on device. What is saved"
                " stays saved. Make room, or check who may write there, then run the command"
                " again.\n"
            ),
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "films"),
            7,
            (
                "error: films: Permission denied. What is saved stays saved. Make room, or check"
                " who may write there, then run the command again.\n"
            ),
        ),
        (
            OSError(errno.EMFILE, "Too many open files", "x.py"),
            7,
            (
                "error: this process may not open more files (Too many open files). What is saved"
                " stays saved. Let it open more, for instance with `ulimit -n 4096`, then run the"
                " command again.\n"
            ),
        ),
        (
            caused(LedgerError("it cannot be opened."), OSError(errno.EMFILE, "Too many")),
            7,
            (
                "error: it cannot be opened.\nThis process may not open more files. Let it open"
                " more, for instance with `ulimit -n 4096`, then run the command again.\n"
            ),
        ),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("tasks", [KeyboardInterrupt()]), 130, ""),
        (SystemExit(4), 4, ""),
    ],
)
def test_each_error_has_its_exit_code_and_no_traceback(
    orchestrate: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    text: str,
) -> None:
    monkeypatch.setattr(cli, "invoke", Ending(error))
    outcome = orchestrate("doctor")
    assert outcome.code == code
    assert outcome.err.lstrip("\n") == text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("call", ["sandbox", "models list"])
def test_output_that_finds_no_room_is_no_defect(call: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            program(*call.split()), stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert ended.returncode == 7
    assert b"No space left on device" in ended.stderr
    assert b"defect" not in ended.stderr


@pytest.mark.parametrize("most", [8, 12, 13, 14])
def test_too_many_open_files_are_called_so_with_what_to_do(manifest: Path, most: int) -> None:
    command = f'ulimit -n {most} && exec "$@"'
    ended = subprocess.run(
        ["sh", "-c", command, "sh", *program("run", manifest, "--sandbox", "--limit", "0")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 7
    assert b"ulimit -n" in ended.stderr
    assert b"defect" not in ended.stderr


@pytest.mark.parametrize("wanted", ["1", ""])
def test_a_defect_is_named_and_its_traceback_is_only_for_those_who_ask(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setattr(cli, "invoke", Ending(ZeroDivisionError("by zero")))
    monkeypatch.setenv("ORCHESTRATOR_TRACEBACK", wanted)
    outcome = orchestrate("doctor")
    assert outcome.code == 1
    assert "this is a defect of the program: ZeroDivisionError: by zero" in outcome.err
    assert ("Traceback" in outcome.err) is bool(wanted)


@pytest.mark.parametrize("call", ["models list --json", "models list -h", "-h"])
def test_a_reader_that_goes_away_ends_the_program_quietly(call: str) -> None:
    with subprocess.Popen(
        program(*call.split()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


def test_streams_are_kept_apart_and_plain_in_a_pipe(manifest: Path) -> None:
    found = subprocess.run(program("plan", manifest, "--json"), capture_output=True, timeout=30)
    assert found.returncode == 0
    assert json.loads(found.stdout)["campaign"] == "spring"
    assert b"\x1b" not in found.stdout + found.stderr


def test_a_terminal_that_knows_few_characters_gets_codes_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text('version: 1\ncampaign: c\njobs: [{id: a, prompt: x, model: "größe 日本"}]\n')
    found = subprocess.run(
        program("validate", path),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        timeout=30,
    )
    assert found.returncode == 2
    assert "größe \\u65e5\\u672c".encode("latin-1") in found.stdout


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    code = (
        "import os, signal, sys\n"
        "from orchestrator import __main__, cli\n"
        "cli.cli.invoke = lambda context: os.kill(os.getpid(), signal.SIGINT) or input()\n"
        "sys.argv = ['orchestrator', 'doctor']\n"
        "__main__.main()"
    )
    found = python(code)
    assert found.returncode == 128 + signal.SIGINT
    assert "Traceback" not in found.stderr


def test_who_only_reads_a_ledger_waits_for_no_event_loop() -> None:
    code = (
        "import orchestrator.cli.status, orchestrator.ledger.sqlite.reading, sys\n"
        "print([name for name in ('asyncio', 'orjson', 'aiohttp', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
