"""What a party releases: its masked share of the noised result, signed.

One of these and nothing else leaves for the coordinator. It is uniform by itself; only the sum over
all parties means anything, and that is the noised result. The outbox keeps its bytes, the receipt
carries them, and ``parley verify`` adds them up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mpc.canonical import SIZE_MAX, Record
from mpc.errors import IntegrityError
from mpc.naming import OPERATION_SIZE, operation_id
from mpc.ring.words import WORD_BYTES, from_bytes, to_bytes
from mpc.roster import Roster
from mpc.session.signed import Signed
from mpc.session.signer import Signer
from mpc.units import ID_LENGTH_MAX, PartyId, PlanDigest, RunId, SessionId

SESSION_SIZE = 32
COMMITMENT_SIZE = 32
SOFTWARE_LENGTH_MAX = 100
_VECTOR_BYTES_MAX = SIZE_MAX // 2 - 4096  # hex doubles it


@dataclass(frozen=True, repr=False)
class ReleasedShare(Signed):
    """One party's share of one opening of one session.

    ``session`` is T (32 bytes), ``opening`` names the opening within it (16 bytes), ``masked`` is
    the vector as little-endian 8-byte words, ``commitment`` the party's data commitment (SHA-256).
    """

    WHAT: ClassVar[str] = "a released share"
    CONTEXT: ClassVar[str] = "parley/share/v1"

    run: RunId
    session: SessionId
    opening: bytes
    party: PartyId
    plan_digest: PlanDigest
    masked: bytes
    commitment: bytes
    software: str

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
        return unsigned.signed(signer)

    @property
    def words(self) -> NDArray[np.int64]:
        """The masked vector as ring words, one dimension."""
        return from_bytes(self.masked)

    @property
    def commitment_text(self) -> str:
        """``sha256:`` and the data commitment in hex."""
        return f"sha256:{self.commitment.hex()}"

    @classmethod
    def _read(cls, record: Record) -> ReleasedShare:
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
        )

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
            raise IntegrityError("its share is of another plan, run or opening", party=share.party)
        share.verify(roster)
