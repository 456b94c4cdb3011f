from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.catalog.spec import Catalog, Param
from orchestrator.catalog.tables import shipped
from orchestrator.errors import ManifestError
from orchestrator.manifest.check import check, load
from orchestrator.manifest.model import Budget

HEAD = "version: 1\ncampaign: c\n"
JOB = "jobs:\n  - {id: a, model: sora-2-pro, prompt: A lake}\n"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a manifest into an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "m.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text)
        return path

    return write


def problems_of(path: Path, catalog: Catalog | None = None) -> list[tuple[int, int, str]]:
    found = check(path, catalog or shipped())[1]
    return [(problem.line, problem.column, problem.code) for problem in found]


# --- the manifest as a whole -------------------------------------------------------------------


def test_what_is_left_out_has_safe_values(write) -> None:
    manifest = load(write(JOB), shipped())

    assert manifest.campaign == "c"
    assert manifest.seed == 0
    assert manifest.budget == Budget()
    assert manifest.prices == {}
    assert manifest.path == Path("m.yaml").absolute()
    assert manifest.runs == Path("runs").resolve()
    assert set(manifest.limits) == set(shipped().providers())
    assert manifest.limits["rivya"].poll_after == 3
    assert manifest.limits["acedatacloud"].polls_per_second == 0.9
    assert not any(limits.stated for limits in manifest.limits.values())


def test_what_is_stated_counts(write) -> None:
    manifest = load(
        write(
            "seed: 7\nruns: ../elsewhere\nprices: {acedatacloud: 0.9, rivya/sora-2-pro: 80}\n"
            "budget: {credits: {rivya: 12.5}, jobs: 0}\n"
            "limits:\n  rivya: {in_flight: 100000, poll_after: 0s, poll_every: 1.5m}\n" + JOB,
            "sub/m.yaml",
        ),
        shipped(),
    )

    assert manifest.seed == 7
    assert manifest.runs == Path("elsewhere").resolve()
    assert manifest.prices == {"acedatacloud": 0.9, "rivya/sora-2-pro": 80}
    assert manifest.budget == Budget({"rivya": 12.5}, 0)
    limits = manifest.limits["rivya"]
    assert (limits.in_flight, limits.poll_after, limits.poll_every) == (100_000, 0, 90)
    assert limits.stated == {"in_flight", "poll_after", "poll_every"}
    assert limits.give_up_after == 6 * 3600


def test_loading_raises_all_problems_at_once(write) -> None:
    path = write("jobs:\n  - {id: a, prompt: x}\n  - {id: b, prompt: x, model: nothing}\n")

    with pytest.raises(ManifestError) as raised:
        load(path, shipped())

    assert [problem.code for problem in raised.value.problems] == ["missing-key", "unknown-model"]
    assert "m.yaml:4:5: `model` is missing" in str(raised.value)


@pytest.mark.parametrize("name", ["nothing.yaml", "."])
def test_a_manifest_that_is_no_file_is_a_problem(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert problems_of(Path(name)) == [(1, 1, "no-file")]


def test_a_pipe_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "m.yaml")

    assert problems_of(tmp_path / "m.yaml") == [(1, 1, "no-file")]


def test_problems_name_files_as_the_user_wrote_them(write) -> None:
    path = write(
        "jobs:\n  - {id: a, model: happyhorse-1-0, prompt: '{{x}}', rows: rows/r.csv}\n"
        "  - {id: b, model: none, prompt: x}\n",
        "sub/m.yaml",
    )
    Path("sub/rows").mkdir()
    Path("sub/rows/r.csv").write_text("x,params.duration\na,99\n")

    files = [(problem.file, problem.path) for problem in check(path, shipped())[1]]

    assert files == [
        ("sub/m.yaml", "jobs[1].model"),
        ("sub/rows/r.csv", "rows[0].params.duration"),
    ]


