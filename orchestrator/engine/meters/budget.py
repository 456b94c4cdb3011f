"""The budget as a reservation ledger: what is spent, reserved, unknown and on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.plan.cost import exceeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.manifest.model import Budget as Caps


@dataclass(slots=True)
class Budget:
    """Decides, without waiting, whether one more create fits; so concurrency cannot outrun it.

    A charge is what an attempt counts for now: its estimate from the intent on, then what the
    provider reserved, then what it cost. All amounts are in the provider's unit.
    """

    caps: Caps
    #: `--max-credits` of this call, by provider.
    call_caps: Mapping[str, float]
    #: Charges of all attempts in the ledger, by provider.
    charged: dict[str, float]
    #: Create attempts in the ledger.
    attempts: int
    #: Charges of attempts that this call started, by provider.
    newly: dict[str, float] = field(default_factory=dict)

    def refusal(self, provider: str, estimate: float | None, *, counts: bool = True) -> str | None:
        """Why a create does not fit, None where it does.

        `counts` is false for an attempt that the ledger counts already. An unknown price never
        fits under a cap.
        """
        if counts and self.caps.jobs is not None and self.attempts >= self.caps.jobs:
            return f"the cap of {self.caps.jobs} creates is reached"
        cap, call_cap = self.caps.credits.get(provider), self.call_caps.get(provider)
        if cap is None and call_cap is None:
            return None
        if estimate is None:
            return "its price is not known"
        if cap is not None and exceeds(self.charged.get(provider, 0.0) + estimate, cap):
            return f"the cap of {cap:g} credits leaves no room for {estimate:g}"
        if call_cap is not None and exceeds(self.newly.get(provider, 0.0) + estimate, call_cap):
            return f"--max-credits {call_cap:g} leaves no room for {estimate:g}"
        return None

    def caps_unpriced(self, provider: str, estimate: float | None) -> bool:
        """Whether a cap leaves a job unsent because its price is unknown."""
        caps = (self.caps.credits, self.call_caps)
        return estimate is None and any(provider in cap for cap in caps)

    def reserve(self, provider: str, estimate: float | None, *, counts: bool = True) -> None:
        """Count an estimate, before anything of the create becomes durable."""
        self.attempts += counts
        self.change(provider, estimate or 0.0)

    def release(
        self, provider: str, charge: float, *, counts: bool = True, own: bool = True
    ) -> None:
        """Undo `reserve`: nothing was sent. `own` is false for what an earlier call reserved."""
        self.attempts -= counts
        self.change(provider, -charge, own=own)

    def change(self, provider: str, difference: float, *, own: bool = True) -> None:
        """Count that an attempt costs more or less than it counted for.

        `own` is false for an attempt that an earlier call started.
        """
        self.charged[provider] = self.charged.get(provider, 0.0) + difference
        if own:
            self.newly[provider] = self.newly.get(provider, 0.0) + difference
