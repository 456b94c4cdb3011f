"""What a create needs before it may go: its account's gate open, and a place in its meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from orchestrator.engine.account import Account
    from orchestrator.engine.meters.limits import Place


class Passage:
    """One create's way past the gate and the meter; both are given back at the end."""

    def __init__(self, account: Account) -> None:
        self._account = account
        #: To tell the gate with how the create went.
        self.ticket = -1
        #: The create's place in the meter; None while it may not go.
        self.place: Place | None = None

    def at_once(self) -> bool:
        """Pass without waiting, where nothing is in the way."""
        ticket = self._account.gate.ticket()
        if ticket is None:
            return False
        self.ticket, self.place = ticket, self._account.creates.take()
        return self.place is not None

    async def wait(self) -> None:
        """Wait for both, in turn."""
        account = self._account
        # Trouble may begin while the meter is waited for: then the ticket is worth nothing.
        while self.place is None or not account.gate.stands(self.ticket):
            self._give_back_place()
            self.ticket = await account.gate.passage()
            self.place = await account.creates.admit()

    def _give_back_place(self) -> None:
        place, self.place = self.place, None
        if place is not None:
            self._account.creates.done(place)

    def __enter__(self) -> Passage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.place is not None:
            self._account.creates.done(self.place)
        self._account.gate.withdraw(self.ticket)
