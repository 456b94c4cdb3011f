"""yaml-language-server, which editors start, agrees with `validate` and completes by model."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import load
from tests.editors.examples import EXAMPLES, INVALID, PROGRAMS, SCHEMA, VALID, unseen
from tests.editors.language_server import LanguageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orchestrator.catalog.spec import Model, Param

NODE = shutil.which("node")
SERVER = PROGRAMS / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
MODELS = shipped().models.values()
HEAD = f"# yaml-language-server: $schema={SCHEMA}\nversion: 1\ncampaign: c\njobs:"

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not on the PATH"),
    pytest.mark.skipif(
        NODE is not None and not SERVER.exists(),
        reason="yaml-language-server is not installed; `make test` installs it with npm",
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    # Cases name no schema; examples do, and are opened as they are.
    schemas = {SCHEMA.as_uri(): [f"**/{folder}/*.yaml" for folder in ("valid", "invalid")]}
    with LanguageServer([str(NODE), str(SERVER), "--stdio"], schemas) as server:
        yield server


def opened(server: LanguageServer, paths: list[Path]) -> dict[Path, list[str]]:
    """What is told of each, beside one document that shows that the schema is in force."""
    wrong = {path.with_name("wrong.yaml"): "version: 2\n" for path in paths}
    found = server.diagnostics({**{path: path.read_text("utf-8") for path in paths}, **wrong})
    assert "Value must be 1." in found.pop(paths[-1].with_name("wrong.yaml"))
    return {path: found[path] for path in paths}


def test_nothing_is_wrong_in_any_valid_manifest(server: LanguageServer) -> None:
    found = opened(server, VALID)
    assert {path.name: told for path, told in found.items() if told} == {}


def test_something_is_wrong_in_every_invalid_manifest_that_a_schema_can_judge(
    server: LanguageServer,
) -> None:
    found = opened(server, INVALID)
    assert {path.stem for path, told in found.items() if not told} == unseen("yaml-language-server")


# --- completion --------------------------------------------------------------------------------


def job_of(model: Model, text: str) -> str:
    """The manifest with a job at its end that names the model."""
    return f"{text.rstrip()}\n  - id: typed\n    model: {model.name}\n    prompt: x\n"


def job_of_default(model: Model, text: str) -> str:
    """The manifest with this model in `defaults`, and a job at its end that names none."""
    defaults = re.compile(r"^(defaults:.*\n)(?:  model: .*\n)?", re.MULTILINE)
    changed, times = defaults.subn(rf"\1  model: {model.name}\n", text)
    assert times == 1
    return f"{changed.rstrip()}\n  - id: typed\n    prompt: x\n"


def offered(param: Param) -> list[str]:
    """What editors offer as the value of a parameter: its options, or a number's default."""
    if param.type == "select":
        return sorted(param.options or ())
    return [] if param.default is None else [str(param.default)]


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
@pytest.mark.parametrize("writing", [job_of, job_of_default])
@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_a_job_is_offered_exactly_the_parameters_of_its_model_and_their_options(
    server: LanguageServer, example: Path, writing: Callable[[Model, str], str], model: Model
) -> None:
    job = writing(model, example.read_text("utf-8"))

    keys = server.offers(example.parent, f"{job}    params:\n      ")
    assert [item["label"] for item in keys] == [param.key for param in model.params]
    for param in model.params:
        values = server.offers(example.parent, f"{job}    params:\n      {param.key}: ")
        assert sorted(item["label"] for item in values) == offered(param)


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_an_axis_is_offered_each_option_once(
    server: LanguageServer, tmp_path: Path, model: Model
) -> None:
    job = job_of(model, HEAD) + "    matrix:\n"

    axes = [item["label"] for item in server.offers(tmp_path, f"{job}      ")]
    own = [label for label in axes if label.startswith("params.")]
    assert own == [f"params.{param.key}" for param in model.params]
    for param in model.params:
        for above in ("", f"        - {(param.options or (5,))[0]}\n"):
            axis = f"{job}      params.{param.key}:\n{above}        - "
            values = [item["label"] for item in server.offers(tmp_path, axis)]
            assert sorted(values) == sorted(param.options or ())


def test_a_job_with_a_model_axis_is_offered_the_parameters_of_these_models_and_their_options(
    server: LanguageServer, tmp_path: Path
) -> None:
    job = HEAD + "\n  - id: typed\n    prompt: x\n    matrix: {model: [%s]}\n    params:\n      "
    models = [shipped().models[f"rivya/{name}"] for name in ("hailuo-pro", "sora-2-pro")]
    for several in (models[:1], models[1:], models):
        text = job % ", ".join(model.model for model in several)
        keys = [item["label"] for item in server.offers(tmp_path, text)]
        assert keys == [param.key for model in several for param in model.params]
        for param in (param for model in several for param in model.params):
            values = server.offers(tmp_path, f"{text}{param.key}: ")
            assert sorted(item["label"] for item in values) == offered(param)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_every_job_of_an_example_is_offered_the_parameters_of_its_own_model(
    server: LanguageServer, example: Path
) -> None:
    models: dict[str, set[str]] = {}
    for job in load(example, shipped()).jobs:
        models.setdefault(job.id, set()).add(f"{job.provider}/{job.model}")
    # What stands below a job's id, where no axis names its models.
    jobs = re.split(r"(?m)^(?=  - id: )", example.read_text("utf-8"))
    asked = 0
    for number, block in enumerate(jobs[1:], start=1):
        first, rest = block.split("\n", 1)
        of_job = models[first.removeprefix("  - id: ").strip()]
        if len(of_job) > 1:
            continue
        rest = re.sub(r"(?m)^    params: .*\n", "", rest)
        above = "".join(jobs[:number])
        offers = server.offers(
            example.parent, f"{above}{first}\n{rest.rstrip()}\n    params:\n      "
        )
        model = shipped().models[of_job.pop()]
        assert [item["label"] for item in offers] == [param.key for param in model.params], first
        asked += 1
    assert asked


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_what_an_editor_writes_for_a_value_is_the_option_that_was_chosen(
    server: LanguageServer, tmp_path: Path, model: Model
) -> None:
    for param in model.params:
        job = job_of(model, HEAD) + f"    params:\n      {param.key}: "
        for item in server.offers(tmp_path, job):
            path = tmp_path / "written.yaml"
            path.write_text(job + item["insertText"] + "\n", "utf-8")
            written = load(path, shipped()).jobs[0].params[param.key]
            assert str(written) == item["label"]


@pytest.mark.parametrize("other", ["sora-2-pro", "happyhorse-1-0"])
def test_defaults_are_offered_what_their_model_has_and_does_not_stand_there_yet(
    server: LanguageServer, tmp_path: Path, other: str
) -> None:
    text = (
        f"# yaml-language-server: $schema={SCHEMA}\nversion: 1\ncampaign: c\n"
        f"jobs:\n  - {{id: a, prompt: x, model: {other}}}\n"
        "defaults:\n  model: sora-2-pro\n  params:\n    size: high\n    n_frames: 10\n    "
    )
    offers = [item["label"] for item in server.offers(tmp_path, text)]
    assert offers == ["aspect_ratio", "remove_watermark", "upload_method"]


def test_a_job_is_offered_each_field_once(server: LanguageServer, tmp_path: Path) -> None:
    for model in MODELS:
        labels = [item["label"] for item in server.offers(tmp_path, job_of(model, HEAD) + "    ")]
        assert labels
        assert len(labels) == len(set(labels))
