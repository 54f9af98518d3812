"""What the engine needs from outside: time, randomness, a channel to each peer, a durable ledger.

The engine imports no clock, socket, file or random generator; ``parties`` hands in the real ones
and ``mpc.testing`` the in-memory ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mpc.units import DeltaAtto, PartyId, PlanDigest, ProtectedUnit, RhoPico, RunId


class Clock(Protocol):
    """Wall time for expiries, monotonic time for deadlines."""

    def unix_s(self) -> int:
        """Seconds since 1970, rounded down."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""
        ...


class Randomness(Protocol):
    """Uniform bytes fit for keys and noise: the operating system's, or AES-CTR keyed by it."""

    def random_bytes(self, count: int) -> bytes:
        """``count`` fresh uniform bytes."""
        ...


class Channel(Protocol):
    """Ordered, authenticated, encrypted byte messages to each peer of one session.

    A message carries a 16-byte operation id; both ends must agree on it and on the size, else the
    session stops with :class:`mpc.errors.PeerError` naming the peer (IntegrityError if the bytes
    are impossible). Every wait has the deadline given at construction.
    """

    @property
    def own(self) -> PartyId: ...

    @property
    def peers(self) -> tuple[PartyId, ...]:
        """The other parties, in roster order."""
        ...

    def send(self, to: PartyId, operation: bytes, payload: bytes) -> None:
        """Queue ``payload`` for ``to``; does not wait for its receipt."""
        ...

    def receive(self, sender: PartyId, operation: bytes, size: int) -> bytes:
        """The next message of ``sender``, of exactly ``size`` bytes."""
        ...

    def receive_upto(self, sender: PartyId, operation: bytes, size_max: int) -> bytes:
        """The next message of ``sender``, of at most ``size_max`` bytes."""
        ...

    def close(self) -> None:
        """Say BYE to every peer and end; an end without BYE is a failure to the other side."""
        ...


class ChargeState(StrEnum):
    """Where a charge stands. Only ``reserved`` may move, once, by compare-and-set.

    While rows are read for it, and until its party's part is computed, whatever ends a run may be
    the rows' doing, and an answer about them: then the charge is forfeited, unless somebody ordered
    the end. Once masked shares of its noised part have left, it is forfeited whoever ends the run.
    """

    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    FORFEITED = "forfeited"  # spent, and nothing left for it


@dataclass(frozen=True)
class ChargeTerms:
    """Who asks, for what, for whose privacy, and how long the reservation holds.

    What is released and what that costs is not among them: the statistic itself says it.
    """

    run: RunId
    domain: str
    plan_digest: PlanDigest
    study: str
    partner: str  # organization of the coordinator, by certificate
    coordinator: PartyId
    lead: str  # who leads the study, by the coordinator's word
    lead_organization: str
    purpose: str
    approved_by: str  # "policy" or the person's name
    unit: ProtectedUnit
    expires_unix_s: int


@dataclass(frozen=True)
class ChargeRequest:
    """What is to be charged, on which terms: stored with the charge for ever.

    ``rho`` and ``delta`` are the event's price for the terms' unit, the study's; the ledger
    charges them for the domain's own unit. Made by :mod:`mpc.privacy.budget` alone, which prices
    the event.
    """

    terms: ChargeTerms
    event: bytes  # canonical bytes of the mechanism event
    rho: RhoPico
    delta: DeltaAtto


@dataclass(frozen=True)
class Balance:
    """A privacy domain's cap and what is spent (committed or forfeited) or held (reserved)."""

    domain: str
    rho_cap: RhoPico
    delta_cap: DeltaAtto
    rho_spent: RhoPico
    delta_spent: DeltaAtto
    rho_reserved: RhoPico
    delta_reserved: DeltaAtto

    @property
    def rho_left(self) -> RhoPico:
        """What a charge may still take; 0 if a lowered cap lies below what is spent."""
        return RhoPico(max(0, self.rho_cap - self.rho_spent - self.rho_reserved))

    @property
    def delta_left(self) -> DeltaAtto:
        """As :attr:`rho_left`."""
        return DeltaAtto(max(0, self.delta_cap - self.delta_spent - self.delta_reserved))


@dataclass(frozen=True)
class ChainHead:
    """Where a ledger's hash chain stands: how many steps it took, and what binds them all."""

    counter: int
    digest: bytes  # 32


@dataclass(frozen=True)
class Witness:
    """What ``party`` showed of a ledger: a mark, in the signed ``ready`` that came with it."""

    party: PartyId
    head: ChainHead
    mark: bytes
    ready: bytes


class Ledger(Protocol):
    """Durable budget and outbox of one party. Every method is on disk when it returns."""

    def reserve(self, request: ChargeRequest) -> None:
        """Hold ``request`` against its domain.

        Raises BudgetRefusal, or LedgerOutdated once condemned, and then nothing changed.
        """
        ...

    def commit(self, run: RunId, message: bytes, shown: tuple[Witness, ...] = ()) -> None:
        """In one transaction: reserved → committed, ``message`` into the outbox, ``shown`` kept.

        Raises LedgerError if the run is not reserved (expired, released, unknown, committed).
        """
        ...

    def mark_computed(self, run: RunId) -> None:
        """This party's part is computed: from now on no row can be why the run ends.

        Raises LedgerError if the run is not reserved (expired, settled, unknown).
        """
        ...

    def mark_shared(self, run: RunId, shown: tuple[Witness, ...] = ()) -> None:
        """Masked shares of the computed part leave from now on: the charge is kept, come what may.

        What peers have ``shown`` of their ledgers is kept in the same transaction.
        Whoever knew the masks would read noised values in them, so this is contributing. Raises
        LedgerError if the run is not reserved (expired, settled, unknown) or not computed.
        """
        ...

    def release(self, run: RunId) -> bool:
        """Somebody ordered the run's end: reserved → released, or → forfeited if it was shared.
        False if it was not reserved."""
        ...

    def fail(self, run: RunId) -> bool:
        """Nobody ordered the run's end: reserved → released if its part was computed and not
        shared, else → forfeited. False, and nothing changed, if the run was not reserved."""
        ...

    def outbox(self, run: RunId) -> bytes | None:
        """The committed message of ``run``: the same bytes for ever, or None."""
        ...

    def state(self, run: RunId) -> ChargeState | None: ...

    def balance(self, domain: str) -> Balance: ...

    def head(self) -> ChainHead:
        """The head of the hash chain over every step of every charge."""
        ...

    def holds(self, head: ChainHead) -> bool:
        """Whether this ledger once stood at ``head``, or its owner accepted the loss of it."""
        ...

    def witnessed(self) -> Mapping[PartyId, Witness]:
        """The highest mark that each peer ever showed, as kept with a commit."""
        ...

    def condemn(self, witness: Witness) -> None:
        """A peer showed this party's own mark, at a head this ledger does not hold: it is an older
        copy, and reserves nothing from now on."""
        ...
