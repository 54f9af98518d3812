"""What a node tells its worker: one study, the keys to take part in it, and where the rows are.

It crosses an inherited pipe as one canonical object and exists nowhere else. ``repr`` shows the
run and the party only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from mpc.canonical import Plain
from mpc.errors import IntegrityError
from mpc.units import PartyId, RunId


@dataclass(frozen=True, repr=False)
class WorkerOrder:
    """One run at one party. ``study``, ``roster``, ``approvals`` are canonical."""

    run: RunId
    party: PartyId
    plan_digest: str
    study: Plain
    roster: Plain
    approvals: Plain
    identity: Plain  # keys and certificates: parties.identity.store.Identity.for_worker
    table: Plain  # the registered version: parties.data
    ledger: str  # path of the ledger's database
    versions: str  # path of the data versions' database
    temporary: str  # folder the owner's engine may spill into
    domain: str
    partner: str
    approved_by: str
    reserve_s: int  # time to live of the reservation
    reserved_max: int  # outstanding reservations of one partner
    aborts_max: int  # aborts of one partner
    threads: int
    memory_mb: int
    host: str  # what peers dial
    bind: str
    port_first: int
    port_last: int
    keepalive_s: int
    timeout_s: int
    wait_s: int
    direct: bool  # peers may reach it on the direct lane

    def __repr__(self) -> str:
        return f"WorkerOrder(run={self.run[:12]}, party={self.party})"

    def to_plain(self) -> dict[str, Plain]:
        """For the pipe. Holds private keys: never log or store it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_plain(cls, message: dict[str, Plain]) -> WorkerOrder:
        """The order from the pipe. Raises IntegrityError if a field is missing or unknown."""
        if set(message) != {field.name for field in fields(cls)}:
            raise IntegrityError("the order from the node is not of this software's form")
        return cls(**message)  # type: ignore[arg-type]