def test_a_byte_order_mark_shifts_nothing(write) -> None:
    path = write("")
    path.write_bytes(b"\xef\xbb\xbfversion: 2\ncampaign: c\n" + JOB.encode())

    assert problems_of(path) == [(1, 10, "not-allowed")]


# --- models ------------------------------------------------------------------------------------


def test_a_model_of_two_providers_needs_the_provider(write) -> None:
    models = shipped().models
    twin = replace(models["rivya/sora-2-pro"], provider="acedatacloud")
    catalog = Catalog({**models, twin.name: twin})
    path = write(JOB + "  - {id: b, model: acedatacloud/sora-2-pro, prompt: x}\n")

    (problem,) = check(path, catalog)[1]

    assert (problem.line, problem.column, problem.code) == (4, 20, "ambiguous-model")
    assert "rivya/sora-2-pro" in problem.hint


def model_with(*params: Param) -> Catalog:
    model = replace(shipped().models["rivya/sora-2-pro"], model="m", params=params, references=None)
    return Catalog({model.name: model})


def param(key: str, kind: str, **facts: object) -> Param:
    blank = {"required": False, "default": None, "options": None, "min": None, "max": None}
    return Param(key=key, type=kind, step=None, description="", **{**blank, **facts})


def test_a_required_parameter_without_a_default_must_be_stated(write) -> None:
    catalog = model_with(param("style", "text", required=True))
    path = write(
        "jobs:\n  - {id: a, model: m, prompt: x}\n"
        "  - {id: b, model: m, prompt: x, params: {style: 5}}\n"
    )

    (problem,) = check(path, catalog)[1]

    assert (problem.line, problem.column, problem.code) == (4, 5, "missing-key")
    assert "`style`" in problem.message


def test_the_table_decides_how_a_value_goes_over_the_wire(write) -> None:
    catalog = model_with(
        param("text", "text"),
        param("number", "number"),
        param("whole", "number"),
        param("select", "select", options=("1", "1.5", "true", "x")),
    )
    jobs = [
        ("{text: 15, number: 1.50, whole: 2.0, select: 1}", ["15", 1.5, 2, "1"]),
        ("{text: true, number: 1e2, whole: 0x10, select: 1.5}", ["true", 100, 16, "1.5"]),
        ("{text: no, number: -1, whole: 012, select: true}", ["no", -1, 12, "true"]),
    ]
    path = write(
        "jobs:\n"
        + "".join(f"  - {{id: j{n}, model: m, prompt: x, params: {p}}}\n"
                  for n, (p, _wire) in enumerate(jobs))
    )  # fmt: skip

    for job, (_params, wire) in zip(load(path, catalog).jobs, jobs, strict=True):
        assert list(job.params.values()) == wire
        assert list(map(type, job.params.values())) == list(map(type, wire))


def test_equal_numbers_of_different_types_are_not_confused(write) -> None:
    catalog = model_with(param("p", "select", options=("1", "true")))
    path = write(
        "jobs:\n  - {id: a, model: m, prompt: x, params: {p: true}}\n"
        "  - {id: b, model: m, prompt: x, params: {p: 1}}\n"
    )

    assert [job.params["p"] for job in load(path, catalog).jobs] == ["true", "1"]


def test_braces_without_quotes_are_named_where_they_stand(write) -> None:
    path = write(
        "jobs:\n  - {id: a, model: sora-2-pro, prompt: {{x}}, params: {size: {{y}}},"
        " references: [a, {{z}}]}\n"
    )

    paths = {p.path for p in check(path, shipped())[1] if p.code == "bad-template"}

    assert paths == {"jobs[0].prompt", "jobs[0].params.size", "jobs[0].references[1]"}


# --- references --------------------------------------------------------------------------------


