"""What a party releases: its masked share of the noised result, signed.

One of these and nothing else leaves for the coordinator. It is uniform by itself; only the sum over
all parties means anything, and that is the noised result. The outbox keeps its bytes, the receipt
carries them, and ``parley verify`` adds them up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mpc.canonical import SIZE_MAX, Plain, Record, canonical_bytes, from_canonical
from mpc.errors import IntegrityError
from mpc.ring.words import WORD_BYTES, from_bytes, to_bytes
from mpc.roster import SIGNATURE_SIZE, Roster
from mpc.session.naming import OPERATION_SIZE, operation_id
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, RunId, SessionId

CONTEXT = "parley/share/v1"
SESSION_SIZE = 32
COMMITMENT_SIZE = 32
SOFTWARE_LENGTH_MAX = 100
_VECTOR_BYTES_MAX = SIZE_MAX // 2 - 4096  # hex doubles it
_FIELDS = (
    "run", "session", "opening", "party", "plan_digest", "masked", "commitment", "software",
    "signature",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class ReleasedShare:
    """One party's share of one opening of one session.

    ``session`` is T (32 bytes), ``opening`` names the opening within it (16 bytes), ``masked`` is
    the vector as little-endian 8-byte words, ``commitment`` the party's data commitment (SHA-256).
    """

    run: RunId
    session: SessionId
    opening: bytes
    party: PartyId
    plan_digest: PlanDigest
    masked: bytes
    commitment: bytes
    software: str
    signature: bytes = b""

    @classmethod
    def sign(
        cls,
        *,
        run: RunId,
        session: SessionId,
        opening: bytes,
        party: PartyId,
        plan_digest: PlanDigest,
        words: NDArray[np.int64],
        commitment: bytes,
        software: str,
        signer: Signer,
    ) -> ReleasedShare:
        """A signed share of ``words``. Raises IntegrityError if a field has not its form."""
        unsigned = cls(
            run, session, opening, party, plan_digest, to_bytes(words), commitment, software
        )
        made = replace(unsigned, signature=signer(CONTEXT, unsigned._message()))
        return cls.from_plain(made.to_plain())

    @property
    def words(self) -> NDArray[np.int64]:
        """The masked vector as ring words, one dimension."""
        return from_bytes(self.masked)

    @property
    def commitment_text(self) -> str:
        """``sha256:`` and the data commitment in hex."""
        return f"sha256:{self.commitment.hex()}"

    def verify(self, roster: Roster) -> None:
        """Refuse a signature that is not ``party``'s in ``roster``. Looks at nothing else."""
        roster.member(self.party).verify(CONTEXT, self._message(), self.signature)

    def _message(self) -> bytes:
        return canonical_bytes(self._fields())

    def _fields(self) -> dict[str, Plain]:
        return {
            "run": self.run,
            "session": self.session.hex(),
            "opening": self.opening.hex(),
            "party": self.party,
            "plan_digest": self.plan_digest,
            "masked": self.masked.hex(),
            "commitment": self.commitment.hex(),
            "software": self.software,
        }

    def to_plain(self) -> dict[str, Plain]:
        return {**self._fields(), "signature": self.signature.hex()}

    def to_bytes(self) -> bytes:
        """Canonical bytes, signature included: outbox, wire and receipt."""
        return canonical_bytes(self.to_plain())

    @classmethod
    def from_plain(cls, plain: Plain) -> ReleasedShare:
        """The share that :meth:`to_plain` wrote. Raises IntegrityError on any other form."""
        record = Record(plain, "a released share", _FIELDS)
        masked = record.octets("masked", WORD_BYTES, _VECTOR_BYTES_MAX)
        if len(masked) % WORD_BYTES:
            raise IntegrityError("a released share: masked is not whole words of 8 bytes")
        return cls(
            run=RunId(record.digest("run")),
            session=SessionId(record.octets("session", SESSION_SIZE, SESSION_SIZE)),
            opening=record.octets("opening", OPERATION_SIZE, OPERATION_SIZE),
            party=PartyId(record.text("party", ID_LENGTH_MAX)),
            plan_digest=PlanDigest(record.digest("plan_digest")),
            masked=masked,
            commitment=record.octets("commitment", COMMITMENT_SIZE, COMMITMENT_SIZE),
            software=record.text("software", SOFTWARE_LENGTH_MAX),
            signature=record.octets("signature", SIGNATURE_SIZE, SIGNATURE_SIZE),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ReleasedShare:
        """The share that :meth:`to_bytes` wrote. Raises IntegrityError on any other form."""
        return cls.from_plain(from_canonical(data))

    def __repr__(self) -> str:
        count = len(self.masked) // WORD_BYTES
        return f"ReleasedShare({self.party}, run {self.run[:12]}, {count} words)"


def opening_id(session: SessionId, name: bytes = b"release") -> bytes:
    """The 16-byte id of one opening of ``session``; a linear study has the one, its release."""
    return operation_id(session, b"parley/opening", name)


def check_shares(
    roster: Roster,
    plan_digest: PlanDigest,
    run: RunId,
    session: SessionId,
    opening: bytes,
    shares: Sequence[ReleasedShare],
) -> None:
    """Refuse ``shares`` unless they are one of every party, in roster order, of this very opening.

    For the coordinator and for whoever verifies a receipt. Raises IntegrityError naming the party.
    """
    parties = [member.id for member in roster.parties]
    if [share.party for share in shares] != parties:
        raise IntegrityError(
            "a result needs one share of each party, in roster order: " + ", ".join(parties)
        )
    for share in shares:
        found = (share.plan_digest, share.run, share.session, share.opening)
        if found != (plan_digest, run, session, opening):
            raise IntegrityError(f"{share.party}: its share is of another plan, run or opening")
        share.verify(roster)
