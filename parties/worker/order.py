"""What a worker is told: one study, the keys to take part in it, and where a party's rows are.

It crosses an inherited pipe as one canonical object and exists nowhere else. ``repr`` shows the
run and the participant only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

from mpc.canonical import Plain
from mpc.errors import IntegrityError
from mpc.plan.model import Plan
from mpc.session.agreement import Phase
from mpc.session.approval import Approval, approvals_to_plain
from mpc.study.canonical import study_to_plain
from mpc.units import PartyId, RunId
from parties.config import Exchange
from parties.identity.store import Identity


@dataclass(frozen=True, repr=False)
class SessionOrder:
    """One phase of a run at one participant. ``study``, ``roster``, ``approvals`` are canonical.

    It is all that a dealer's worker is told.
    """

    run: RunId
    phase: str  # mpc.session.agreement.Phase
    party: PartyId
    plan_digest: str
    study: Plain
    roster: Plain
    approvals: Plain
    identity: Plain  # keys and certificates: parties.identity.store.Identity.for_worker
    host: str  # what peers dial
    bind: str
    port_first: int
    port_last: int
    keepalive_s: int
    timeout_s: int
    wait_s: int
    direct: bool  # peers may reach it on the direct lane

    @classmethod
    def of(
        cls, run: RunId, plan: Plan, approvals: Sequence[Approval], own: Identity,
        exchange: Exchange, phase: Phase = Phase.WHOLE,
    ) -> SessionOrder:  # fmt: skip
        """What ``own`` needs to take part in ``phase`` of ``run``."""
        return SessionOrder(
            run=run,
            phase=phase.value,
            party=own.member.id,
            plan_digest=plan.digest,
            study=study_to_plain(plan.study),
            roster=plan.roster.to_plain(),
            approvals=approvals_to_plain(approvals),
            identity=own.for_worker(),
            host=exchange.host,
            bind=exchange.bind or exchange.host,
            port_first=exchange.ports[0],
            port_last=exchange.ports[1],
            keepalive_s=exchange.keepalive_s,
            timeout_s=exchange.timeout_s,
            wait_s=exchange.wait_s,
            direct=exchange.direct,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(run={self.run[:12]}, party={self.party})"

    def to_plain(self) -> dict[str, Plain]:
        """For the pipe. Holds private keys: never log or store it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_plain(cls, message: dict[str, Plain]) -> Self:
        """The order from the pipe. Raises IntegrityError if a field is missing or unknown."""
        if set(message) != {field.name for field in fields(cls)}:
            raise IntegrityError("the order from the node is not of this software's form")
        return cls(**message)  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class PreparingOrder(SessionOrder):
    """The preparing of a run at one party: also where it keeps its material. No row is named."""

    state: str  # folder of parties.prepared.store


@dataclass(frozen=True, repr=False)
class WorkerOrder(SessionOrder):
    """One run at one party: also where its rows and its ledger are."""

    table: Plain  # the registered version: parties.data
    ledger: str  # path of the ledger's database
    versions: str  # path of the data versions' database
    state: str  # folder of parties.prepared.store
    temporary: str  # folder the owner's engine may spill into
    domain: str
    partner: str
    approved_by: str
    reserve_s: int  # time to live of the reservation
    reserved_max: int  # outstanding reservations of one partner
    aborts_max: int  # aborts of one partner
    threads: int
    memory_mb: int