def test_a_local_file_is_known_by_its_content(write) -> None:
    path = write("jobs:\n  - {id: a, model: sora-2-pro, prompt: x, references: [sub/../a.jpg]}\n")
    Path("sub").mkdir()
    Path("a.jpg").write_bytes(PICTURE)

    (reference,) = load(path, shipped()).jobs[0].references

    assert Path(reference.path).is_absolute()
    assert Path(reference.path).read_bytes() == PICTURE
    assert reference.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert (reference.size, reference.mime_type, reference.kind) == (108, "image/png", "image")
    assert reference.needs_upload


def test_a_url_is_kept_as_it_is_written(write) -> None:
    url = "https://cdn.example.com/A%20b.PNG?X-Amz-Signature=s&b=1"
    path = write(
        "jobs:\n  - id: a\n    model: sora-2-pro\n    prompt: x\n"
        f"    references: [{{url: '{url}', name: n, mime_type: image/png}}]\n"
    )

    (reference,) = load(path, shipped()).jobs[0].references

    assert (reference.url, reference.name, reference.mime_type) == (url, "n", "image/png")
    assert reference.path is reference.sha256 is None
    assert not reference.needs_upload


@pytest.mark.parametrize(("extra", "codes"), [(0, []), (1, ["too-large"])])
def test_a_file_may_be_as_large_as_the_model_takes(write, extra: int, codes: list[str]) -> None:
    path = write("jobs:\n  - {id: a, model: sora-2-pro, prompt: x, references: [a.png]}\n")
    with Path("a.png").open("wb") as file:
        file.write(PICTURE)
        file.truncate(10 * 1024 * 1024 + extra)

    assert [code for _line, _column, code in problems_of(path)] == codes


def test_a_pipe_is_no_reference(write) -> None:
    path = write("jobs:\n  - {id: a, model: sora-2-pro, prompt: x, references: [a.png]}\n")
    os.mkfifo("a.png")

    assert problems_of(path) == [(4, 56, "no-file")]


def test_more_files_than_the_model_takes_are_too_many_in_any_combination(write) -> None:
    model = shipped().models["rivya/happyhorse-1-0"]
    rules = replace(model.references, max_files=2, combinations=({"image": 2, "video": 2},))
    catalog = Catalog({model.name: replace(model, references=rules)})
    urls = ["https://a.example/1.png", "https://a.example/2.mp4", "https://a.example/3.png"]
    job = "  - {id: a, model: happyhorse-1-0, prompt: x, references: ["

    path = write("jobs:\n" + job + ", ".join(f"'{url}'" for url in urls) + "]}\n")

    column = len(job) + 1 + 2 * len("'https://a.example/1.png', ")
    assert problems_of(path, catalog) == [(4, column, "too-many-references")]


def test_references_that_are_too_many_beside_one_of_unknown_kind(write) -> None:
    model = shipped().models["rivya/happyhorse-1-0"]
    rules = replace(model.references, max_files=9, combinations=({"image": 1, "video": 1},))
    catalog = Catalog({model.name: replace(model, references=rules)})
    job = "  - {id: a, model: happyhorse-1-0, prompt: x, references: ["
    urls = "'https://a.example/1.png', '{{x}}'"

    assert problems_of(write("jobs:\n" + job + urls + "]}\n"), catalog) == [
        (4, len(job) + 1 + urls.index("'{"), "unknown-variable")
    ]
    assert problems_of(write("jobs:\n" + job + urls + ", '{{x}}']}\n"), catalog) == [
        (4, len(job) + 1 + urls.index("'{"), "unknown-variable"),
        (4, len(job) + 1 + len(urls + ", "), "unknown-variable"),
        (4, len(job) + 1 + len(urls + ", "), "too-many-references"),
    ]


def test_without_a_model_a_file_need_only_be_there(write) -> None:
    path = write("jobs:\n  - {id: a, model: none, prompt: x, references: [a.png, b.png]}\n")
    Path("a.png").write_bytes(b"no picture")

    assert [(column, code) for _line, column, code in problems_of(path)] == [
        (20, "unknown-model"),
        (57, "no-file"),
    ]


