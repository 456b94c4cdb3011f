"""Send: one create over the wire, its intent durable before and its raw reply after.

The order is the protocol: the intent is durable before a socket opens, the raw reply is durable
before anything is done about it (`Run.record` writes both at once), and a create is repeated only
with the same key and bytes, only where the provider honours a key, and only within an hour of the
first send. Nothing else sends creates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.engine.attempt import is_new
from orchestrator.engine.wire.evidence import raw_reply
from orchestrator.jobs import State
from orchestrator.providers.base import CreateOutcome, Fault, Request, Unclear
from orchestrator.providers.transport import Lost, NotSent

if TYPE_CHECKING:
    from orchestrator.engine.account import Account
    from orchestrator.engine.attempt import OpenAttempt
    from orchestrator.engine.meters.limits import Place

#: How long after the first send a create may be repeated with its key, in seconds.
RESEND_WINDOW = 3600.0


@dataclass(frozen=True, slots=True)
class Unsent:
    """Provably nothing left this machine."""

    fault: Fault


class Sender:
    """Sends one account's creates, one at a time for each attempt."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._run = account.run

    def may_resend(self, attempt: OpenAttempt) -> bool:
        """Whether the same bytes may go out once more, with the key that makes that safe."""
        if not self._account.provider.honours_key or attempt.first_sent_at is None:
            return False
        now = self._run.clock.wall()
        latest = attempt.last_sent_at or attempt.first_sent_at
        return latest <= now <= attempt.first_sent_at + RESEND_WINDOW

    async def intend(self, attempt: OpenAttempt) -> None:
        """Make the intent durable: from here on the create counts as possibly paid."""
        now = self._run.clock.wall()
        attempt.last_sent_at = now
        if attempt.state is State.SUBMITTING:
            assert self._account.provider.honours_key, "a create without a key is never repeated"
            fields = {"last_sent_at": now, "reply": None}
            await self._run.record(attempt, "resend", fields=fields)
            return
        new_attempt = is_new(attempt)
        attempt.number += new_attempt
        attempt.first_sent_at = now
        await self._run.record(
            attempt,
            "intent",
            State.SUBMITTING,
            new_attempt=new_attempt,
            fields={
                "idempotency_key": attempt.idempotency_key,
                "body": attempt.body,
                "first_sent_at": now,
                "last_sent_at": now,
                "reply": None,
                "estimated": attempt.estimate,
                "charge": attempt.estimate,
            },
        )

    async def exchange(
        self, attempt: OpenAttempt, request: Request, place: Place
    ) -> CreateOutcome | Unsent:
        """Send, keep the raw reply, and read it.

        The reply becomes durable in one commit with the first thing that is done about it.
        """
        self._run.tally.sent += 1
        try:
            reply = await self._account.transport.create(request, on_sent=place.sent)
        except NotSent as error:
            return Unsent(Fault("not_sent", error.reason))
        except Lost as error:
            return Unclear(Fault("lost", error.reason))
        attempt.reply = raw_reply(reply)
        return self._account.provider.read_create(reply)
