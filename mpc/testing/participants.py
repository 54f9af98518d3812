"""Throw-away participants for sessions inside one process: a name, certificates, a signing key.

Their certificates are self-signed and good for signatures only; real ones come from
:mod:`parties.identity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mpc.ports import Randomness
from mpc.roster import Member, Roster, signed_bytes
from mpc.units import PartyId, Role, party_id

_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, repr=False)
class Participant:
    """A member of a roster and what signs for it."""

    member: Member
    _key: Ed25519PrivateKey

    @classmethod
    def make(cls, name: str, role: Role, randomness: Randomness) -> Participant:
        """A participant whose keys are bytes of ``randomness``."""
        keys = [Ed25519PrivateKey.from_private_bytes(randomness.random_bytes(32)) for _ in range(2)]
        tls, signing = (_certificate(name, key, serial) for serial, key in enumerate(keys, start=1))
        member = Member(party_id(name), role, f"Organization of {name}", tls, signing)
        return cls(member, keys[1])

    @property
    def id(self) -> PartyId:
        return self.member.id

    def sign(self, context: str, message: bytes) -> bytes:
        """Ed25519 in ``context``: a :class:`mpc.session.signer.Signer`."""
        return self._key.sign(signed_bytes(context, message))

    def __repr__(self) -> str:
        return f"Participant({self.id})"


def make_participants(
    count: int, randomness: Randomness, *, dealer: bool = False
) -> tuple[Participant, ...]:
    """``party-1`` … ``party-<count>``, ``dealer`` if asked for, and last ``office``."""
    names = [(f"party-{number}", Role.PARTY) for number in range(1, count + 1)]
    names.extend([("dealer", Role.DEALER)] * dealer)
    names.append(("office", Role.COORDINATOR))
    return tuple(Participant.make(name, role, randomness) for name, role in names)


def roster_of(participants: tuple[Participant, ...]) -> Roster:
    """The roster of ``participants``: parties in their order, the coordinator last."""
    return Roster(tuple(participant.member for participant in participants))


def _certificate(name: str, key: Ed25519PrivateKey, serial: int) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Organization of {name}")])
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=subject,
        public_key=key.public_key(),
        serial_number=serial,
        not_valid_before=_FROM,
        not_valid_after=_UNTIL,
    )
    return builder.sign(key, None).public_bytes(Encoding.DER)
