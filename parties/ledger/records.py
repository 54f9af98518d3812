"""What a ledger keeps for ever, as its owner reads it."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.ports import ChargeState
from mpc.units import DeltaAtto, PlanDigest, RhoPico, RunId


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
    """One charge as it stands. ``settled_unix_s`` is when it was committed or released."""

    run: RunId
    domain: str
    plan_digest: PlanDigest
    study: str
    partner: str
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
