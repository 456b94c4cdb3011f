"""The rules of the house, as tests: what reviewers would otherwise have to count."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "orchestrator"
MODULES = sorted(PACKAGE.rglob("*.py"))
PYTHON = sorted([*MODULES, *(ROOT / "tests").rglob("*.py")])
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "handler", "core", "misc", "common"}


def place(path):
    return path.relative_to(ROOT).as_posix()


def functions(path):
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_function(node)]


def is_function(node):
    return isinstance(node, FUNCTION)


def docstring_lines(tree):
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTION, ast.ClassDef, ast.Module)) and ast.get_docstring(node):
            lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def code_lines(text):
    """Numbers of the lines that hold code: no blank line, comment or docstring."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(ast.parse(text))


def lengths():
    """The lines of code of each function of the package, by place."""
    found = {}
    for path in MODULES:
        code = code_lines(path.read_text("utf-8"))
        for node in functions(path):
            body = code & set(range(node.lineno, node.end_lineno + 1))
            found[f"{place(path)}:{node.lineno} {node.name}"] = len(body)
    return found


def tracked():
    """The files under version control, or, in a copy without one, those that would be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
    )
    if listing.returncode:
        pytest.skip("this copy is under no version control")
    return [ROOT / name for name in listing.stdout.decode().split("\0") if (ROOT / name).is_file()]


def test_no_function_exceeds_60_lines_and_nearly_all_stay_under_35():
    found = lengths()
    assert {name: lines for name, lines in found.items() if lines > 60} == {}
    assert sum(lines < 35 for lines in found.values()) >= 0.95 * len(found)


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_no_module_exceeds_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def undocumented(node, owner=""):
    """Public classes, functions and methods below a node that say nothing about themselves."""
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, (*FUNCTION, ast.ClassDef)) or inner.name.startswith("_"):
            continue
        if ast.get_docstring(inner) is None:
            yield f"{owner}{inner.name}"
        if isinstance(inner, ast.ClassDef):
            yield from undocumented(inner, f"{inner.name}.")


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_every_module_and_public_name_says_what_it_is(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{place(path)} has no docstring"
    assert list(undocumented(tree)) == []


@pytest.mark.parametrize("path", PYTHON, ids=place)
def test_every_file_and_folder_is_named_after_what_it_holds(path):
    words = {word for part in path.relative_to(ROOT).parts for word in Path(part).stem.split("_")}
    assert not words & NAMELESS


def test_the_layers_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_version_is_the_installed_one():
    assert orchestrator.__version__ == version("overnight-orchestrator")


def test_the_changelog_tells_of_this_version():
    assert f"## {orchestrator.__version__}\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


#: Written in parts, so that this file does not name what it forbids.
INTERNAL = (
    "CONTRACT" + ".md",
    "DESIGN" + ".md",
    "FAILURES" + ".md",
    "../" + "shared",
    "/" + "work/",
    "/" + "opt/",
    "/" + "root/",
    "/" + "Users/",
    "pypi" + ".org",
    "file:" + "///opt",
)


def test_no_file_speaks_of_internal_documents_machines_or_registries():
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{place(path)}: {word}" for word in INTERNAL if word in text]
    assert found == []


def test_no_comment_quotes_a_document_that_readers_do_not_have():
    word = "CONTRACT" + ":"
    assert [place(path) for path in PYTHON if word in path.read_text("utf-8")] == []


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-runtime.txt"])
def test_pinned_versions_name_no_index_and_carry_digests(file):
    lines = (ROOT / file).read_text("utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert [line for line in lines if "://" in line or line.startswith("-")] == []
    assert all("==" in line and line.endswith("\\") for line in entries)


def test_both_lists_of_pinned_versions_agree():
    runtime, everything = (pins("constraints-runtime.txt"), pins("constraints.txt"))
    assert runtime.items() <= everything.items()
    assert {"hatchling", "editables", "aiohttp"} <= runtime.keys()
    assert not {"pytest", "mypy", "ruff"} & runtime.keys()


def pins(file):
    """Name to version of each entry."""
    found = {}
    for line in (ROOT / file).read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            name, _, rest = line.partition("==")
            found[name] = rest.split()[0]
    return found


def names(wishes):
    """The projects that requirements ask for."""
    return {wish.partition(">=")[0].lower() for wish in wishes}


def test_every_dependency_is_pinned():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, groups = stated["project"], stated["dependency-groups"]
    runtime = names([*project["dependencies"], *stated["build-system"]["requires"]])
    extras = names([*groups["dev"], *project["optional-dependencies"]["parquet"]])
    assert runtime <= pins("constraints-runtime.txt").keys()
    assert extras <= pins("constraints.txt").keys()


def test_the_wheel_holds_what_the_program_reads_and_nobodys_videos(tmp_path):
    copy = tmp_path / "copy"
    for path in tracked():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    bought = copy / "manifests" / "runs" / "quickstart" / "ledger.db"
    bought.parent.mkdir(parents=True)
    bought.touch()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    data = [path for path in tracked() if PACKAGE in path.parents and path.suffix != ".py"]
    assert {place(path) for path in data} <= held
    assert {"orchestrator/py.typed", "orchestrator/examples/quickstart.yaml"} <= held
    assert [name for name in held if "runs/" in name] == []


def test_typed_code_says_so():
    assert (PACKAGE / "py.typed").is_file()


def test_continuous_integration_runs_what_a_developer_runs():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text("utf-8").splitlines()[-1] == "exec make test"