def test_a_table_of_one_row_need_not_be_used(write) -> None:
    path = write("jobs:\n  - {id: a, model: sora-2-pro, prompt: x, rows: r.csv}\n")
    Path("r.csv").write_text("name\nlake\n")

    assert [warning.code for warning in load(path, shipped()).warnings] == ["unused-variable"]


def test_a_column_that_another_job_uses_is_no_needless_one(write) -> None:
    rows = "  - {{id: {0}, model: sora-2-pro, prompt: 'A {{{{{0}}}}}', rows: r.csv}}\n"
    path = write("jobs:\n" + rows.format("x") + rows.format("y"))
    Path("r.csv").write_text("x,y,z\na,1,7\nb,2,7\n")

    (warning,) = load(path, shipped()).warnings

    assert (warning.file, warning.line, warning.column) == ("r.csv", 1, 5)


# --- many jobs ---------------------------------------------------------------------------------


def test_one_bad_row_in_ten_thousand_is_found_and_the_others_are_not_blamed(write) -> None:
    path = write("jobs:\n  - {id: a, model: happyhorse-1-0, rows: r.csv, prompt: '{{x}}'}\n")
    rows = [f"row {n},{5 if n != 7_777 else 50}\n" for n in range(10_000)]
    Path("r.csv").write_text("x,params.duration\n" + "".join(rows))

    assert problems_of(path) == [(7_779, 10, "out-of-range")]


def test_a_default_that_spoils_ten_thousand_rows_is_told_once(write) -> None:
    path = write(
        "defaults: {model: happyhorse-1-0, params: {duration: 50}, references: [nothing.png]}\n"
        "jobs:\n  - {id: a, rows: r.txt, prompt: '{{line}} {{nothing}}'}\n"
    )
    Path("r.txt").write_text("".join(f"row {n}\n" for n in range(10_000)))

    assert problems_of(path) == [
        (3, 54, "out-of-range"),
        (3, 72, "no-file"),
        (5, 34, "unknown-variable"),
    ]


def test_ten_thousand_bad_jobs_are_all_told_within_seconds(write) -> None:
    job = "  - {{id: j{0}, model: sora-2-pro, prompt: x, params: {{n_frames: {0}}}}}\n"
    path = write("jobs:\n" + "".join(job.format(n) for n in range(100, 10_100)))
    started = time.perf_counter()

    found = problems_of(path)

    assert len(found) == 10_000
    assert found[-1][0] == 10_003
    assert time.perf_counter() - started < 10


def test_ten_thousand_missing_files_are_told_within_seconds(write) -> None:
    job = "  - {{id: j{0}, model: sora-2-pro, prompt: x, references: [picture-{0}.png]}}\n"
    path = write("jobs:\n" + "".join(job.format(n) for n in range(10_000)))
    for number in range(500):
        Path(f"image-{number}.png").write_bytes(PICTURE)
    started = time.perf_counter()

    assert len(problems_of(path)) == 10_000
    assert time.perf_counter() - started < 10


def test_ten_thousand_good_jobs_are_checked_within_seconds(write) -> None:
    job = (
        "  - {{id: j{0}, model: sora-2-pro, prompt: 'Scene {0} {{{{x}}}}', vars: {{x: {0}}}, "
        "params: {{n_frames: 15}}, references: [a.png], tags: [t]}}\n"
    )
    path = write("jobs:\n" + "".join(job.format(n) for n in range(10_000)))
    Path("a.png").write_bytes(PICTURE)
    started = time.perf_counter()

    jobs = load(path, shipped()).jobs

    assert len(jobs) == 10_000
    assert jobs[-1].prompt == "Scene 9999 9999"
    assert jobs[0].params is jobs[-1].params, "equal parameters are kept once"
    assert time.perf_counter() - started < 6
