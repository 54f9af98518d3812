"""What a ledger keeps for ever, as its owner reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mpc.ports import ChargeState
from mpc.units import DeltaAtto, PlanDigest, RhoPico, RunId

MONTH_S = 30 * 86_400
"""What a month is to a budget: any 30 days, by the times at which charges were reserved."""


@dataclass(frozen=True)
class PartnerLimits:
    """How much of a domain one partner may hold without using it.

    ``reserved_max`` reservations at once; ``aborts_max`` released or expired ones within
    ``aborts_window_s``; none longer than ``reserve_s``.
    """

    reserved_max: int = 4
    aborts_max: int = 20
    aborts_window_s: int = 86_400
    reserve_s: int = 3_600

    def __post_init__(self) -> None:
        if min(self.reserved_max, self.aborts_max, self.aborts_window_s, self.reserve_s) < 1:
            raise ValueError("every limit of a ledger is at least 1")


@dataclass(frozen=True)
class DomainBounds:
    """What binds charges of a domain beside its cap for ever; what is absent does not.

    ``monthly_rho`` is the most of any 30 days. ``partners`` are organizations: what is asked by
    one's coordinator, or led by one's people, counts.
    """

    monthly_rho: RhoPico | None = None
    partners: Mapping[str, RhoPico] = field(default_factory=dict)

    def without(self, organizations: Collection[str]) -> DomainBounds:
        """The same without the caps of ``organizations``."""
        kept = {name: cap for name, cap in self.partners.items() if name not in organizations}
        return DomainBounds(self.monthly_rho, kept)

    def binding(self, *organizations: str) -> tuple[str, ...]:
        """Those of ``organizations`` that have a cap, each once."""
        return tuple(each for each in dict.fromkeys(organizations) if each in self.partners)


@dataclass(frozen=True)
class DomainUsage:
    """What is spent or held within the last 30 days, and for ever of each organization."""

    monthly_rho: RhoPico
    partners: Mapping[str, RhoPico]

    def partner_rho(self, organization: str) -> RhoPico:
        """What is spent or held for ``organization``."""
        return self.partners.get(organization, RhoPico(0))


@dataclass(frozen=True)
class CapEntry:
    """A domain's caps from ``unix_s`` on: at its creation, or when somebody raised them."""

    domain: str
    unix_s: int
    rho_cap: RhoPico
    delta_cap: DeltaAtto
    set_by: str
    reason: str


@dataclass(frozen=True)
class ChargeEntry:
    """One charge as it stands. ``settled_unix_s`` is when it was committed or released.

    ``partner`` is the organization of ``coordinator``, by certificate; the lead is its word.
    """

    run: RunId
    domain: str
    plan_digest: PlanDigest
    study: str
    partner: str
    coordinator: str
    lead: str
    lead_organization: str
    purpose: str
    approved_by: str
    event: bytes
    rho: RhoPico
    delta: DeltaAtto
    state: ChargeState
    reserved_unix_s: int
    expires_unix_s: int
    settled_unix_s: int | None


@dataclass(frozen=True)
class PartnerEntry:
    """What one organization holds now, and how many of its studies were aborted in the window."""

    partner: str
    reserved: int
    aborts: int


@dataclass(frozen=True)
class History:
    """All of one domain, oldest first."""

    caps: tuple[CapEntry, ...]
    charges: tuple[ChargeEntry, ...]
