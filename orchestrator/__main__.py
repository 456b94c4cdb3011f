"""The program: calls the command line and turns whatever ends it into an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback

import click

from orchestrator.cli import ReaderGone, cli
from orchestrator.errors import ManifestError, OrchestratorError, StorageError, WrongTables

#: Set to 1, it shows where an unforeseen error happened.
TRACEBACK_VARIABLE = "ORCHESTRATOR_TRACEBACK"

#: Errors of this machine that no program can foresee: no room, no right, a disk that fails.
_OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
)
_TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_MORE_FILES = "Let it open more, for instance with `ulimit -n 4096`, then run the command again."

SIGINT_CODE = 130
#: What a shell reports for a program that the end of its pipe stopped.
SIGPIPE_CODE = 141


def main() -> None:
    """Run the command line and exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character gets its code, never a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        try:
            code = cli.main(arguments, prog_name="orchestrator", standalone_mode=False)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends as an exit code
            return _ended(_innermost(error))
    except BrokenPipeError:
        return _quiet()
    return code if isinstance(code, int) else 0


def _ended(error: BaseException) -> int:
    """Say what ended the program, and return its exit code."""
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else 0
        case OrchestratorError():
            _tell(_words(error))
            if _has_too_many_files(error):
                _tell(f"This process may not open more files. {_MORE_FILES}")
            return error.exit_code
        case OSError() if error.errno in _OF_THE_DISK | _TOO_MANY_FILES:
            return _machine(error)
        case click.ClickException():
            error.show()
            return 2
        case click.Abort():
            return _aborted(error)
        case KeyboardInterrupt():
            return SIGINT_CODE
        case ReaderGone() | BrokenPipeError():
            return _quiet()
    return _defect(error)


def _aborted(error: click.Abort) -> int:
    if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        return SIGINT_CODE
    _tell("error: there was no answer. Nothing was sent.")
    return 2


def _words(error: OrchestratorError) -> str:
    """An error's message; problems at places stand one a line, as `validate` shows them."""
    if not isinstance(error, ManifestError | WrongTables):
        return f"error: {error}"
    number = len(error.problems)
    where = "the manifest" if isinstance(error, ManifestError) else "own tables"
    end = f"{number} problem{'s' if number != 1 else ''} in {where}. Nothing was sent."
    return f"{error}\nerror: {end}"


def _has_too_many_files(error: BaseException | None) -> bool:
    """Whether an error came of a file that could not be opened because too many were."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _TOO_MANY_FILES:
            return True
        error = error.__cause__ or error.__context__
    return False


def _machine(error: OSError) -> int:
    """An error of the machine that nothing else has told of."""
    reason = error.strerror or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    saved = "What is saved stays saved."
    if error.errno in _TOO_MANY_FILES:
        _tell(f"error: this process may not open more files ({reason}). {saved} {_MORE_FILES}")
    else:
        place = where or "a file, or where the output goes: "
        step = "Make room, or check who may write there, then run the command again."
        _tell(f"error: {place}{reason}. {saved} {step}")
    return StorageError.exit_code


def _defect(error: BaseException) -> int:
    """An error that nobody foresaw: short, unless the whole story was asked for."""
    if os.environ.get(TRACEBACK_VARIABLE) == "1":
        traceback.print_exception(error)
    kind = type(error).__name__
    _tell(
        f"error: this is a defect of the program: {kind}: {error}\n"
        f"What is saved stays saved. Please report it, with the output of the same command under "
        f"{TRACEBACK_VARIABLE}=1."
    )
    return 1


def _innermost(error: BaseException) -> BaseException:
    """The error that counts in a group of errors from several tasks."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [_innermost(inner) for inner in error.exceptions]
    return max(found, key=_weight)


def _weight(error: BaseException) -> int:
    """Unforeseen errors come before foreseen ones, and those by exit code."""
    return error.exit_code if isinstance(error, OrchestratorError) else 1000


def _quiet() -> int:
    """The reader of stdout has gone: keep the interpreter from complaining at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return SIGPIPE_CODE


def _tell(text: str) -> None:
    """Print to stderr, without what a terminal would act on."""
    shown = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    click.echo(shown, err=True)


if __name__ == "__main__":
    main()
