"""Where a party stands towards a plan or after a study: its verdict, and what it has left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from mpc.accounting.conversion import epsilon_within
from mpc.units import RHO_UNIT, PartyId, RhoPico


class Decision(StrEnum):
    """A party's answer to a proposed plan."""

    ALLOW = "allow"
    ASK = "ask"  # its policy passes the plan to a person
    REFUSE = "refuse"
    RELEASED = "released"  # released before; asking again costs nothing
    NO_ANSWER = "no answer"  # it could not be asked; not a word of its own


@dataclass(frozen=True)
class VerdictReason:
    """Why, and what would make it allowed. Texts are the party's own: escape them."""

    code: str
    what: str
    allowed: str = ""


@dataclass(frozen=True)
class PartyBudget:
    """What a party publishes of its ledger; it states epsilon at its own ``delta``."""

    party: PartyId
    rho_cap: RhoPico
    rho_left: RhoPico
    delta: Decimal

    @property
    def epsilon_left(self) -> Decimal:
        """The largest epsilon at ``delta`` that what is left allows. Only rho subtracts."""
        return epsilon_within(self.rho_left, self.delta) if self.rho_left > 0 else Decimal(0)

    def to_plain(self) -> dict[str, str]:
        return {
            "party": self.party,
            "rho_cap": f"{Decimal(self.rho_cap) / RHO_UNIT:f}",
            "rho_left": f"{Decimal(self.rho_left) / RHO_UNIT:f}",
            "delta": f"{self.delta:f}",
            "epsilon_left": f"{self.epsilon_left:f}",
        }


@dataclass(frozen=True)
class PartyVerdict:
    """One party's decision on a plan; ``budget`` only if the party publishes it.

    ``contact`` is whom a refusing party names to be asked; it may name nobody.
    """

    party: PartyId
    decision: Decision
    reasons: tuple[VerdictReason, ...] = ()
    budget: PartyBudget | None = None
    contact: str = ""
