"""READY: a party's signed word that it computed, reserved, and saw the same openings as everyone.

Only when every party holds everyone's READY does anyone commit its charge; so one that cannot go on
costs the others nothing.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import ClassVar

from mpc.canonical import Record
from mpc.errors import IntegrityError
from mpc.naming import OPERATION_SIZE, joined
from mpc.roster import Roster
from mpc.session.signed import Signed
from mpc.session.witnessing import LedgerMark
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, SessionId

_SESSION_SIZE = 32
MATERIAL_ID_SIZE = 32


class Transcript:
    """A running hash of every value this session opened, in order. Public. Safe for threads."""

    def __init__(self, session: SessionId) -> None:
        self._digest = hashlib.sha256(joined(b"parley/opened/v1", session)).digest()
        self._lock = threading.Lock()

    def record(self, operation: bytes, opened: bytes) -> None:
        """Add what ``operation`` opened, as every party sees it."""
        content = hashlib.sha256(opened).digest()
        with self._lock:
            self._digest = hashlib.sha256(joined(self._digest, operation, content)).digest()

    @property
    def digest(self) -> str:
        """Hex SHA-256 of all so far."""
        return self._digest.hex()


@dataclass(frozen=True)
class Ready(Signed):
    """``party`` is ready for ``opening`` (16 bytes); ``opened`` hashes what it saw opened.

    ``material`` is the id of the prepared material it computed with, empty without any. ``ledger``
    is the mark of its own ledger, ``seen`` the highest that it holds of its reader's, if any.
    """

    WHAT: ClassVar[str] = "a READY"
    CONTEXT: ClassVar[str] = "parley/ready/v1"

    session: SessionId
    opening: bytes
    party: PartyId
    plan_digest: PlanDigest
    material: bytes
    opened: str
    ledger: LedgerMark
    seen: LedgerMark | None

    def check(self, due: Ready, roster: Roster) -> None:
        """Refuse this READY unless it says what ``due`` says and its party signed it.

        Raises IntegrityError naming the party.
        """
        party = due.party
        if (self.session, self.opening, self.party, self.plan_digest) != (
            due.session, due.opening, party, due.plan_digest,
        ):  # fmt: skip
            raise IntegrityError("its READY is of another session, opening or plan", party=party)
        if self.ledger.party != party:
            raise IntegrityError("its READY has another party's ledger", party=party)
        if self.material != due.material:
            raise IntegrityError("it computed with other prepared material", party=party)
        if self.opened != due.opened:
            raise IntegrityError("it saw other values opened than this party", party=party)
        self.verify(roster)

    @classmethod
    def _read(cls, record: Record) -> Ready:
        seen = record.plain("seen")
        return cls(
            session=SessionId(record.octets("session", _SESSION_SIZE, _SESSION_SIZE)),
            opening=record.octets("opening", OPERATION_SIZE, OPERATION_SIZE),
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            plan_digest=PlanDigest(record.digest("plan_digest")),
            material=record.octets("material", 0, MATERIAL_ID_SIZE),
            opened=record.digest("opened"),
            ledger=LedgerMark.from_plain(record.plain("ledger")),
            seen=None if seen is None else LedgerMark.from_plain(seen),
        )
