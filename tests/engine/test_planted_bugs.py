"""The proof is proven: each bug of this list, planted alone, is caught by the simulation."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine import collect, recovery, settle, submit, watch
from orchestrator.engine.meters import pauses
from orchestrator.engine.meters.budget import Budget
from orchestrator.engine.run import Run
from orchestrator.engine.wire import send
from orchestrator.jobs import State
from orchestrator.providers.acedatacloud import AceDataCloud
from orchestrator.providers.base import Fault, Rejected, TaskView, Throttled
from tests.engine.test_campaign import test_a_storm_of_429_costs_a_handful_of_requests as storm
from tests.engine.test_simulation import tell
from tests.engine.world import Disk

#: Stories that are told at most until a bug has to show.
STORIES = 600

Plant = Callable[[pytest.MonkeyPatch], Any]
BUGS: dict[str, Plant] = {}


def bug(plant: Plant) -> Plant:
    BUGS[plant.__name__] = plant
    return plant


@bug
def the_intent_is_written_after_the_send(monkeypatch):
    intend = send.Sender.intend

    async def no_intent(self, attempt):
        attempt.first_sent_at = attempt.last_sent_at = self._run.clock.wall()

    async def late_intent(self, attempt, request, place):
        account = self._account
        reply = await account.transport.create(request, on_sent=place.sent)
        await intend(self, attempt)
        return account.provider.read_create(reply)

    monkeypatch.setattr(send.Sender, "intend", no_intent)
    monkeypatch.setattr(send.Sender, "exchange", late_intent)


@bug
def a_create_without_a_key_is_repeated(monkeypatch):
    monkeypatch.setattr(AceDataCloud, "honours_key", True)


@bug
def a_repetition_gets_a_new_key(monkeypatch):
    exchange = send.Sender.exchange

    async def with_new_key(self, attempt, request, place):
        if attempt.ambiguous and "Idempotency-Key" in request.headers:
            headers = {**request.headers, "Idempotency-Key": str(uuid.uuid4())}
            request = replace(request, headers=headers)
        return await exchange(self, attempt, request, place)

    monkeypatch.setattr(send.Sender, "exchange", with_new_key)


@bug
def a_create_is_repeated_for_longer_than_its_key_lives(monkeypatch):
    monkeypatch.setattr(send, "RESEND_WINDOW", 10 * 3600.0)


@bug
def an_interrupted_create_is_taken_for_unsent(monkeypatch):
    async def start_anew(self, attempt, reply):
        await self._run.record(attempt, "returned", State.PLANNED)
        self._account.give_slot(attempt)
        if attempt.job is None:
            self._run.closed()
        else:
            self._account.enqueue(attempt)

    monkeypatch.setattr(submit.Submitter, "recover", start_anew)


@bug
def a_throttled_create_counts_as_failed(monkeypatch):
    act = submit.Submitter._act

    async def fail(self, attempt, outcome):
        if isinstance(outcome, Throttled):
            outcome = Rejected("rejected", outcome.fault)
        return await act(self, attempt, outcome)

    monkeypatch.setattr(submit.Submitter, "_act", fail)


@bug
def a_refusal_after_an_unclear_send_counts_as_the_end(monkeypatch):
    act = submit.Submitter._act

    async def forget(self, attempt, outcome):
        attempt.ambiguous = attempt.ambiguous and not isinstance(outcome, Rejected)
        return await act(self, attempt, outcome)

    monkeypatch.setattr(submit.Submitter, "_act", forget)


@bug
def an_unknown_create_is_tried_again(monkeypatch):
    unknown = submit.Submitter._unknown

    async def again(self, attempt, fault):
        await unknown(self, attempt, fault)
        if attempt.job is not None and attempt.number == 1:
            self._run.opened()
            self._account.enqueue(attempt)

    monkeypatch.setattr(submit.Submitter, "_unknown", again)


@bug
def what_is_unknown_costs_nothing(monkeypatch):
    record = Run.record

    async def free(self, attempt, kind, state=None, *, fields=None, **rest):
        if state is State.UNKNOWN:
            fields = {**(fields or {}), "charge": 0.0}
            self.charge(attempt, 0.0)
        await record(self, attempt, kind, state, fields=fields, **rest)

    monkeypatch.setattr(Run, "record", free)


@bug
def earlier_runs_cost_nothing(monkeypatch):
    refusal = Budget.refusal

    def forgetful(self, provider, estimate, *, counts=True):
        self.charged = dict(self.newly)
        return refusal(self, provider, estimate, counts=counts)

    monkeypatch.setattr(Budget, "refusal", forgetful)


@bug
def nothing_is_reserved_while_a_create_is_on_the_wire(monkeypatch):
    monkeypatch.setattr(Budget, "reserve", lambda *_args, **_options: None)


@bug
def a_slot_is_given_back_once_the_task_is_made(monkeypatch):
    accepted = settle.Settler.accepted

    async def early(self, attempt, outcome):
        self._account.give_slot(attempt)
        await accepted(self, attempt, outcome)

    monkeypatch.setattr(settle.Settler, "accepted", early)


@bug
def a_restart_forgets_what_was_sent(monkeypatch):
    monkeypatch.setattr(recovery.Recovery, "_seed_meters", lambda _self: None)


@bug
def a_restart_forgets_what_is_open(monkeypatch):
    monkeypatch.setattr(recovery.Recovery, "_hold_slot", lambda _self, _attempt: None)


@bug
def a_poll_in_trouble_fails_its_jobs(monkeypatch):
    ask = watch.Watcher._ask

    async def fail(self, due, ticket):
        answer = await ask(self, due, ticket)
        if answer:
            return answer
        failed = TaskView("failed", fault=Fault("poll", "the poll failed"))
        return {str(attempt.task_id): failed for attempt in due}

    monkeypatch.setattr(watch.Watcher, "_ask", fail)


@bug
def a_job_is_stored_before_its_file_is(monkeypatch):
    fetch = Disk.fetch

    async def early(self, url, target, **options):
        stored = await fetch(self, url, target, **options)
        del self.world.files[target]
        return stored

    monkeypatch.setattr(Disk, "fetch", early)
    monkeypatch.setattr(Disk, "settle", lambda *_args: None)


@bug
def a_task_id_is_watched_before_it_is_durable(monkeypatch):
    record = Run.record

    async def skip(self, attempt, kind, state=None, **options):
        if kind == "accepted":
            options["fields"] = {
                name: value for name, value in options["fields"].items() if name != "task_id"
            }
        await record(self, attempt, kind, state, **options)

    monkeypatch.setattr(Run, "record", skip)


@bug
def a_failed_task_is_tried_again_for_ever(monkeypatch):
    monkeypatch.setattr(settle.Settler, "_has_retries", lambda _self, attempt: attempt.number < 5)


@bug
def a_stop_drops_the_answers_on_the_wire(monkeypatch):
    async def at_once(self):
        return

    signalled = Run.stop

    def stop(self, reason, text):
        signalled(self, reason, text)
        self.tasks.cancel_scope.cancel()

    monkeypatch.setattr(Run, "wire_is_clear", at_once)
    monkeypatch.setattr(Run, "stop", stop)
    monkeypatch.setattr(submit.Submitter, "recover", _leave)


async def _leave(self, attempt, reply):
    self._account.give_slot(attempt)
    self._run.closed()


@bug
def a_refused_download_is_given_up(monkeypatch):
    async def fail(self, attempt, error):
        await self._run.record(attempt, "failed", State.FAILED, fields={"error_class": "failed"})
        self._run.closed()

    monkeypatch.setattr(collect.Collector, "_expired", fail)


@bug
def every_waiting_request_tries_when_a_pause_ends(monkeypatch):
    async def passage(self):
        if self.closed_for > 0:
            await self._clock.sleep(self.closed_for)
        return self._epoch

    monkeypatch.setattr(pauses.Gate, "passage", passage)
    monkeypatch.setattr(pauses.Gate, "stands", lambda _self, _ticket: True)


#: Caught by the storm of 429: a burst after a pause breaks no invariant of money.
ELSEWHERE = {"every_waiting_request_tries_when_a_pause_ends"}


@pytest.mark.parametrize("name", sorted(set(BUGS) - ELSEWHERE))
def test_the_simulation_catches(name, monkeypatch):
    BUGS[name](monkeypatch)
    for seed in range(STORIES):
        try:
            tell(seed)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return
    pytest.fail(f"{STORIES} stories did not show it: {name}")


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_storm_catches(name, monkeypatch):
    BUGS[name](monkeypatch)
    with pytest.raises(AssertionError):
        storm()
