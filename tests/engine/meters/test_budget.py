"""The budget: what is spent, reserved, unknown and on the wire never exceeds the cap."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from orchestrator.engine.meters.budget import Budget
from orchestrator.manifest.model import Budget as Caps


def budget(cap=None, call_cap=None, *, jobs=None, charged=0.0, attempts=0):
    caps = Caps({} if cap is None else {"rivya": cap}, jobs)
    calls = {} if call_cap is None else {"rivya": call_cap}
    return Budget(caps, calls, {"rivya": charged}, attempts)


@dataclass(eq=False)
class Create:
    """One create as the tests count it, apart from what the budget counts."""

    estimate: float
    counts: float
    own: bool = True


amounts = st.integers(0, 400).map(float)


class Spending(RuleBasedStateMachine):
    """Creates that come, cost less than or as much as estimated, or turn out never sent."""

    creates = Bundle("creates")

    def __init__(self):
        super().__init__()
        self.budget = budget(1000.0, 700.0, jobs=25, charged=150.0, attempts=2)
        self.earlier = Create(150.0, 150.0, own=False)
        self.open = []

    def spent(self, *, own_only=False):
        every = [*self.open, self.earlier]
        return sum(create.counts for create in every if create.own or not own_only)

    @rule(target=creates, estimate=amounts)
    def start(self, estimate):
        create = Create(estimate, estimate)
        if self.budget.refusal("rivya", estimate) is None:
            self.budget.reserve("rivya", estimate)
            self.open.append(create)
        else:
            full = self.spent() + estimate > 1000 or self.spent(own_only=True) + estimate > 700
            assert full or len(self.open) + 2 >= 25, "what fits is never refused"
        return create

    @rule(create=creates, share=st.integers(0, 4))
    def turn_out_cheaper(self, create, share):
        if create in self.open:
            amount = create.counts * share / 4
            self.budget.change("rivya", amount - create.counts)
            create.counts = amount

    @rule(share=st.integers(0, 4))
    def an_earlier_create_turns_out_cheaper(self, share):
        amount = self.earlier.counts * share / 4
        self.budget.change("rivya", amount - self.earlier.counts, own=False)
        self.earlier.counts = amount

    @rule(create=creates)
    def was_never_sent(self, create):
        if create in self.open:
            self.budget.release("rivya", create.counts)
            self.open.remove(create)

    @invariant()
    def the_caps_hold(self):
        assert self.spent() <= 1000
        assert self.spent(own_only=True) <= 700
        assert len(self.open) + 2 <= 25

    @invariant()
    def it_counts_right(self):
        assert self.budget.charged["rivya"] == self.spent()
        assert self.budget.newly.get("rivya", 0.0) == self.spent(own_only=True)
        assert self.budget.attempts == len(self.open) + 2


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@settings(max_examples=50, deadline=None)
@given(
    cap=st.integers(1, 1000),
    estimate=st.integers(1, 100),
    drifts=st.lists(st.integers(0, 50), min_size=1, max_size=20),
)
def test_prices_that_turn_out_higher_exceed_the_cap_by_no_more_than_their_drift(
    cap, estimate, drifts
):
    spending, excess = budget(float(cap)), 0
    for drift in drifts:
        if spending.refusal("rivya", estimate) is None:
            spending.reserve("rivya", estimate)
            spending.change("rivya", drift)
            excess += drift
    assert spending.charged["rivya"] <= cap + excess


def test_what_just_fits_is_allowed_and_no_more():
    assert budget(100.0, charged=43.0).refusal("rivya", 57.0) is None
    assert budget(100.0, charged=43.5).refusal("rivya", 57.0) is not None


def test_a_provider_that_is_not_named_is_not_capped():
    spending = Budget(Caps({"acedatacloud": 1.0}), {}, {}, 0)
    assert spending.refusal("rivya", 1e9) is None
    assert spending.refusal("rivya", None) is None


@pytest.mark.parametrize("capped", [budget(1000.0), budget(None, 1000.0)])
def test_an_unknown_price_never_fits_under_a_cap(capped):
    assert "not known" in capped.refusal("rivya", None)


def test_an_unknown_price_counts_as_an_attempt_all_the_same():
    spending = budget(jobs=1)
    spending.reserve("rivya", None)
    assert spending.refusal("rivya", None) == "the cap of 1 creates is reached"
    spending.release("rivya", 0.0)
    assert spending.refusal("rivya", None) is None


def test_an_attempt_that_the_ledger_counts_already_is_not_counted_again():
    spending = budget(jobs=1, attempts=1)
    assert spending.refusal("rivya", 57.0) is not None
    assert spending.refusal("rivya", 57.0, counts=False) is None
    spending.reserve("rivya", 57.0, counts=False)
    assert spending.attempts == 1


def test_the_cap_of_one_call_counts_what_this_call_started_alone():
    spending = budget(None, 100.0, charged=5000.0)
    spending.change("rivya", 70.0, own=False)
    assert spending.refusal("rivya", 100.0) is None
    spending.reserve("rivya", 57.0)
    assert "--max-credits 100" in spending.refusal("rivya", 57.0)


def test_providers_do_not_share_a_cap():
    spending = Budget(Caps({"rivya": 100.0, "acedatacloud": 2.0}), {}, {}, 0)
    spending.reserve("rivya", 100.0)
    assert spending.refusal("acedatacloud", 0.9) is None


def test_a_refusal_says_which_cap_leaves_no_room_for_how_much():
    assert (
        budget(100.0, charged=57.0).refusal("rivya", 57.0)
        == "the cap of 100 credits leaves no room for 57"
    )


@pytest.mark.parametrize(
    ("price", "number", "cap"), [(0.1, 3, 0.3), (0.55, 3, 1.65), (0.7, 9, 6.3)]
)
def test_prices_that_add_up_to_the_cap_all_fit(price, number, cap):
    spending = budget(cap)
    for _ in range(number):
        assert spending.refusal("rivya", price) is None
        spending.reserve("rivya", price)
    assert spending.refusal("rivya", price) is not None


def test_what_an_earlier_call_reserved_and_was_never_sent_frees_no_room_in_this_calls_cap():
    spending = budget(None, 100.0, charged=57.0, attempts=1)
    spending.reserve("rivya", 90.0)
    spending.release("rivya", 57.0, counts=False, own=False)
    assert spending.charged["rivya"] == 90.0
    assert spending.refusal("rivya", 57.0) is not None


@pytest.mark.parametrize(
    ("spending", "estimate", "unsent"),
    [
        (budget(), None, False),
        (budget(10.0), None, True),
        (budget(None, 10.0), None, True),
        (budget(10.0), 57.0, False),
        (budget(jobs=1), None, False),
    ],
)
def test_only_a_cap_of_credits_needs_a_price(spending, estimate, unsent):
    assert spending.caps_unpriced("rivya", estimate) is unsent
