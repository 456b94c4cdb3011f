import time

import pytest

from orchestrator.sandbox.limits import Limits
from orchestrator.sandbox.log import Log
from orchestrator.sandbox.replies import Refused


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that stands until it is moved."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def admitted(limits, on="create", open_tasks=0):
    try:
        limits.admit("rivya", on, lambda: open_tasks)
    except Refused as refused:
        return refused.retry_after
    return True


def test_without_limits_everything_is_let_in():
    limits = Limits({}, Log())
    assert all(admitted(limits, open_tasks=10**6) is True for _ in range(1000))


def test_creates_are_counted_in_every_sliding_minute(clock):
    limits = Limits({"rivya": {"creates_per_minute": 2}}, Log())
    assert admitted(limits) is True
    clock[0] += 30
    assert admitted(limits) is True
    clock[0] += 29
    assert admitted(limits) == "1"
    clock[0] += 1
    assert admitted(limits) is True
    assert admitted(limits) == "30"


def test_a_refused_request_does_not_count(clock):
    limits = Limits({"rivya": {"polls_per_second": 1}}, Log())
    assert [admitted(limits, "poll") for _ in range(3)] == [True, "1", "1"]
    clock[0] += 1
    assert admitted(limits, "poll") is True


def test_half_a_poll_a_second_is_one_in_two_seconds(clock):
    limits = Limits({"rivya": {"polls_per_second": 0.5}}, Log())
    assert admitted(limits, "poll") is True
    clock[0] += 1.5
    assert admitted(limits, "poll") == "1"
    clock[0] += 0.5
    assert admitted(limits, "poll") is True


def test_a_rate_of_nothing_lets_nothing_more_in(clock):
    limits = Limits({"rivya": {"polls_per_second": 0}}, Log())
    assert admitted(limits, "poll") is True
    clock[0] += 1e6
    assert admitted(limits, "poll") == "60"


def test_tasks_in_flight_refuse_creates_and_not_polls():
    limits = Limits({"rivya": {"in_flight": 5}}, Log())
    assert admitted(limits, open_tasks=4) is True
    assert admitted(limits, open_tasks=5) == "1"
    assert admitted(limits, "poll", open_tasks=5) is True


def test_the_header_can_be_stated():
    limits = Limits({"rivya": {"in_flight": 0, "retry_after": 2.5}}, Log())
    assert admitted(limits) == "2.5"


def test_each_provider_has_its_own_limits():
    limits = Limits({"rivya": {"in_flight": 0}}, Log())
    limits.admit("acedatacloud", "create", lambda: 99)


def test_a_violation_is_recorded(clock):
    log = Log()
    admitted(Limits({"rivya": {"in_flight": 0}}, log))
    (violation,) = log.violations
    assert (violation.at, violation.service, violation.limit) == (1000.0, "rivya", "in_flight")


async def test_a_client_above_a_limit_gets_429_in_the_services_own_words(serving):
    limits = "limits: {rivya: {creates_per_minute: 1}, acedatacloud: {creates_per_minute: 1}}"
    async with serving(faults=limits) as client:
        for create, code in [
            (client.generate, "rate_limited"),
            (client.videos, "too_many_requests"),
        ]:
            await create()
            refused = await create()
            assert (refused.status, refused.json["error"]["code"]) == (429, code)
            assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert len(client.sandbox.tasks.all()) == 2
        assert [v.limit for v in client.sandbox.violations] == ["creates_per_minute"] * 2
