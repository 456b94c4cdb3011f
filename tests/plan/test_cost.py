from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs import State
from orchestrator.ledger.store import Spend
from orchestrator.manifest.model import Budget
from orchestrator.plan.cost import amount, budget_problems, cost_document, exceeds
from orchestrator.plan.selection import parse
from tests.plan.material import HAILUO, MINIMAX, SORA, job, plan, row_of, spec


def spent(credits_):
    return Spend(credits_, credits_, None, credits_, 0)


def test_the_cost_of_a_provider_is_the_sum_over_its_models():
    made = plan(spec("a"), spec("b"), spec("c", HAILUO))
    assert cost_document(made) == [
        {
            "provider": "rivya",
            "unit": "credits",
            "amount": 207,
            "precision": "estimated",
            "by_model": [
                {"model": "hailuo-pro", "jobs": 1, "each": 57, "amount": 57},
                {"model": "sora-2-pro", "jobs": 2, "each": 75, "amount": 150},
            ],
        }
    ]


def test_only_what_is_still_to_run_costs():
    made = plan(spec("a"), spec("b"), rows=[row_of(job("a"))])
    (provider,) = cost_document(made)
    assert (provider["amount"], provider["by_model"][0]["jobs"]) == (75, 1)
    nothing = plan(spec("a"), spec("b"), rows=[row_of(job("a"))], selection=parse(["id:a"]))
    assert cost_document(nothing)[0]["amount"] == 0


def test_an_unknown_price_is_null_and_makes_the_sum_unknown():
    (provider,) = cost_document(plan(spec(model=MINIMAX)))
    assert (provider["amount"], provider["precision"]) == (None, "unknown")
    assert provider["by_model"] == [
        {"model": "minimax-t2v", "jobs": 1, "each": None, "amount": None}
    ]


def test_a_stated_price_is_exact_and_the_least_exact_one_names_the_sum():
    both = plan(spec("a"), spec("b", HAILUO), prices={"rivya/sora-2-pro": 70})
    assert cost_document(both)[0]["precision"] == "estimated"
    one = plan(spec("a"), prices={"rivya/sora-2-pro": 70})
    assert cost_document(one)[0]["precision"] == "exact"


def test_a_price_of_nothing_is_nothing_and_not_unknown():
    (provider,) = cost_document(plan(spec(model=MINIMAX), prices={"acedatacloud": 0}))
    assert (provider["amount"], provider["precision"]) == (0, "exact")


def test_no_budget_has_no_problems():
    assert budget_problems(plan(spec(), spec("n", MINIMAX)), {"rivya": spent(10**9)}, 10**6) == ()


@pytest.mark.parametrize(
    ("before", "cap", "fits"), [(0, 150, True), (0, 149, False), (1, 150, False)]
)
def test_what_was_spent_and_what_is_to_run_fit_the_cap_together(before, cap, fits):
    made = plan(spec("a"), spec("b"), budget=Budget({"rivya": cap}))
    assert (budget_problems(made, {"rivya": spent(before)}) == ()) is fits


def test_a_credit_problem_says_what_is_needed_spent_and_allowed():
    made = plan(spec("a"), budget=Budget({"rivya": 1000.5}))
    (problem,) = budget_problems(made, {"rivya": spent(950)})
    assert "75 credits still to spend" in problem
    assert "950 spent" in problem
    assert "cap of 1,000.5" in problem


def test_jobs_of_unknown_price_under_a_cap_are_named():
    jobs = [spec(f"n{n}", MINIMAX) for n in range(5)]
    (problem,) = budget_problems(plan(*jobs, budget=Budget({"acedatacloud": 10})), {})
    assert "n0, n1, n2 and 2 more" in problem
    assert "prices:" in problem
    assert budget_problems(plan(*jobs, budget=Budget({"rivya": 10})), {}) == ()


def test_the_cap_on_jobs_counts_every_create():
    made = plan(spec("a"), spec("b"), budget=Budget(jobs=3))
    assert budget_problems(made, {}, attempts_made=1) == ()
    (problem,) = budget_problems(made, {}, attempts_made=2)
    assert problem == "jobs: 2 creates still to send and 2 sent exceed the cap of 3"


def test_what_is_stored_needs_no_budget():
    made = plan(spec(), rows=[row_of(job(), 1, State.STORED)], budget=Budget({"rivya": 0}, jobs=0))
    assert budget_problems(made, {}) == ()


def test_ten_times_nine_tenths_fit_nine():
    jobs = [spec(f"n{n}", MINIMAX) for n in range(10)]
    made = plan(*jobs, prices={"acedatacloud": 0.9}, budget=Budget({"acedatacloud": 9}))
    assert budget_problems(made, {}) == ()
    less = plan(*jobs, prices={"acedatacloud": 0.9}, budget=Budget({"acedatacloud": 8.99}))
    assert budget_problems(less, {}) != ()


@given(st.integers(1, 400), st.integers(1, 10_000))
def test_hundredths_fit_their_own_sum_and_no_hundredth_less(jobs, hundredths):
    total = sum(hundredths / 100 for _ in range(jobs))
    assert not exceeds(total, jobs * hundredths / 100)
    assert exceeds(total, (jobs * hundredths - 1) / 100)


@pytest.mark.parametrize(
    ("number", "text"), [(57, "57"), (0.9, "0.9"), (1234.5, "1,234.5"), (0, "0"), (100.0, "100")]
)
def test_amounts_are_written_as_people_write_them(number, text):
    assert amount(number) == text


def test_models_of_one_provider_are_listed_even_when_nothing_of_them_runs():
    made = plan(spec("a", SORA), spec("b", HAILUO), selection=parse(["id:b"]))
    assert [(model["model"], model["jobs"]) for model in cost_document(made)[0]["by_model"]] == [
        ("hailuo-pro", 1),
        ("sora-2-pro", 0),
    ]
