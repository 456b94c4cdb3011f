from __future__ import annotations

import json

import pytest

from orchestrator.errors import PlanDrift, UsageError
from orchestrator.ledger.store import Spend
from orchestrator.manifest.model import Budget
from orchestrator.plan.document import check_drift, load, plan_document, save
from tests.plan.material import HAILUO, MINIMAX, job, plan, row_of, spec

OPTIONS = {"sandbox": True, "run_dir": None, "select": ["id:a"], "limit": 3}


def saved(made, folder):
    save(made, folder / "plan.json", OPTIONS)
    return load(folder / "plan.json")


def test_the_document_holds_what_a_script_needs():
    made = plan(spec("a"), spec("b", HAILUO), rows=[row_of(job("a"))])
    document = plan_document(made)
    assert document.pop("duration").keys() == {"p50_s", "p90_s", "basis"}
    assert document.pop("cost")[0]["amount"] == 57
    assert document == {
        "schema_version": 1,
        "campaign": "spring",
        "jobs": {
            "total": 2,
            "to_run": 1,
            "stored": 1,
            "pending": 0,
            "unknown": 0,
            "failed": 0,
            "quarantined": 0,
        },
        "budget": {"fits": True, "problems": []},
        "fingerprint": made.fingerprint,
        "left_out": [],
    }
    json.dumps(plan_document(made), allow_nan=False)


def test_the_states_add_up_to_the_total():
    counts = plan_document(plan(*(spec(f"j{n}") for n in range(7))))["jobs"]
    assert counts.pop("total") == sum(counts.values()) == 7


def test_a_budget_that_does_not_fit_says_why():
    made = plan(spec("a"), budget=Budget({"rivya": 80}, jobs=1))
    spend = {"rivya": Spend(75.0, 75.0, None, 75.0, 0)}
    budget = plan_document(made, spend=spend, attempts_made=1)["budget"]
    assert budget["fits"] is False
    assert len(budget["problems"]) == 2


def test_an_unknown_price_is_null_in_json():
    cost = json.loads(json.dumps(plan_document(plan(spec(model=MINIMAX)))))["cost"]
    assert cost[0]["amount"] is None


def test_a_saved_plan_is_read_as_it_was_saved(tmp_path):
    made = plan(spec("a"), spec("b", prompt="Grüße"))
    read = saved(made, tmp_path)
    assert read.manifest == str(made.manifest.path)
    assert read.options == OPTIONS
    assert read.jobs == {entry.job.key: entry.job.fingerprint for entry in made.entries}
    check_drift(read, made)


def test_progress_is_no_drift(tmp_path):
    read = saved(plan(spec("a"), spec("b")), tmp_path)
    check_drift(read, plan(spec("a"), spec("b"), rows=[row_of(job("a"))]))


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([spec("a", prompt="x"), spec("b")], r"1 changed \(a\)\."),
        ([spec("a"), spec("b"), spec("c")], r"1 added \(c\)\."),
        ([spec("a")], r"1 removed \(b\)\."),
        ([spec("b"), spec("a")], "new order"),
        ([spec("c")], r"1 added \(c\); 2 removed \(a, b\)"),
        ([spec(f"j{n}") for n in range(5)], r"5 added \(j0, j1, j2, …\)"),
    ],
)
def test_drift_names_the_jobs_that_differ_and_sends_nothing(tmp_path, jobs, message):
    read = saved(plan(spec("a"), spec("b")), tmp_path)
    with pytest.raises(PlanDrift, match=message) as raised:
        check_drift(read, plan(*jobs))
    assert "Nothing was sent" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '"plan"',
        "[" * 100_000,
        '{"schema_version": 1}',
        '{"schema_version": 1, "manifest": 1, "fingerprint": "f", "jobs": {}, "options": {}}',
        '{"schema_version": 1, "manifest": "m", "fingerprint": "f", "jobs": [], "options": {}}',
        '{"schema_version": 1, "manifest": "m", "fingerprint": "f", "jobs": {}, "options": []}',
        '{"schema_version": "1", "manifest": 7}',
    ],
)
def test_a_file_that_is_no_plan_is_said_to_be_none(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError, match=r"plan\.json: this is no plan"):
        load(tmp_path / "plan.json")


def test_bytes_that_are_no_text_are_no_plan(tmp_path):
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="this is no plan"):
        load(tmp_path / "plan.json")


def test_a_plan_of_another_version_is_to_be_saved_again(tmp_path):
    save(plan(spec()), tmp_path / "plan.json", OPTIONS)
    document = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**document, "schema_version": 2}))
    with pytest.raises(UsageError, match="save the plan again"):
        load(tmp_path / "plan.json")


def test_a_plan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.json: No such file"):
        load(tmp_path / "missing.json")


def test_a_plan_overwrites_no_file_that_is_no_plan(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text("version: 1\n")
    with pytest.raises(UsageError, match="is no saved plan: it is not overwritten"):
        save(None, path, {})
    assert path.read_text() == "version: 1\n"
