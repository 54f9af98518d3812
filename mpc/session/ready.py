"""READY: a party's signed word that it computed, reserved, and saw the same openings as everyone.

Only when every party holds everyone's READY does anyone commit its charge; so one that cannot go on
costs the others nothing.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace

from mpc.canonical import Plain, Record, canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.roster import SIGNATURE_SIZE, Roster
from mpc.session.naming import OPERATION_SIZE, joined
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, SessionId

CONTEXT = "parley/ready/v1"
_SESSION_SIZE = 32
_FIELDS = ("session", "opening", "party", "plan_digest", "opened", "signature")


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
class Ready:
    """``party`` is ready for ``opening`` (16 bytes); ``opened`` hashes what it saw opened."""

    session: SessionId
    opening: bytes
    party: PartyId
    plan_digest: PlanDigest
    opened: str
    signature: bytes = b""

    def signed(self, signer: Signer) -> Ready:
        """The same with its party's signature."""
        return replace(self, signature=signer(CONTEXT, self._message()))

    def check(self, due: Ready, roster: Roster) -> None:
        """Refuse this READY unless it says what ``due`` says and its party signed it.

        Raises IntegrityError naming the party.
        """
        party = due.party
        if (self.session, self.opening, self.party, self.plan_digest) != (
            due.session, due.opening, party, due.plan_digest,
        ):  # fmt: skip
            raise IntegrityError(f"{party}: its READY is of another session, opening or plan")
        if self.opened != due.opened:
            raise IntegrityError(f"{party}: it saw other values opened than this party")
        roster.member(party).verify(CONTEXT, self._message(), self.signature)

    def _message(self) -> bytes:
        return canonical_bytes(self._fields())

    def _fields(self) -> dict[str, Plain]:
        return {
            "session": self.session.hex(),
            "opening": self.opening.hex(),
            "party": self.party,
            "plan_digest": self.plan_digest,
            "opened": self.opened,
        }

    def to_bytes(self) -> bytes:
        """Canonical bytes, signature included."""
        return canonical_bytes({**self._fields(), "signature": self.signature.hex()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Ready:
        """The READY that :meth:`to_bytes` wrote. Raises IntegrityError on any other form."""
        record = Record(from_canonical(data), "a READY", _FIELDS)
        return cls(
            session=SessionId(record.octets("session", _SESSION_SIZE, _SESSION_SIZE)),
            opening=record.octets("opening", OPERATION_SIZE, OPERATION_SIZE),
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            plan_digest=PlanDigest(record.digest("plan_digest")),
            opened=record.digest("opened"),
            signature=record.octets("signature", SIGNATURE_SIZE, SIGNATURE_SIZE),
        )
